//! Waiting for a coroutine's result.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::thread;

use crate::cancel::limit::Limit;
use crate::coroutine::handle::Coroutine;
use crate::coroutine::joiner::LimitedJoiner;
use crate::coroutine::outcome::JoinRef;
use crate::coroutine::slice::allow_suspension;
use crate::coroutine::task::{TaskRef, abort_on_panic};
use crate::scheduler;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;

/// The right to wait for a coroutine or an async task and to have its result, as [`std::thread::JoinHandle`].
///
/// It is a future as well, for async code on corun or on any other executor: what it gives is what [`join`](JoinHandle::join) returns. To drop it
/// while it waits leaves the coroutine to itself.
///
/// Dropped without [`join`](JoinHandle::join), it leaves the coroutine to itself.
///
/// # Examples
/// ```
/// let handle = corun::spawn(|| "done");
/// println!("waiting for coroutine {}", handle.coroutine().id());
/// assert_eq!(handle.join().unwrap(), "done");
/// ```
pub struct JoinHandle<T> {
    join: JoinRef<T>,
}

// SAFETY: the handle gives access to the result, by value, and to a `Coroutine`, which is `Send`.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through a shared reference nobody gets at the result.
unsafe impl<T> Sync for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    pub(crate) fn new(join: JoinRef<T>) -> JoinHandle<T> {
        JoinHandle { join }
    }

    /// Waits until the coroutine has ended and returns what its closure returned; a plain thread is blocked meanwhile.
    ///
    /// A child that has not started yet, and stands in this worker's own list, is run at once in the caller's place.
    ///
    /// # Errors
    /// The payload, if the coroutine panicked; a [`StartError`](crate::StartError) if it never got a stack.
    ///
    /// # Panics
    /// If a coroutine joins itself; and if the handle has given the result before, as a future.
    #[inline]
    pub fn join(self) -> thread::Result<T> {
        self.join.task.join(true);
        self.take()
    }

    /// Of a coroutine that has ended.
    #[inline]
    fn take(self) -> thread::Result<T> {
        // Nothing is left to be done by the destructor but what follows.
        let mut handle = ManuallyDrop::new(self);
        let outcome = handle.join.take();
        handle.join.task.release();
        outcome.unwrap_or_else(|| panic!("the handle has given the result before, as a future"))
    }

    /// Joins even inside `no_suspend` and when the time of a `timeout` is up, and so never unwinds before the coroutine has ended.
    pub(crate) fn join_uninterrupted(self) -> thread::Result<T> {
        let task = self.join.task;
        allow_suspension(|| task.join(false));
        self.take()
    }

    /// Cancels the coroutine: it is left, by unwinding, at the wait that it is in, or at the next one that it begins; if it has not started it never
    /// does. Then [`join`](JoinHandle::join) returns a [`Cancelled`](crate::Cancelled) as the error's payload.
    ///
    /// This returns at once. What has ended stays as it is, and a coroutine that waits for nothing any more ends as if nothing had happened. What
    /// holds for code that is left says [`timeout`](crate::timeout): destructors run and may wait, `catch_unwind` does not save it.
    /// [`shield`](crate::shield()) puts it off.
    ///
    /// # Examples
    /// ```
    /// let worker = corun::spawn(|| loop {
    ///     corun::sleep(std::time::Duration::from_secs(1));
    /// });
    /// worker.cancel();
    /// assert!(worker.join().unwrap_err().is::<corun::Cancelled>());
    /// ```
    pub fn cancel(&self) {
        self.join.task.cancel();
    }

    /// Has the coroutine ended? If so, `join` will not wait.
    pub fn is_finished(&self) -> bool {
        self.join.task.ended().is_some()
    }

    /// The coroutine that this is the handle of.
    pub fn coroutine(&self) -> &Coroutine {
        Coroutine::from_ref(&self.join.task)
    }

    /// The same as [`coroutine`](JoinHandle::coroutine), under std's name.
    pub fn thread(&self) -> &Coroutine {
        Coroutine::from_ref(&self.join.task)
    }

    /// Ends the handle. Returns the payload, if the coroutine has ended in a panic that nobody has seen.
    #[inline]
    pub(crate) fn detach(&mut self) -> Option<Box<dyn Any + Send>> {
        match self.join.detach()? {
            Ok(value) => {
                abort_on_panic(|| drop(value));
                None
            }
            Err(payload) => Some(payload),
        }
    }
}

impl TaskRef {
    /// For the owner of the join handle: waits until the coroutine has ended. With `limited`, the wait ends by unwinding when the time of a
    /// `timeout` is up.
    fn join(self, limited: bool) {
        if self.ended().is_some() {
            return;
        }
        assert!(
            Worker::current().and_then(Worker::running) != Some(self),
            "a coroutine cannot join itself"
        );
        // If it was polled before.
        drop(self.withdraw());
        let limit = if limited {
            Limit::new(None)
        } else {
            Limit::masked(None)
        };
        if limit.deadline().is_some() || limit.is_over() {
            return self.join_limited(&limit);
        }
        if let Some(worker) = Worker::suspendable()
            && !self.is_guest()
        {
            let signal = Signal::new();
            if worker.take_unstarted(self) {
                self.set_joiner_of_unstarted(&signal);
                if !signal.wait_starting(worker, self, limit.is_open())
                    && self.take_back_joiner_here()
                {
                    limit.expired();
                    unreachable!("without a deadline of its own a limit unwinds");
                }
                return;
            }
        }
        self.join_limited(&limit);
    }

    #[inline(never)]
    fn join_limited(self, limit: &Limit) {
        let joiner = LimitedJoiner::new();
        if !self.set_limited_joiner(&joiner) {
            return;
        }
        let notified = limit.wait(&joiner.signal, || true);
        if !joiner.settle(self, notified) {
            limit.expired();
            unreachable!("without a deadline of its own a limit unwinds");
        }
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = thread::Result<T>;

    /// # Panics
    /// If it is polled again after it was ready; and if an async task awaits itself.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<thread::Result<T>> {
        assert!(
            Worker::current().and_then(Worker::running) != Some(self.join.task),
            "a task cannot await itself"
        );
        if !scheduler::may_go_on(context.waker()) {
            return Poll::Pending;
        }
        self.join.poll(context)
    }
}

impl<T> Unpin for JoinHandle<T> {}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        if let Some(payload) = self.detach() {
            abort_on_panic(|| drop(payload));
        }
        self.join.task.release();
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("coroutine", self.coroutine())
            .finish_non_exhaustive()
    }
}
