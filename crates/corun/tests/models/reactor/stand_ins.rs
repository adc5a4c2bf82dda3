//! What stands in for the parts of the runtime that entries use.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use loom::thread::{self, Thread};

use super::entry::Entry;
use crate::primitive::atomic::{AtomicU32, Ordering};

#[derive(Clone, Copy)]
pub struct Links;

impl Links {
    pub const NONE: Links = Links;
}

pub struct Reactor;

impl Reactor {
    pub(super) fn adopt(&self, _entry: &Entry) -> io::Result<()> {
        Ok(())
    }
}

pub fn with_reactor<R>(body: impl FnOnce(&Arc<Reactor>) -> R) -> Option<R> {
    Some(body(&Arc::new(Reactor)))
}

const EMPTY: u32 = 0;
const NOTIFIED: u32 = 1;
const EXPIRED: u32 = 2;

/// A signal of a plain thread. A wait with a deadline gives up at once, unless it was notified before.
pub struct Signal {
    state: AtomicU32,
    thread: Thread,
}

impl Signal {
    pub fn new() -> Signal {
        Signal {
            state: AtomicU32::new(EMPTY),
            thread: thread::current(),
        }
    }

    fn finish(&self, to: u32) -> bool {
        self.state
            .compare_exchange(EMPTY, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    pub fn wait_until(&self, deadline: Option<Instant>) -> bool {
        if deadline.is_some() {
            return !self.finish(EXPIRED);
        }
        while self.state.load(Ordering::Acquire) != NOTIFIED {
            thread::park();
        }
        true
    }

    /// # Safety
    /// The signal must be alive at the call.
    pub unsafe fn notify(this: *const Signal) -> bool {
        // SAFETY: alive by contract; what is needed after the exchange is taken before.
        unsafe {
            let thread = (*this).thread.clone();
            let first = (*this).finish(NOTIFIED);
            if first {
                thread.unpark();
            }
            first
        }
    }
}
