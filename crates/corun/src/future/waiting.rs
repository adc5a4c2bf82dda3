//! Waiting for a future as an async task.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waits::TaskWaiter;
use crate::scheduler;

pub(super) mod sealed {
    use crate::future::block::Handle;

    /// What [`Waiting`](super::Waiting) has to know of a handle. It always has the same block.
    pub trait Source {
        type Item;
        type Error;
        type Output;
        fn handle(&self) -> &Handle<Self::Item, Self::Error>;
        /// The outcome, which is there.
        fn finish(self) -> Self::Output;
    }
}

/// A handle to a future: a [`Future`](super::Future), a [`SharedFuture`](super::SharedFuture), or a reference to the latter.
pub trait Source: sealed::Source {}

/// What `.await` makes of a [`Future`](super::Future): a [`std::future::Future`]. Its place among the waiters lies in itself.
#[must_use = "futures do nothing unless they are polled"]
pub struct Waiting<S: Source> {
    /// `None` when it has been ready.
    source: Option<S>,
    waiter: TaskWaiter,
}

impl<S: Source> Waiting<S> {
    pub(super) fn new(source: S) -> Waiting<S> {
        Waiting {
            source: Some(source),
            waiter: TaskWaiter::new(),
        }
    }
}

impl<S: Source> std::future::Future for Waiting<S> {
    type Output = S::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<S::Output> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: only the waiter must not move, and it does not.
        let this = unsafe { self.get_unchecked_mut() };
        let Some(source) = &this.source else {
            panic!("polled after it was ready");
        };
        let block = source.handle().block();
        // SAFETY: the waiter is pinned, and leaves when this is dropped.
        if !unsafe { this.waiter.poll(block, cx.waker()) } {
            return Poll::Pending;
        }
        this.waiter.leave(block);
        match this.source.take() {
            Some(source) => Poll::Ready(source.finish()),
            None => unreachable!("seen above"),
        }
    }
}

impl<S: Source> Drop for Waiting<S> {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            self.waiter.leave(source.handle().block());
        }
    }
}

impl<S: Source> fmt::Debug for Waiting<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting")
            .field("done", &self.source.is_none())
            .finish_non_exhaustive()
    }
}
