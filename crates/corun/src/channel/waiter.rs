//! Who waits at a channel: a node on the waiter's own stack (or in its pinned future), and the lists that link such nodes.
//!
//! # Invariants
//! - Everything here is guarded by the lock of the channel at which the node stands, but for [`Party`], which is atomic because its nodes
//!   stand at several channels.
//! - Whoever takes a node out of a list (or finds it among the claimed ones) decides its outcome: it transfers the value, sets `state`,
//!   and claims the signal, in this order and under the lock. From then on the node may be gone.
//! - A node is alive while it is linked: its owner leaves only after it has seen the outcome, or after it has unlinked the node itself
//!   under the lock.
//! - The nodes of one select share one party. The first to move the party away from [`OPEN`] wins; the other nodes are dead from then on,
//!   and whoever meets a dead node just unlinks it.

use std::cell::Cell;
use std::ptr;

use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::scheduler::signal::{Signal, Wakeup};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    /// In no list; nothing has happened.
    Idle,
    /// In the list of its role.
    Waiting,
    /// A receiver to whom a select has committed itself without having its message yet: among the others.
    Claimed,
    /// The value has changed hands; a select's send has got room, or a ticket of a receiver.
    Done,
    /// The channel was closed, or all parties of the other side are gone.
    Closed,
    /// Who had claimed the receiver gave up: try again, as the first.
    Retry,
}

/// What a node waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    Send,
    Receive,
    /// Only to learn that a send, or a receive, would not have to wait.
    WatchSend,
    WatchReceive,
}

/// The party has not been decided.
const OPEN: u32 = u32::MAX;
/// Its owner goes on by itself: it saw that an arm is ready, or its time is up.
const ABORTED: u32 = u32::MAX - 1;

/// What the nodes of one select share.
pub struct Party(AtomicU32);

impl Party {
    pub(super) fn new() -> Party {
        Party(AtomicU32::new(OPEN))
    }

    /// Decides for an arm, or learns that the party is decided.
    fn decide(&self, arm: u32) -> bool {
        // The winner's other writes are published by the signal; the owner's own abort needs none.
        self.0
            .compare_exchange(OPEN, arm, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }

    /// Called by the owner: nobody decides any more.
    pub(super) fn abort(&self) -> bool {
        self.decide(ABORTED)
    }

    /// The arm that it was decided for, if any.
    pub(super) fn decided(&self) -> Option<u32> {
        let arm = self.0.load(Ordering::Acquire);
        (arm != OPEN && arm != ABORTED).then_some(arm)
    }

    fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPEN
    }
}

pub struct Waiter {
    prev: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    signal: Cell<*const Signal>,
    /// Where the value lies, or goes to; null for a select's send, which has no message yet.
    pub(super) slot: *mut u8,
    /// Null for an operation that stands alone.
    party: *const Party,
    arm: u32,
    /// What a claimed receiver and the select that claimed it know each other by; zero is none.
    pub(super) ticket: Cell<u32>,
    pub(super) state: Cell<State>,
    pub(super) role: Role,
}

impl Waiter {
    /// For one operation by itself.
    #[inline(always)]
    pub(super) fn alone(role: Role, signal: &Signal, slot: *mut u8) -> Waiter {
        Waiter {
            signal: Cell::new(signal),
            slot,
            ..Waiter::nobody(role)
        }
    }

    /// For nobody, until it is replaced.
    #[inline(always)]
    pub(super) fn nobody(role: Role) -> Waiter {
        Waiter {
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            signal: Cell::new(ptr::null()),
            slot: ptr::null_mut(),
            party: ptr::null(),
            arm: 0,
            ticket: Cell::new(0),
            state: Cell::new(State::Idle),
            role,
        }
    }

    /// For the arm of a select.
    #[inline(always)]
    pub(super) fn arm(
        role: Role,
        signal: &Signal,
        slot: *mut u8,
        party: &Party,
        arm: u32,
    ) -> Waiter {
        Waiter {
            party,
            arm,
            ..Waiter::alone(role, signal, slot)
        }
    }

    /// To be asked by its owner.
    pub(super) fn has_sole_signal(&self) -> bool {
        // SAFETY: the owner's signal outlives its wait.
        unsafe { (*self.signal.get()).is_sole() }
    }

    /// From now on it waits with another signal, which outlives it. Called under the lock, by its owner.
    pub(super) fn wait_with(&self, signal: &Signal) {
        self.signal.set(signal);
    }

    /// Stands it alone, for an operation that is sure to be done?
    #[inline(always)]
    pub(super) fn is_plain(&self) -> bool {
        self.party.is_null()
    }

    pub(super) fn is_of(&self, party: *const Party) -> bool {
        ptr::eq(self.party, party)
    }

    /// Has it not been decided elsewhere? To be asked of linked nodes only.
    pub(super) fn is_open(&self) -> bool {
        // SAFETY: the party lives as long as its nodes are linked.
        self.party.is_null() || unsafe { (*self.party).is_open() }
    }

    /// Wins the right to decide the outcome of this node, which was just unlinked under the lock.
    #[inline(always)]
    pub(super) fn win(&self) -> bool {
        // SAFETY: the owner needs the lock, which the caller holds, to make sure that the node is unlinked; so its party is there.
        self.party.is_null() || unsafe { (*self.party).decide(self.arm) }
    }

    /// Tells the outcome. `None` if the waiter is awake already, as its time is up: it looks at the state under the lock.
    ///
    /// # Safety
    /// The caller has the lock, has won the node, and does not touch it afterwards.
    #[inline(always)]
    pub(super) unsafe fn finish(this: *const Waiter, state: State) -> Option<Wakeup> {
        // SAFETY: a node that was won is alive until its signal is claimed.
        unsafe {
            (*this).state.set(state);
            Signal::claim((*this).signal.get())
        }
    }
}

/// A list of waiters, first in, first out: a ring, of which only the first node is known.
pub(super) struct Queue(Cell<*const Waiter>);

impl Queue {
    pub(super) fn new() -> Queue {
        Queue(Cell::new(ptr::null()))
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.get().is_null()
    }

    /// Links a waiter as the last one.
    ///
    /// # Safety
    /// The waiter must stay where it is until it is unlinked.
    #[inline(always)]
    pub(super) unsafe fn push_back(&self, waiter: &Waiter) {
        let first = self.0.get();
        if first.is_null() {
            waiter.prev.set(waiter);
            waiter.next.set(waiter);
            self.0.set(waiter);
        } else {
            // SAFETY: linked nodes are alive.
            unsafe {
                let last = (*first).prev.get();
                waiter.prev.set(last);
                waiter.next.set(first);
                (*last).next.set(waiter);
                (*first).prev.set(waiter);
            }
        }
    }

    /// Links a waiter as the first one.
    ///
    /// # Safety
    /// As for `push_back`.
    pub(super) unsafe fn push_front(&self, waiter: &Waiter) {
        // SAFETY: as the caller promises.
        unsafe { self.push_back(waiter) };
        self.0.set(waiter);
    }

    /// Unlinks a waiter that is in this list.
    pub(super) fn remove(&self, waiter: &Waiter) {
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        if ptr::eq(next, waiter) {
            self.0.set(ptr::null());
            return;
        }
        // SAFETY: linked nodes are alive.
        unsafe {
            (*prev).next.set(next);
            (*next).prev.set(prev);
        }
        if ptr::eq(self.0.get(), waiter) {
            self.0.set(next);
        }
    }

    /// Unlinks the first waiter that was not decided elsewhere, and wins it. What it meets on the way is dead, and unlinked as well.
    #[inline(always)]
    pub(super) fn win_first(&self) -> Option<&Waiter> {
        loop {
            // SAFETY: linked nodes are alive, and one that was won stays so until its outcome is told.
            let first = unsafe { self.0.get().as_ref()? };
            self.remove(first);
            first.state.set(State::Idle);
            if first.win() {
                return Some(first);
            }
        }
    }

    /// The first waiter.
    pub(super) fn first(&self) -> Option<&Waiter> {
        // SAFETY: linked nodes are alive.
        unsafe { self.0.get().as_ref() }
    }

    /// The first waiter of whom `wanted` holds.
    pub(super) fn find(&self, wanted: impl Fn(&Waiter) -> bool) -> Option<&Waiter> {
        let first = self.first()?;
        let mut waiter = first;
        loop {
            if wanted(waiter) {
                return Some(waiter);
            }
            // SAFETY: linked nodes are alive.
            waiter = unsafe { &*waiter.next.get() };
            if ptr::eq(waiter, first) {
                return None;
            }
        }
    }
}
