//! The one lock over the bookkeeping of stacks.
//!
//! It is held for a few instructions, or while a region is mapped. Around `fork` the forking thread holds it, so that the child finds the
//! bookkeeping whole; hence a mutex of the C library, which can be locked in one function and unlocked in another.

use core::cell::UnsafeCell;
use std::sync::Once;

struct Lock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: it is a lock.
unsafe impl Sync for Lock {}

static LOCK: Lock = Lock(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER));

/// Proof that this thread holds the lock.
pub(super) struct Held(());

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: this thread holds it: it locked it when it made this value.
        unsafe { unlock() }
    }
}

/// Waits until this thread holds the lock. It is let go when the value is dropped.
pub(super) fn hold() -> Held {
    static FORK: Once = Once::new();
    // SAFETY: the handlers are functions of this program. If they cannot be registered, a child that makes stacks after a `fork` of
    // a multi-threaded process may hang, which such a child may do in `malloc` as well.
    FORK.call_once(|| unsafe {
        libc::pthread_atfork(Some(lock), Some(unlock), Some(unlock));
    });
    // SAFETY: this thread does not hold it: no code under it comes back here.
    unsafe { lock() };
    Held(())
}

unsafe extern "C" fn lock() {
    // SAFETY: a static mutex, never moved nor destroyed.
    unsafe { libc::pthread_mutex_lock(LOCK.0.get()) };
}

unsafe extern "C" fn unlock() {
    // SAFETY: this thread holds it; in the child of a `fork`, as the continuation of the thread that forked.
    unsafe { libc::pthread_mutex_unlock(LOCK.0.get()) };
}
