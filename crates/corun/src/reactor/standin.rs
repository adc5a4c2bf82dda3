//! Stands in for the scheduler until it has landed: every waiter is a plain thread.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, Thread};
use std::time::Instant;

use super::Reactor;

pub(super) use std::sync::Mutex as SpinLock;

pub(super) struct Signal {
    state: AtomicU32,
    thread: Thread,
}

impl Signal {
    pub(super) fn new() -> Signal {
        Signal {
            state: AtomicU32::new(0),
            thread: thread::current(),
        }
    }

    pub(super) fn wait_until(&self, deadline: Option<Instant>) -> bool {
        loop {
            if self.state.load(Ordering::Acquire) == 1 {
                return true;
            }
            match deadline {
                None => thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return self
                            .state
                            .compare_exchange(0, 2, Ordering::AcqRel, Ordering::Acquire)
                            .is_err();
                    }
                    thread::park_timeout(left);
                }
            }
        }
    }

    pub(super) unsafe fn notify(this: *const Signal) -> bool {
        // SAFETY: alive by contract; the thread's handle is cloned before the exchange lets it go.
        unsafe {
            let thread = (*this).thread.clone();
            let first = (*this)
                .state
                .compare_exchange(0, 1, Ordering::AcqRel, Ordering::Acquire)
                .is_ok();
            if first {
                thread.unpark();
            }
            first
        }
    }
}

pub(super) fn with_reactor<R>(_: impl FnOnce(&Arc<Reactor>) -> R) -> Option<R> {
    None
}

pub(super) fn in_coroutine() -> bool {
    false
}

pub(super) fn safepoint() {}
