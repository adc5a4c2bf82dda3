//! A first-in, first-out list of waiters that live on their own stacks.

use std::cell::Cell;
use std::ptr;

use crate::scheduler::signal::Signal;

/// One waiting coroutine: pinned on its stack from the time it is linked until it is unlinked.
pub(super) struct Waiter {
    pub(super) signal: Signal,
    prev: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    linked: Cell<bool>,
    /// Set by the waker, under the entry's lock, before it notifies: the waiter has its turn.
    granted: Cell<bool>,
}

impl Waiter {
    pub(super) fn new() -> Waiter {
        Waiter {
            signal: Signal::new(),
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            linked: Cell::new(false),
            granted: Cell::new(false),
        }
    }

    /// Whether it is in a list. To be asked under the entry's lock.
    pub(super) fn is_linked(&self) -> bool {
        self.linked.get()
    }

    /// Whether its turn has come. To be asked under the entry's lock, or after the notification.
    pub(super) fn is_granted(&self) -> bool {
        self.granted.get()
    }
}

/// The waiters of one direction of one descriptor; guarded by the entry's lock.
pub(super) struct WaitList {
    head: *const Waiter,
    tail: *const Waiter,
}

// SAFETY: the list is only touched under its entry's lock, and the nodes' links likewise.
unsafe impl Send for WaitList {}

impl WaitList {
    pub(super) const fn new() -> WaitList {
        WaitList {
            head: ptr::null(),
            tail: ptr::null(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Links a waiter at the end.
    ///
    /// # Safety
    /// The waiter must stay where it is until it was popped or removed.
    pub(super) unsafe fn push_back(&mut self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.next.set(ptr::null());
        waiter.prev.set(self.tail);
        if self.tail.is_null() {
            self.head = waiter;
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*self.tail).next.set(waiter) };
        }
        self.tail = waiter;
    }

    /// Links a waiter before all others.
    ///
    /// # Safety
    /// As for `push_back`.
    pub(super) unsafe fn push_front(&mut self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.prev.set(ptr::null());
        waiter.next.set(self.head);
        if self.head.is_null() {
            self.tail = waiter;
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*self.head).prev.set(waiter) };
        }
        self.head = waiter;
    }

    /// Unlinks a waiter that is in this list.
    pub(super) fn remove(&mut self, waiter: &Waiter) {
        debug_assert!(waiter.linked.get());
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        if prev.is_null() {
            self.head = next;
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*prev).next.set(next) };
        }
        if next.is_null() {
            self.tail = prev;
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*next).prev.set(prev) };
        }
        waiter.linked.set(false);
    }

    /// The first waiter, which stays linked.
    pub(super) fn first(&self) -> Option<&Waiter> {
        // SAFETY: linked nodes are alive, and stay so while the entry's lock is held.
        unsafe { self.head.as_ref() }
    }

    /// Whether exactly one waiter is linked.
    pub(super) fn is_single(&self) -> bool {
        !self.head.is_null() && self.head == self.tail
    }

    /// Unlinks the first waiter, gives it its turn and wakes it. `false` if it had given up at the same time.
    ///
    /// # Panics
    /// If the list is empty.
    pub(super) fn grant_first(&mut self) -> bool {
        let waiter: *const Waiter = self.first().expect("a waiter");
        // SAFETY: it is linked, hence alive; if it gives up it needs the entry's lock, which the caller holds, before it goes away.
        unsafe {
            self.remove(&*waiter);
            (*waiter).granted.set(true);
            // Once notified it may be gone, so nothing of it is touched after that.
            if Signal::notify(&raw const (*waiter).signal) {
                return true;
            }
            (*waiter).granted.set(false);
        }
        false
    }
}
