//! Joiners that may give up before the coroutine has ended: by a deadline, or because they are cancelled.
//!
//! Such a joiner is marked as such in the coroutine's `joiner`. Until the coroutine takes it from there it may take itself back. If it comes too late for
//! that, the coroutine has ended, and will touch it a last time by setting `told`: it waits for that.
//!
//! Checked by the models of `tests/models/coroutine/end.rs`.

use std::ptr;

use super::outcome::{COMPLETED, TAKEN};
use super::task::TaskRef;
use crate::primitive::atomic::{AtomicBool, Ordering};
use crate::primitive::{hint, thread};
use crate::scheduler::signal::Signal;

/// Added to the address of such a joiner.
const LIMITED: usize = 1;

/// A joiner that may give up before the coroutine has ended.
#[repr(C)]
pub(crate) struct LimitedJoiner {
    pub(crate) signal: Signal,
    /// The coroutine is done with this joiner.
    told: AtomicBool,
}

impl LimitedJoiner {
    pub(crate) fn new() -> LimitedJoiner {
        LimitedJoiner {
            signal: Signal::new(),
            told: AtomicBool::new(false),
        }
    }

    fn marked(&self) -> *mut Signal {
        ptr::from_ref(self)
            .cast_mut()
            .cast::<Signal>()
            .map_addr(|a| a | LIMITED)
    }

    #[inline(always)]
    pub(super) fn is_marked(joiner: *mut Signal) -> bool {
        joiner.addr() & LIMITED != 0 && joiner.addr() & !TAKEN != COMPLETED.addr()
    }

    /// Ends the wait for `task`. Returns whether it has ended; if not, the joiner was taken back.
    pub(crate) fn settle(&self, task: TaskRef, notified: bool) -> bool {
        let joiner = &task.header().joiner;
        let take_back = || {
            joiner
                .compare_exchange(
                    self.marked(),
                    ptr::null_mut(),
                    Ordering::AcqRel,
                    Ordering::Acquire,
                )
                .is_ok()
        };
        if !notified && take_back() {
            return false;
        }
        let mut spins = 0;
        // Acquire pairs with the release in `tell`: that was the last access.
        while !self.told.load(Ordering::Acquire) {
            spins += 1;
            if spins < 64 {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
        true
    }

    /// Called by the ending coroutine, which has taken the marked joiner from its block.
    #[cold]
    pub(super) fn tell(joiner: *mut Signal) {
        let joiner = joiner.map_addr(|a| a & !LIMITED).cast::<LimitedJoiner>();
        // SAFETY: the joiner stays until `told` is set. After that only the waker is used, which refers to a waiter that waits for it, or to
        // nothing.
        let wakeup = unsafe { Signal::claim(&raw const (*joiner).signal) };
        // SAFETY: as above.
        unsafe { (*joiner).told.store(true, Ordering::Release) };
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
    }
}

impl TaskRef {
    /// Stores a joiner that may give up, unless the coroutine has ended. At most one exists: the owner of the join handle. It has to stay until
    /// `LimitedJoiner::settle` has returned.
    pub(crate) fn set_limited_joiner(self, joiner: &LimitedJoiner) -> bool {
        self.header()
            .joiner
            .compare_exchange(
                ptr::null_mut(),
                joiner.marked(),
                Ordering::AcqRel,
                Ordering::Acquire,
            )
            .is_ok()
    }
}
