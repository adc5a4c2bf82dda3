//! The lock of [`RwLock`](super::RwLock) without the data.
//!
//! # Policy
//! Strictly first come, first served: who finds others waiting waits behind them. So a waiting writer stops new readers, and no writer starves;
//! readers that wait one behind the other are let in together, and no reader starves either. The lock is handed over directly: who is woken has it.
//!
//! # Invariants
//! All under one spin lock, held for a few instructions:
//! - there are readers, or a writer, or neither;
//! - the first waiter is one who could not be let in as things stand: whatever changes that (an unlock, a waiter in front that gives up)
//!   lets in all who can be, in order, before the lock is used again.
//!
//! # Rejected
//! - Everything in one atomic word, with barging as for the mutex: a reader costs the same two exchanges, and writers need a
//!   policy against starvation, which is the hard part.
//!
//! Checked by the models of `tests/models/sync/rwlock.rs`.

use super::waiters::{Batch, Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::primitive::constructor;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

/// What a waiter wants.
const READ: usize = 0;
const WRITE: usize = 1;

pub(super) struct RawRwLock {
    state: SpinLock<State>,
}

struct State {
    readers: usize,
    writer: bool,
    waiters: Waiters,
}

impl State {
    #[inline]
    fn has_room_for(&self, wants: usize) -> bool {
        !self.writer && (wants == READ || self.readers == 0)
    }

    #[inline]
    fn enter(&mut self, wants: usize) {
        if wants == READ {
            self.readers += 1;
        } else {
            self.writer = true;
        }
    }

    #[inline]
    fn try_enter(&mut self, wants: usize) -> bool {
        let enters = self.waiters.is_empty() && self.has_room_for(wants);
        if enters {
            self.enter(wants);
        }
        enters
    }

    /// Lets in those at the front who can be. Returns whether there are more than the batch takes.
    fn let_in(&mut self, batch: &mut Batch) -> bool {
        while let Some(wants) = self.waiters.first_wants()
            && self.has_room_for(wants)
        {
            if batch.is_full() {
                return true;
            }
            if let Some(wakeup) = self.waiters.grant_first() {
                self.enter(wants);
                batch.push(wakeup);
            }
        }
        false
    }
}

impl RawRwLock {
    constructor! {
        pub(super) fn new() -> RawRwLock {
            RawRwLock {
                state: SpinLock::new(State {
                    readers: 0,
                    writer: false,
                    waiters: Waiters::new(),
                }),
            }
        }
    }

    #[inline]
    pub(super) fn read(&self) {
        self.enter(READ);
    }

    #[inline]
    pub(super) fn write(&self) {
        self.enter(WRITE);
    }

    #[inline]
    pub(super) fn try_read(&self) -> bool {
        scheduler::safepoint();
        self.state.lock().try_enter(READ)
    }

    #[inline]
    pub(super) fn try_write(&self) -> bool {
        scheduler::safepoint();
        self.state.lock().try_enter(WRITE)
    }

    /// # Safety
    /// The caller is a reader.
    #[inline]
    pub(super) unsafe fn unlock_read(&self) {
        let mut state = self.state.lock();
        state.readers -= 1;
        let left = state.readers == 0 && !state.waiters.is_empty();
        drop(state);
        if left {
            self.let_in();
        }
    }

    /// # Safety
    /// The caller is the writer.
    #[inline]
    pub(super) unsafe fn unlock_write(&self) {
        let mut state = self.state.lock();
        state.writer = false;
        let left = !state.waiters.is_empty();
        drop(state);
        if left {
            self.let_in();
        }
    }

    /// The writer becomes a reader.
    ///
    /// # Safety
    /// The caller is the writer.
    pub(super) unsafe fn downgrade(&self) {
        let mut state = self.state.lock();
        state.writer = false;
        state.readers = 1;
        drop(state);
        self.let_in();
    }

    #[cold]
    #[inline(never)]
    fn let_in(&self) {
        wake_in_batches(|batch| self.state.lock().let_in(batch));
    }

    #[inline]
    fn enter(&self, wants: usize) {
        // Before: who gives way while it is inside makes the others queue up.
        scheduler::safepoint();
        if !self.state.lock().try_enter(wants) {
            self.wait(wants);
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, wants: usize) {
        loop {
            let limit = Limit::new(None);
            let waiter = Waiter::new(wants, &limit);
            {
                let mut state = self.state.lock();
                if state.try_enter(wants) {
                    return;
                }
                // SAFETY: the waiter stays in this frame until it was unlinked: by whoever lets it in, or below.
                unsafe { state.waiters.push_back(&waiter) };
            }
            let leave = || self.state.lock().waiters.remove(&waiter);
            if limit.wait(&waiter.signal, leave) {
                return;
            }
            // It may have stood before others who can be let in.
            self.let_in();
            limit.expired();
        }
    }
}
