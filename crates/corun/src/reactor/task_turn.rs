//! Waiting for one's turn at a descriptor as an async task: the protocol is that of `entry.rs`.
//!
//! The node lies in the future, which is pinned while it is linked. Others reach it under the entry's lock, even while there is a `&mut` to
//! the future; that is what `PhantomPinned` allows. A future that is dropped unlinks its node under the lock; if it had the turn by then, it
//! gives it on.

use std::cell::UnsafeCell;
use std::marker::PhantomPinned;
use std::mem;
use std::task::Waker;

use super::entry::{Direction, Entry, Refusal, Seen};
use super::wait_list::Waiter;

/// The place of one operation of a task in the order of its direction.
pub(super) struct TaskTurn<'a> {
    entry: &'a Entry,
    direction: Direction,
    /// It is this operation's turn, to be given on.
    mine: bool,
    /// In a list, or taken out of it by whoever gave it the turn.
    linked: bool,
    waiter: UnsafeCell<Option<Waiter>>,
    _pinned: PhantomPinned,
}

// SAFETY: others touch the waiter under the entry's lock only; it may be linked from one thread and unlinked from another.
unsafe impl Send for TaskTurn<'_> {}
// SAFETY: a shared reference gives access to nothing.
unsafe impl Sync for TaskTurn<'_> {}

impl<'a> TaskTurn<'a> {
    pub(super) fn new(entry: &'a Entry, direction: Direction) -> TaskTurn<'a> {
        TaskTurn {
            entry,
            direction,
            mine: false,
            linked: false,
            waiter: UnsafeCell::new(None),
            _pinned: PhantomPinned,
        }
    }

    pub(super) fn entry(&self) -> &'a Entry {
        self.entry
    }

    fn waiter(&self) -> Option<&Waiter> {
        // SAFETY: it is replaced by `wait` alone, when it is in no list, and through a `&mut`.
        unsafe { (*self.waiter.get()).as_ref() }
    }

    /// It has been waiting: has its turn come? If not, `waker` is told when it does.
    pub(super) fn poll(&mut self, waker: &Waker) -> Option<Seen> {
        // Cloned, and the old one dropped, without the lock: it is foreign code.
        let mut newest = waker.clone();
        let waiter = self.waiter().filter(|_| self.linked)?;
        if !self.entry.has_come(waiter, &mut newest) {
            return None;
        }
        self.linked = false;
        self.mine = true;
        Some(self.entry.seen())
    }

    /// The operation would block: begins to wait; or returns the state, because it may be tried again at once. Who has the turn gives it up by
    /// that, and goes before all others.
    ///
    /// # Safety
    /// The value must stay where it is from now on, until it is dropped.
    pub(super) unsafe fn wait(&mut self, waker: &Waker) -> Result<Option<Seen>, Refusal> {
        debug_assert!(!self.linked);
        // SAFETY: it is in no list, so nobody else knows it.
        let waiter = unsafe { (*self.waiter.get()).insert(Waiter::for_task(waker)) };
        // SAFETY: it stays where it is, and is taken out of the list before it goes.
        let seen = unsafe { self.entry.enqueue_task(self.direction, waiter, self.mine)? };
        if seen.is_none() {
            self.mine = false;
            self.linked = true;
        }
        Ok(seen)
    }

    /// The operation is done; `drained` if it returned a short count.
    pub(super) fn finish(&mut self, drained: Option<Seen>) {
        if mem::take(&mut self.mine) {
            self.entry.release(self.direction, drained);
        } else if let Some(seen) = drained {
            self.entry.drained(self.direction, seen);
        }
    }

    /// Is it waiting?
    pub(super) fn is_linked(&self) -> bool {
        self.linked
    }
}

impl Drop for TaskTurn<'_> {
    fn drop(&mut self) {
        if self.entry.is_stale() {
            return;
        }
        match self.waiter() {
            Some(waiter) if self.linked => self.entry.dequeue(self.direction, waiter),
            _ => self.finish(None),
        }
    }
}
