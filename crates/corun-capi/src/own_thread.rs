//! What is bound to the thread that made it, in a table that all threads see.

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::failure::{Failure, Outcome};
use crate::status;

/// A value that only its own thread can get at. Dropped on another thread, it is leaked.
pub(crate) struct OwnThread<T> {
    thread: u64,
    value: ManuallyDrop<T>,
}

// SAFETY: the value is reached, and dropped, on its own thread only.
unsafe impl<T> Send for OwnThread<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for OwnThread<T> {}

/// A number of this thread that no other thread ever has.
fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    thread_local!(static NUMBER: Cell<u64> = const { Cell::new(0) });
    NUMBER.with(|number| {
        if number.get() == 0 {
            number.set(NEXT.fetch_add(1, Ordering::Relaxed));
        }
        number.get()
    })
}

impl<T> OwnThread<T> {
    pub(crate) fn new(value: T) -> OwnThread<T> {
        OwnThread {
            thread: this_thread(),
            value: ManuallyDrop::new(value),
        }
    }

    /// # Errors
    /// On any other thread.
    pub(crate) fn get(&self) -> Outcome<&T> {
        if self.thread == this_thread() {
            Ok(&self.value)
        } else {
            Err(Failure::new(
                status::ERR_CONTEXT,
                "this belongs to another thread",
            ))
        }
    }
}

impl<T> Drop for OwnThread<T> {
    fn drop(&mut self) {
        if self.thread == this_thread() {
            // SAFETY: dropped once, here.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
