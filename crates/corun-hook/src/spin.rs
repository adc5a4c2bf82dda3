//! A spin lock for the tables of the hooks.
//!
//! A lock of std would call the hooks in its slow path. While one of these is held nothing parks ([`hooking::own`]), an allocator with hooked locks
//! included. A signal handler that interrupts a holder must not wait for him: [`holds_any`] tells, and whoever asks leaves it be. It can be taken over a `fork` ([`Spin::hold`]), so that the child finds the tables whole.

use std::cell::{Cell, UnsafeCell};
use std::hint;
use std::sync::atomic::{AtomicBool, Ordering, compiler_fence};

use corun::hooking;

thread_local! {
    /// How many of these locks this thread has, or is about to take.
    static HELD: Cell<u32> = const { Cell::new(0) };
}

/// Is the caller in the middle of such a section?
pub(crate) fn holds_any() -> bool {
    HELD.get() != 0
}

pub(crate) struct Spin<T> {
    locked: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the lock gives access to one thread at a time, so sharing it is as good as sending the value.
unsafe impl<T: Send> Sync for Spin<T> {}

impl<T> Spin<T> {
    pub(crate) const fn new(value: T) -> Spin<T> {
        Spin {
            locked: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        struct Unlock<'a>(&'a AtomicBool);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                self.0.store(false, Ordering::Release);
                compiler_fence(Ordering::SeqCst);
                HELD.set(HELD.get() - 1);
            }
        }
        hooking::own(|| {
            HELD.set(HELD.get() + 1);
            compiler_fence(Ordering::SeqCst);
            self.hold();
            let _unlock = Unlock(&self.locked);
            // SAFETY: the lock is held until `f` has returned.
            f(unsafe { &mut *self.value.get() })
        })
    }

    /// Locks; `free` unlocks.
    pub(crate) fn hold(&self) {
        let mut spins = 0;
        while self.locked.load(Ordering::Relaxed) || self.locked.swap(true, Ordering::Acquire) {
            spins += 1;
            if spins < 64 {
                hint::spin_loop();
            } else {
                hooking::own(std::thread::yield_now);
            }
        }
    }

    /// # Safety
    /// The caller has called `hold`.
    pub(crate) unsafe fn free(&self) {
        self.locked.store(false, Ordering::Release);
    }

    /// # Safety
    /// The caller has called `hold`, and not yet `free`.
    #[allow(clippy::mut_from_ref, reason = "the lock is held")]
    pub(crate) unsafe fn held(&self) -> &mut T {
        // SAFETY: nobody else has access.
        unsafe { &mut *self.value.get() }
    }
}
