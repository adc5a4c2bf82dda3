//! Waiting for a block, as a coroutine or thread and as an async task; and waking those who do. The invariants are those of `block.rs`.

use std::ptr;
use std::task::Waker;
use std::time::Instant;

use super::block::{Block, PENDING};
use crate::cancel::limit::Limit;
use crate::inspect::points;
use crate::primitive::atomic::Ordering;
use crate::scheduler;
use crate::scheduler::signal::Wakeup;
use crate::sync::waiters::{Waiter, wake_in_batches};

impl<T, E> Block<T, E> {
    /// Wakes the `first`, who was taken out of the list under the lock, and the others. For whoever has completed the block.
    #[inline(never)]
    pub(super) fn wake_all(&self, mut first: Option<Wakeup>) {
        wake_in_batches(|batch| {
            batch.extend(first.take());
            let mut inner = self.lock();
            // SAFETY: this is who has completed the block, and callbacks come after.
            let waiters = unsafe { inner.waiters() };
            while !waiters.is_empty() {
                if batch.is_full() {
                    return true;
                }
                batch.extend(waiters.call_first());
            }
            false
        });
    }

    /// Waits until it is complete, or until `deadline`. Returns whether it is.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        if self.is_complete() {
            scheduler::safepoint();
            return true;
        }
        let limit = Limit::new(deadline);
        let waiter = Waiter::new(0, &limit);
        let mut inner = self.lock();
        if self.phase.load(Ordering::Relaxed) != PENDING {
            return true;
        }
        // SAFETY: the block is pending. The waiter stays in this frame until it was unlinked: by whoever completes the block, or below.
        unsafe { inner.waiters().push_back(&waiter) };
        drop(inner);
        points::future_pending(ptr::from_ref(self).addr());
        let mut left = false;
        let told = limit.wait(&waiter.signal, || {
            left = self.lock().remove(&waiter);
            left
        });
        if told || !left {
            return true;
        }
        limit.expired();
        false
    }
}

/// The waiter of an async task.
pub(super) struct TaskWaiter(Option<Waiter>);

impl TaskWaiter {
    pub(super) fn new() -> TaskWaiter {
        TaskWaiter(None)
    }

    /// Is the block complete? If not, the task will be woken when it is.
    ///
    /// # Safety
    /// It is always the same block. `self` stays where it is from now on until `leave` was called.
    pub(super) unsafe fn poll<T, E>(&mut self, block: &Block<T, E>, waker: &Waker) -> bool {
        if block.is_complete() {
            return true;
        }
        // Cloned and dropped without the lock, as it is foreign code.
        let mut newest = waker.clone();
        let fresh = self.0.is_none();
        let waiter = self.0.get_or_insert_with(|| Waiter::for_task(0, waker));
        let mut inner = block.lock();
        if block.phase.load(Ordering::Relaxed) != PENDING {
            return true;
        }
        if fresh {
            // SAFETY: the block is pending; the rest by the contract.
            unsafe { inner.waiters().push_back(waiter) };
        } else {
            // SAFETY: under the lock of the list.
            unsafe { waiter.signal.poll(&mut newest) };
        }
        drop(inner);
        if fresh {
            points::future_pending(ptr::from_ref(block).addr());
        }
        false
    }

    /// Unlinks the waiter, if it is linked.
    pub(super) fn leave<T, E>(&mut self, block: &Block<T, E>) {
        if let Some(waiter) = &self.0 {
            block.lock().remove(waiter);
            self.0 = None;
        }
    }
}
