//! A first-in, first-out list of waiters that live on their own stacks.

use std::cell::Cell;
use std::ptr;
use std::task::Waker;

use crate::cancel::limit::Limit;
use crate::primitive::atomic::{AtomicPtr, Ordering};
use crate::scheduler::signal::{Signal, Wakeup};

/// One waiting coroutine or async task: pinned on its stack, or in its future, from the time it is linked until it is unlinked.
pub(super) struct Waiter {
    pub(super) signal: Signal,
    prev: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    linked: Cell<bool>,
    /// Set by the waker, under the entry's lock, before it notifies: the waiter has its turn.
    granted: Cell<bool>,
}

impl Waiter {
    /// A waiter for somebody who waits within `limit`.
    pub(super) fn new(limit: &Limit) -> Waiter {
        // Who unlinks it, under the entry's lock, notifies it.
        Waiter::with(limit.signal())
    }

    /// A waiter for an async task.
    pub(super) fn for_task(waker: &Waker) -> Waiter {
        Waiter::with(Signal::for_task(waker))
    }

    #[inline]
    fn with(signal: Signal) -> Waiter {
        Waiter {
            signal,
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

/// The waiters of one direction of one descriptor; guarded by the entry's lock, but for `hint`.
pub(super) struct WaitList {
    /// Atomic for the sake of `hint` alone.
    head: AtomicPtr<Waiter>,
    tail: Cell<*const Waiter>,
}

impl WaitList {
    pub(super) fn new() -> WaitList {
        WaitList {
            head: AtomicPtr::new(ptr::null_mut()),
            tail: Cell::new(ptr::null()),
        }
    }

    #[inline]
    fn head(&self) -> *const Waiter {
        self.head.load(Ordering::Relaxed)
    }

    #[inline]
    fn set_head(&self, head: *const Waiter) {
        self.head.store(head.cast_mut(), Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head().is_null()
    }

    /// The first waiter if there is one, or was: to be read without the lock, and never to be looked into.
    #[inline]
    pub(super) fn hint(&self) -> *const Waiter {
        self.head()
    }

    /// Links a waiter at the end.
    ///
    /// # Safety
    /// The waiter must stay where it is until it was popped or removed.
    pub(super) unsafe fn push_back(&self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.next.set(ptr::null());
        waiter.prev.set(self.tail.get());
        if self.tail.get().is_null() {
            self.set_head(waiter);
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*self.tail.get()).next.set(waiter) };
        }
        self.tail.set(waiter);
    }

    /// Links a waiter before all others.
    ///
    /// # Safety
    /// As for `push_back`.
    pub(super) unsafe fn push_front(&self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.prev.set(ptr::null());
        waiter.next.set(self.head());
        if self.head().is_null() {
            self.tail.set(waiter);
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*self.head()).prev.set(waiter) };
        }
        self.set_head(waiter);
    }

    /// Unlinks a waiter that is in this list.
    pub(super) fn remove(&self, waiter: &Waiter) {
        debug_assert!(waiter.linked.get());
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        if prev.is_null() {
            self.set_head(next);
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*prev).next.set(next) };
        }
        if next.is_null() {
            self.tail.set(prev);
        } else {
            // SAFETY: linked nodes are alive.
            unsafe { (*next).prev.set(prev) };
        }
        waiter.linked.set(false);
    }

    /// Unlinks the first waiter, of whom there is one, and gives it its turn. It is to be woken after the entry is unlocked. `None` if it had
    /// given up at the same time.
    #[inline]
    pub(super) fn grant_first(&self) -> Option<Wakeup> {
        let waiter = self.head();
        debug_assert!(!waiter.is_null());
        // SAFETY: it is linked, hence alive; if it gives up it needs the entry's lock, which the caller holds, before it goes away. Once it is
        // claimed it does not run before it is woken, or else it looks at the entry, and for that waits for the lock.
        unsafe {
            self.remove(&*waiter);
            (*waiter).granted.set(true);
            let wakeup = Signal::claim(&raw const (*waiter).signal);
            if wakeup.is_none() {
                (*waiter).granted.set(false);
            }
            wakeup
        }
    }
}
