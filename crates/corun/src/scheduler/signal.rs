//! The one primitive on which everything waits: a one-shot wake-up on the stack of whoever waits.
//!
//! # Protocol
//! ```text
//!            wait: EMPTY -> PARKED, then switch away (or park the OS thread)
//!   EMPTY ------------------------------------------------> PARKED
//!     | notify                                                 | notify: -> NOTIFIED, schedule    (one of the two
//!     v                                                        | deadline: -> EXPIRED, schedule    wins the exchange)
//!   NOTIFIED: wait returns at once                             v
//!                                                    the waiter runs again and reads which
//! ```
//! - Whoever moves the state away from EMPTY or PARKED owns the wake-up; all others get `false`. So a waiter in several
//!   lists (select, a timeout) is woken once.
//! - A waiter may be notified between PARKED and the switch away from it. For its own worker that cannot happen, as it is
//!   the one that switches. Another thread only puts the signal into the worker's inbox, which the worker empties on
//!   its own stack, after the switch. So the saved context is always complete when it is read: a coroutine that
//!   never changes threads needs no further hand-shake.
//! - A signal dies as soon as its waiter sees NOTIFIED. So `notify` does not touch it after an exchange from EMPTY, and after one
//!   from PARKED it touches it only until the worker may have seen it.
//!
//! Rejected: a waiter block on the heap, counted (an allocation and two counts per wait); a flag in the task (a late
//! wake-up for a former wait would hit the next one).
//!
//! Checked with every interleaving by `tests/models/scheduler/wake.rs`, which includes this file.

use std::cell::Cell;
use std::ptr;
use std::time::Instant;

use corun_context::raw::Context;

use super::shared::Shared;
use super::worker::Worker;
use crate::coroutine::task::TaskRef;
use crate::primitive::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::primitive::thread::{self, Thread};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;
const EXPIRED: u32 = 3;

pub(crate) struct Signal {
    state: AtomicU32,
    /// Where the waiting coroutine stopped: written by the switch away from it.
    pub(super) context: Cell<Context>,
    /// The worker of the waiting coroutine; null for a plain thread.
    shared: *const Shared,
    /// Set for a plain thread only.
    thread: Option<Thread>,
    /// Links the signal in its worker's inbox.
    pub(super) next: AtomicPtr<Signal>,
}

// SAFETY: other threads touch `state` and `next`, which are atomic, and `shared` and `thread`, which do not change;
// `context` is used by the worker's own thread alone.
unsafe impl Send for Signal {}
// SAFETY: as above.
unsafe impl Sync for Signal {}

impl Signal {
    /// A signal for the current coroutine, or for the current thread where no coroutine runs. Panics inside `no_suspend`: here
    /// and not in `wait`, as nothing has been published yet that points to the signal.
    #[inline]
    pub(crate) fn new() -> Signal {
        let shared = Worker::suspendable().map_or(ptr::null(), |worker| {
            worker.assert_may_suspend();
            ptr::from_ref(worker.shared())
        });
        Signal {
            state: AtomicU32::new(EMPTY),
            context: Cell::new(Context::NONE),
            thread: if shared.is_null() {
                Some(thread::current())
            } else {
                None
            },
            shared,
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// Waits for the notification.
    #[inline(always)]
    pub(crate) fn wait(&self) {
        // Acquire pairs with the notifier's release: what it did before is seen after.
        if self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return;
        }
        match Worker::suspendable() {
            Some(worker) if !self.shared.is_null() => worker.park(self.context.as_ptr()),
            _ => {
                while self.state.load(Ordering::Acquire) == PARKED {
                    thread::park();
                }
            }
        }
    }

    /// Waits for the notification, and has the worker run `task` at once in the meantime. Only the task may notify.
    #[inline(always)]
    pub(crate) fn wait_starting(&self, worker: &Worker, task: TaskRef) {
        debug_assert!(!self.shared.is_null());
        // The task has not started, so nobody else can be at the state yet.
        self.state.store(PARKED, Ordering::Release);
        worker.park_and_start(self.context.as_ptr(), task);
    }

    /// Waits for the notification until `deadline` (`None`: for ever). Returns whether it was notified; if not, no later
    /// call of `notify` counts.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) -> bool {
        let Some(deadline) = deadline else {
            self.wait();
            return true;
        };
        match Worker::suspendable() {
            Some(worker) if !self.shared.is_null() => {
                if self.is_notified() {
                    return true;
                }
                let timer = worker.shared().insert_timer(deadline, self);
                self.wait();
                let notified = self.is_notified();
                if notified {
                    worker.shared().cancel_timer(timer, self);
                }
                notified
            }
            _ => self.wait_thread_until(deadline),
        }
    }

    fn wait_thread_until(&self, deadline: Instant) -> bool {
        let _ = self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire);
        loop {
            if self.is_notified() {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return self
                    .state
                    .compare_exchange(PARKED, EXPIRED, Ordering::AcqRel, Ordering::Acquire)
                    .is_err();
            }
            thread::park_timeout(left);
        }
    }

    /// Wakes the waiter. Returns whether this call was the one that did.
    ///
    /// # Safety
    /// The signal must be alive at the call. It may be gone once the call has returned.
    #[inline]
    pub(crate) unsafe fn notify(this: *const Signal) -> bool {
        // SAFETY: alive by contract.
        unsafe { Self::finish(this, NOTIFIED) }
    }

    /// Wakes the joiner of the calling coroutine, which is ending. Nobody else notifies a joiner, and it waits without a deadline. So
    /// on its own worker nothing can come in between, no atomic exchange is needed, and it gets the caller's place.
    ///
    /// # Safety
    /// As for `notify`; and this is the only call that will ever move the state.
    #[inline(always)]
    pub(crate) unsafe fn notify_joiner(this: *const Signal) {
        // SAFETY: alive by contract. A waiter on this very worker is either parked, and stays so until it is scheduled below, or
        // it is the caller itself.
        unsafe {
            let (state, shared) = (&(*this).state, (*this).shared);
            if Shared::is_here(shared) && state.load(Ordering::Relaxed) == PARKED {
                state.store(NOTIFIED, Ordering::Relaxed);
                Shared::hand_back(this);
            } else {
                Self::finish(this, NOTIFIED);
            }
        }
    }

    /// Wakes the waiter because its deadline has passed.
    ///
    /// # Safety
    /// As for `notify`.
    pub(crate) unsafe fn expire(this: *const Signal) -> bool {
        // SAFETY: alive by contract.
        unsafe { Self::finish(this, EXPIRED) }
    }

    #[inline]
    unsafe fn finish(this: *const Signal, to: u32) -> bool {
        // SAFETY: alive by contract until the state leaves EMPTY or PARKED.
        let (state, thread, shared) = unsafe { (&(*this).state, &(*this).thread, (*this).shared) };
        // A thread may run on the moment that it sees the new state, so its handle is taken before.
        let thread = thread.clone();
        // Release pairs with the acquire in `wait`.
        match state.compare_exchange(PARKED, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => match thread {
                Some(thread) => thread.unpark(),
                // SAFETY: the coroutine is parked and this call alone may wake it, so the signal lives until it is scheduled;
                // its worker lives as long as it has unfinished coroutines.
                None => unsafe { Shared::schedule(shared, this) },
            },
            Err(EMPTY) => {
                return match state.compare_exchange(EMPTY, to, Ordering::AcqRel, Ordering::Acquire)
                {
                    Ok(_) => {
                        if let Some(thread) = thread {
                            thread.unpark();
                        }
                        true
                    }
                    // It parked in between: this cannot go on for long, as it does so once.
                    // SAFETY: a failed exchange means that the waiter was not told yet by this call; it is alive by contract.
                    Err(PARKED) => unsafe { Self::finish(this, to) },
                    Err(_) => false,
                };
            }
            Err(_) => return false,
        }
        true
    }
}
