//! A lock that whoever holds it may take again, as those of standard output in std: so that a function that prints may be called by one that has
//! locked the output.
//!
//! The holder is a coroutine, which is suspended inside with the lock held, or a plain thread; others wait in order. Within, a `RefCell` tells one user
//! of the value from another of the same holder's.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::coroutine::current;
use crate::sync::Semaphore;

pub(super) struct Reentrant<T> {
    turn: Semaphore,
    /// The id of the holder's coroutine or thread; 0: nobody. Only the holder itself ever finds its own id here.
    holder: AtomicU64,
    /// How many guards the holder has. For the holder alone.
    depth: Cell<usize>,
    value: RefCell<T>,
}

// SAFETY: `depth` and `value` are used by the holder of the one permit alone.
unsafe impl<T: Send> Sync for Reentrant<T> {}

/// Stays with the coroutine or thread that has locked.
pub(super) struct Guard<'a, T> {
    lock: &'a Reentrant<T>,
    stays: PhantomData<*const ()>,
}

impl<T> Reentrant<T> {
    pub(super) fn new(value: T) -> Reentrant<T> {
        Reentrant {
            turn: Semaphore::new(1),
            holder: AtomicU64::new(0),
            depth: Cell::new(0),
            value: RefCell::new(value),
        }
    }

    pub(super) fn lock(&self) -> Guard<'_, T> {
        let me = current().id().get().get();
        // Relaxed: an id that is mine was stored by me.
        if self.holder.load(Ordering::Relaxed) != me {
            let permit = self.turn.acquire().expect("it is never closed");
            permit.forget();
            self.holder.store(me, Ordering::Relaxed);
        }
        self.guard()
    }

    /// As `lock`, if nobody holds it.
    pub(super) fn try_lock(&self) -> Option<Guard<'_, T>> {
        self.turn.try_acquire().ok()?.forget();
        let me = current().id().get().get();
        self.holder.store(me, Ordering::Relaxed);
        Some(self.guard())
    }

    fn guard(&self) -> Guard<'_, T> {
        self.depth.set(self.depth.get() + 1);
        Guard {
            lock: self,
            stays: PhantomData,
        }
    }
}

impl<T> Guard<'_, T> {
    pub(super) fn value(&self) -> &RefCell<T> {
        &self.lock.value
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        let depth = self.lock.depth.get() - 1;
        self.lock.depth.set(depth);
        if depth == 0 {
            self.lock.holder.store(0, Ordering::Relaxed);
            self.lock.turn.add_permits(1);
        }
    }
}
