//! A place for something that several threads put and take.
//!
//! The code of an exported function may go on on another thread after each wait, as that of the task that has called it. So it keeps nothing
//! of its thread across one, not even what compilers keep: the address of a thread local that is used before and after. Locks of std use one (whether
//! the thread is panicking). Whatever here uses a thread local therefore is a function that is never inlined, and does not wait itself.

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
