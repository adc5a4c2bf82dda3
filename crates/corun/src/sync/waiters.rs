//! A first-in, first-out list of waiters that live on their own stacks, or in their pinned futures.
//!
//! # Invariants
//! - The list and the links belong to whoever holds the lock of the thing that is waited for.
//! - A node is linked from `push_*` until somebody unlinks it, once. Who unlinks it to serve it also claims its signal, under the same hold
//!   of the lock; who gives up unlinks it under the lock before it goes. So what is linked is alive.
//! - `granted` is set before the claim and taken back if the claim failed: a waiter whose deadline won reads it under the lock, one that
//!   was notified at any time.
//! - Whoever is woken may be foreign code (an async task's waker), so wake-ups are collected under the lock and run after it.
//!
//! Checked by the models of `tests/models/sync`.

use std::cell::Cell;
use std::marker::PhantomPinned;
use std::ptr;
use std::task::Waker;

use crate::cancel::limit::Limit;
use crate::primitive::constructor;
use crate::scheduler::signal::{Signal, Wakeup};

pub(crate) struct Waiter {
    pub(crate) signal: Signal,
    prev: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    linked: Cell<bool>,
    granted: Cell<bool>,
    /// What it waits for: a number whose meaning is that of the thing waited for.
    wants: Cell<usize>,
    _pinned: PhantomPinned,
}

// SAFETY: the number and the links are used under the lock of the list alone; the signal is `Send` and `Sync`.
unsafe impl Send for Waiter {}
// SAFETY: as above.
unsafe impl Sync for Waiter {}

impl Waiter {
    /// A waiter for the calling coroutine or thread.
    ///
    /// # Panics
    /// Inside `no_suspend`.
    #[inline]
    pub(crate) fn new(wants: usize, limit: &Limit) -> Waiter {
        // Only whoever unlinks the node ever notifies it.
        Waiter::with(wants, limit.signal())
    }

    /// A waiter for an async task.
    pub(crate) fn for_task(wants: usize, waker: &Waker) -> Waiter {
        Waiter::with(wants, Signal::for_task(waker))
    }

    fn with(wants: usize, signal: Signal) -> Waiter {
        Waiter {
            signal,
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            linked: Cell::new(false),
            granted: Cell::new(false),
            wants: Cell::new(wants),
            _pinned: PhantomPinned,
        }
    }

    pub(crate) fn wants(&self) -> usize {
        self.wants.get()
    }

    /// Under the lock of the list, or before it is linked.
    pub(crate) fn set_wants(&self, wants: usize) {
        self.wants.set(wants);
    }

    /// To be asked under the lock of the list.
    pub(crate) fn is_linked(&self) -> bool {
        self.linked.get()
    }

    /// Has it got what it waits for? To be asked under the lock of the list, or after the notification.
    pub(crate) fn is_granted(&self) -> bool {
        self.granted.get()
    }
}

pub(crate) struct Waiters {
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: the nodes are `Send` and `Sync`.
unsafe impl Send for Waiters {}

impl Waiters {
    pub(crate) const fn new() -> Waiters {
        Waiters {
            first: ptr::null(),
            last: ptr::null(),
        }
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_null()
    }

    /// What the first one wants.
    #[inline]
    pub(crate) fn first_wants(&self) -> Option<usize> {
        // SAFETY: linked nodes are alive.
        unsafe { self.first.as_ref() }.map(Waiter::wants)
    }

    pub(crate) fn is_first(&self, waiter: &Waiter) -> bool {
        ptr::eq(self.first, waiter)
    }

    /// # Safety
    /// The waiter must be in no list, and stay where it is until it was unlinked.
    pub(crate) unsafe fn push_back(&mut self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.next.set(ptr::null());
        waiter.prev.set(self.last);
        // SAFETY: linked nodes are alive.
        match unsafe { self.last.as_ref() } {
            Some(last) => last.next.set(waiter),
            None => self.first = waiter,
        }
        self.last = waiter;
    }

    /// # Safety
    /// As for `push_back`.
    pub(crate) unsafe fn push_front(&mut self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.prev.set(ptr::null());
        waiter.next.set(self.first);
        // SAFETY: linked nodes are alive.
        match unsafe { self.first.as_ref() } {
            Some(first) => first.prev.set(waiter),
            None => self.last = waiter,
        }
        self.first = waiter;
    }

    /// Unlinks a waiter, if it is in the list. Returns whether it was.
    pub(crate) fn remove(&mut self, waiter: &Waiter) -> bool {
        if !waiter.linked.replace(false) {
            return false;
        }
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        // SAFETY: linked nodes are alive.
        unsafe {
            match prev.as_ref() {
                Some(prev) => prev.next.set(next),
                None => self.first = next,
            }
            match next.as_ref() {
                Some(next) => next.prev.set(prev),
                None => self.last = prev,
            }
        }
        true
    }

    /// Unlinks the first waiter and claims it, having granted it what it waits for. `None` if its time was up at the same moment, or there is
    /// none: see `is_empty`.
    pub(crate) fn grant_first(&mut self) -> Option<Wakeup> {
        self.claim_first(true)
    }

    /// As `grant_first`, for one that is merely to look again.
    pub(crate) fn call_first(&mut self) -> Option<Wakeup> {
        self.claim_first(false)
    }

    fn claim_first(&mut self, granted: bool) -> Option<Wakeup> {
        // SAFETY: linked nodes are alive. If it gives up it takes the lock, which the caller has, before it goes.
        unsafe {
            let first = self.first.as_ref()?;
            self.remove(first);
            first.granted.set(granted);
            let wakeup = Signal::claim(&raw const first.signal);
            if wakeup.is_none() {
                first.granted.set(false);
            }
            wakeup
        }
    }

    /// As `grant_first` for the first one whose time is not up.
    pub(crate) fn grant_next(&mut self) -> Option<Wakeup> {
        while !self.is_empty() {
            let wakeup = self.grant_first();
            if wakeup.is_some() {
                return wakeup;
            }
        }
        None
    }
}

/// Wake-ups on their way out of a lock. Those that do not fit wait for the next hold of the lock.
pub(crate) struct Batch {
    wakeups: [Option<Wakeup>; Batch::ROOM],
    next: usize,
    count: usize,
}

impl Batch {
    const ROOM: usize = 12;

    constructor! {
        pub(crate) fn new() -> Batch {
            Batch {
                wakeups: [const { None }; Batch::ROOM],
                next: 0,
                count: 0,
            }
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count == Batch::ROOM
    }

    pub(crate) fn push(&mut self, wakeup: Wakeup) {
        self.wakeups[self.count] = Some(wakeup);
        self.count += 1;
    }

    pub(crate) fn extend(&mut self, wakeup: Option<Wakeup>) {
        if let Some(wakeup) = wakeup {
            self.push(wakeup);
        }
    }

    /// Wakes all, in order. Not to be called under a lock.
    pub(crate) fn wake(mut self) {
        self.run();
    }

    fn run(&mut self) {
        while self.next < self.count {
            let wakeup = self.wakeups[self.next].take();
            self.next += 1;
            if let Some(wakeup) = wakeup {
                wakeup.wake();
            }
        }
    }
}

/// If a waker panics, the others are woken nevertheless.
impl Drop for Batch {
    fn drop(&mut self) {
        self.run();
    }
}

/// Runs `collect` under a lock again and again, and what it collects after each time, until it says that there is nothing left.
pub(crate) fn wake_in_batches(mut collect: impl FnMut(&mut Batch) -> bool) {
    loop {
        let mut batch = Batch::new();
        let more = collect(&mut batch);
        batch.wake();
        if !more {
            return;
        }
    }
}
