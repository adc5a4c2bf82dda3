//! The future of a [`Semaphore`]'s permits.

use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::semaphore::{AcquireError, Permit, Semaphore};
use super::waiters::Waiter;
use crate::scheduler;

/// Permits of a [`Semaphore`], for an async task to wait for: what [`Semaphore::acquire_async`] and its kin return.
#[must_use = "futures do nothing unless they are polled"]
pub struct Acquire<S: Deref<Target = Semaphore>> {
    /// `None` when it has been polled to its end.
    semaphore: Option<S>,
    count: u32,
    /// Linked, or served, or told that the semaphore was closed.
    waiter: Option<Waiter>,
}

impl<S: Deref<Target = Semaphore>> Acquire<S> {
    pub(super) fn new(semaphore: S, count: u32) -> Acquire<S> {
        Acquire {
            semaphore: Some(semaphore),
            count,
            waiter: None,
        }
    }
}

impl<S: Deref<Target = Semaphore>> Future for Acquire<S> {
    type Output = Result<Permit<S>, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: only the waiter must not move, and it does not while it is linked.
        let this = unsafe { self.get_unchecked_mut() };
        let Some(semaphore) = &this.semaphore else {
            panic!("a future was polled after its end");
        };
        let taken = match &this.waiter {
            None => {
                let waiter = this
                    .waiter
                    .insert(Waiter::for_task(this.count as usize, cx.waker()));
                // SAFETY: the future is pinned, and unlinks the waiter when it is dropped.
                unsafe { semaphore.take_or_link(waiter) }
            }
            Some(waiter) => {
                // Cloned and dropped without the lock, as it is foreign code.
                let mut waker = cx.waker().clone();
                semaphore
                    // SAFETY: under the lock of the list.
                    .with_lock(|| unsafe { waiter.signal.poll(&mut waker) })
                    .then(|| Semaphore::outcome(waiter))
            }
        };
        let Some(taken) = taken else {
            return Poll::Pending;
        };
        this.waiter = None;
        match this.semaphore.take() {
            Some(semaphore) => Poll::Ready(taken.map(|()| Permit::new(semaphore, this.count))),
            None => unreachable!("it was there above"),
        }
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Acquire<S> {
    fn drop(&mut self) {
        if let (Some(semaphore), Some(waiter)) = (&self.semaphore, &self.waiter) {
            semaphore.unlink(waiter);
        }
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for Acquire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("count", &self.count)
            .finish_non_exhaustive()
    }
}
