//! A place for something that several threads put and take.
//!
//! The code of an exported function may go on on another thread after each wait, as that of the task that has called it. So it keeps nothing
//! of its thread across one, not even what compilers keep: the address of a thread local that is used before and after. Locks of std use one (whether
//! the thread is panicking). Whatever here uses a thread local therefore is a function that is never inlined, and does not wait itself.

use std::cell::UnsafeCell;
use std::mem;
use std::sync::{Mutex, PoisonError};

pub(crate) struct Slot<T>(Mutex<Option<T>>);

impl<T> Slot<T> {
    pub(crate) const fn new(value: Option<T>) -> Slot<T> {
        Slot(Mutex::new(value))
    }

    pub(crate) fn take(&self) -> Option<T> {
        self.exchange(None)
    }

    /// Returns what was there before.
    pub(crate) fn replace(&self, value: T) -> Option<T> {
        self.exchange(Some(value))
    }

    #[inline(never)]
    fn exchange(&self, value: Option<T>) -> Option<T> {
        // Nothing panics while it holds the lock.
        let mut place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *place, value)
    }

    /// Looks at what is there. `look` does not wait.
    #[inline(never)]
    pub(crate) fn look<R>(&self, look: impl FnOnce(Option<&T>) -> R) -> R {
        let place = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        look(place.as_ref())
    }
}

/// A place for something that one at a time has the right to, who needs no lock.
pub(crate) struct Reserved<T>(UnsafeCell<Option<T>>);

// SAFETY: it gives the value to one at a time, by the contract of `get`.
unsafe impl<T: Send> Sync for Reserved<T> {}

impl<T> Reserved<T> {
    pub(crate) const fn new(value: T) -> Reserved<T> {
        Reserved(UnsafeCell::new(Some(value)))
    }

    /// # Safety
    /// Nobody else has the right to it while the reference is used, and who had it before has done with it before.
    #[allow(clippy::mut_from_ref, reason = "that is what the contract is about")]
    pub(crate) unsafe fn get(&self) -> &mut Option<T> {
        // SAFETY: by the contract.
        unsafe { &mut *self.0.get() }
    }
}
