//! A coroutine's wait for work that somebody else does with what lies on its stack, and will tell the end of exactly once.
//!
//! # Protocol
//! A wait may end early (a cancellation, a time limit), and then begin anew: unlike a waiter in a list, this one cannot leave while the work
//! goes on, since the work uses its frame. So a signal, which is one-shot, is made for each wait, and the completion is the place where the
//! worker finds the present one. Whoever completes takes the signal and claims it under the lock; a wait that ends early takes its signal back
//! under the lock. So a signal is told only while its waiter waits, and when a waiter has seen `done` under the lock nobody touches the completion
//! any more, as the release of the lock was the last touch.

use std::ptr;

use crate::cancel::limit::Limit;
use crate::scheduler::lock::SpinLock;
use crate::scheduler::signal::Signal;

pub(crate) struct Completion {
    state: SpinLock<State>,
}

struct State {
    done: bool,
    waiter: *const Signal,
}

// SAFETY: the pointer is used under the lock, while its waiter waits, and signals may be told from any thread.
unsafe impl Send for State {}

impl Completion {
    /// # Panics
    /// Inside `no_suspend`: here, as nothing has been published yet that points to it.
    pub(crate) fn new() -> Completion {
        drop(Signal::new());
        Completion {
            state: SpinLock::new(State {
                done: false,
                waiter: ptr::null(),
            }),
        }
    }

    /// Tells the waiter. What was written before is seen by whoever learns of it.
    ///
    /// # Safety
    /// It is alive at the call, and may be gone once this has returned. Called once.
    pub(crate) unsafe fn complete(this: *const Completion) {
        // SAFETY: alive until the lock is released, as its owner looks at `done` under the lock before it goes.
        let mut state = unsafe { &*this }.state.lock();
        state.done = true;
        let waiter = std::mem::replace(&mut state.waiter, ptr::null());
        // SAFETY: a waiter takes itself away, under the lock, before it leaves.
        let wakeup = (!waiter.is_null()).then(|| unsafe { Signal::claim(waiter) });
        drop(state);
        if let Some(Some(wakeup)) = wakeup {
            wakeup.wake();
        }
    }

    /// Waits until it is complete (`true`) or the limit ends the wait.
    ///
    /// Never unwinds.
    pub(crate) fn wait(&self, limit: &Limit) -> bool {
        let signal = limit.signal();
        {
            let mut state = self.state.lock();
            if state.done {
                return true;
            }
            state.waiter = &raw const signal;
        }
        let withdraw = || {
            let mut state = self.state.lock();
            !std::mem::replace(&mut state.waiter, ptr::null()).is_null()
        };
        // The end of a limit that comes together with the completion makes the signal say no.
        limit.wait(&signal, withdraw);
        self.is_done()
    }

    /// Waits until it is complete, whatever happens.
    pub(crate) fn wait_out(&self) {
        let done = self.wait(&Limit::masked(None));
        debug_assert!(done);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.state.lock().done
    }
}
