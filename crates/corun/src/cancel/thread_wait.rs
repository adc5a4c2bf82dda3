//! How a plain thread that waits is cancelled: a token finds the signal that it waits on here.

use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::levels::Surroundings;
use crate::scheduler::lock_mutex;
use crate::scheduler::signal::Signal;

/// The signal that a thread waits on, null if it does not wait. Who finds one here, under the lock, finds it alive.
pub(crate) struct ThreadWait(Mutex<*const Signal>);

// SAFETY: the signal is made to be notified from other threads, and reached under the lock only.
unsafe impl Send for ThreadWait {}
// SAFETY: as above.
unsafe impl Sync for ThreadWait {}

thread_local! {
    static CURRENT: Arc<ThreadWait> = Arc::new(ThreadWait(Mutex::new(ptr::null())));
}

pub(super) fn of_current() -> Arc<ThreadWait> {
    // In a destructor of another thread local this one may be gone. Then nobody finds the waits of the thread.
    CURRENT
        .try_with(Arc::clone)
        .unwrap_or_else(|_| Arc::new(ThreadWait(Mutex::new(ptr::null()))))
}

impl ThreadWait {
    /// Ends the wait, if the thread waits.
    pub(super) fn interrupt(&self) {
        let signal = lock_mutex(&self.0);
        if !signal.is_null() {
            // SAFETY: alive under the lock.
            unsafe { Signal::interrupt_thread(*signal) };
        }
    }
}

/// Waits for a notification, a deadline, or a cancellation of what the thread is inside of.
#[cold]
pub(super) fn wait(signal: &Signal, deadline: Option<Instant>) -> bool {
    let here = of_current();
    *lock_mutex(&here.0) = signal;
    // A cancellation that came before nobody has told.
    let cancelled = Surroundings::of_caller().is_some_and(|around| around.is_cancelled());
    let notified = if cancelled {
        signal.decline()
    } else {
        signal.wait_within(deadline, true)
    };
    *lock_mutex(&here.0) = ptr::null();
    notified
}
