//! [`SharedFuture`]: a value that many look at.

use std::fmt;
use std::time::{Duration, Instant};

use super::block::{Handle, State};
use super::rejected::Rejected;
use super::waiting::{Source, Waiting, sealed};
use crate::time::now;

/// A future for many: any number of clones, waiters and callbacks. It shows the outcome to all of them: so do [`wait`](SharedFuture::wait) and
/// `(&future).await`. What [`cloned`](SharedFuture::cloned) returns gives clones.
///
/// # Examples
/// ```
/// let (promise, future) = corun::future::promise::<String, ()>();
/// let future = future.shared();
/// let readers: Vec<_> = (0..3)
///     .map(|_| {
///         let future = future.clone();
///         corun::spawn(move || future.wait().unwrap().len())
///     })
///     .collect();
/// promise.resolve("eleven".to_string());
/// assert!(readers.into_iter().all(|reader| reader.join().unwrap() == 6));
/// ```
#[must_use = "a future that is dropped does nothing"]
pub struct SharedFuture<T, E> {
    handle: Handle<T, E>,
}

// SAFETY: the last handle drops the outcome, wherever it is, and each shows it.
unsafe impl<T: Send + Sync, E: Send + Sync> Send for SharedFuture<T, E> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync, E: Send + Sync> Sync for SharedFuture<T, E> {}

impl<T, E> SharedFuture<T, E> {
    pub(super) fn new(handle: Handle<T, E>) -> SharedFuture<T, E> {
        SharedFuture { handle }
    }

    /// A handle in the place of one that was forgotten.
    pub(super) fn same_handle(&self) -> Handle<T, E> {
        self.handle.same()
    }

    /// As events tell it (`inspect`); for the C interface.
    #[doc(hidden)]
    pub fn address(&self) -> usize {
        std::ptr::from_ref(self.handle.block()).addr()
    }

    /// How far it has come.
    pub fn state(&self) -> State {
        self.handle.block().state()
    }

    /// Is there a value or an error?
    pub fn is_complete(&self) -> bool {
        self.handle.block().is_complete()
    }

    /// The outcome, if it is there.
    #[allow(clippy::type_complexity, reason = "two references")]
    pub fn get(&self) -> Option<Result<&T, &Rejected<E>>> {
        self.handle.block().outcome()
    }

    fn outcome(&self) -> Result<&T, &Rejected<E>> {
        self.get()
            .unwrap_or_else(|| unreachable!("waited for, and never taken back"))
    }

    /// Waits for the outcome. A plain thread is blocked meanwhile.
    ///
    /// # Errors
    /// The promise was rejected or dropped, or the future cancelled.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(&self) -> Result<&T, &Rejected<E>> {
        self.handle.block().wait(None);
        self.outcome()
    }

    /// Waits for the outcome, but no longer than `duration`. `None` when the time is up.
    ///
    /// # Panics
    /// As [`wait`](SharedFuture::wait).
    #[allow(clippy::type_complexity, reason = "two references")]
    pub fn wait_timeout(&self, duration: Duration) -> Option<Result<&T, &Rejected<E>>> {
        match now().checked_add(duration) {
            Some(deadline) => self.wait_until(deadline),
            None => Some(self.wait()),
        }
    }

    /// As [`wait_timeout`](SharedFuture::wait_timeout), until a point in time.
    ///
    /// # Panics
    /// As [`wait`](SharedFuture::wait).
    #[allow(clippy::type_complexity, reason = "two references")]
    pub fn wait_until(&self, deadline: Instant) -> Option<Result<&T, &Rejected<E>>> {
        let complete = self.handle.block().wait(Some(deadline));
        complete.then(|| self.outcome())
    }

    /// Has `f` called with the outcome, exactly once: as [`Future::on_complete`](super::Future::on_complete), but any number of callbacks may be
    /// left. Those that were left before the promise was kept are called in that order.
    ///
    /// # Examples
    /// ```
    /// let (promise, future) = corun::future::promise::<u8, String>();
    /// let future = future.shared();
    /// future.on_complete(|outcome| println!("the log has {outcome:?}"));
    /// future.on_complete(|outcome| assert!(outcome.is_err()));
    /// promise.reject("no".into());
    /// ```
    pub fn on_complete<F>(&self, f: F)
    where
        F: FnOnce(Result<&T, &Rejected<E>>) + Send + 'static,
        T: Send + Sync + 'static,
        E: Send + Sync + 'static,
    {
        // SAFETY: the closure may go to other threads, and so may what it is shown.
        unsafe {
            self.handle.block().on_complete(|block| {
                if let Some(outcome) = block.outcome() {
                    f(outcome);
                }
            });
        }
    }

    /// Rejects the future as [cancelled](Rejected::Cancelled), for all who wait and whatever the promise does later. Returns whether this call did
    /// so: not if it was complete.
    ///
    /// # Examples
    /// ```
    /// use corun::future::Rejected;
    ///
    /// let (promise, future) = corun::future::promise::<u8, ()>();
    /// let future = future.shared();
    /// assert!(future.cancel());
    /// assert_eq!(future.wait(), Err(&Rejected::Cancelled));
    /// assert!(!promise.is_wanted());
    /// assert_eq!(promise.try_resolve(1), Err(1));
    /// ```
    pub fn cancel(&self) -> bool {
        self.handle.complete(Err(Rejected::Cancelled)).is_ok()
    }

    /// A future of a clone of the outcome, which needs this one no longer.
    ///
    /// # Examples
    /// ```
    /// use corun::future::{Eventual, Future};
    ///
    /// let future = Future::<u32, ()>::resolved(20).shared();
    /// let sum = future.cloned().join(future.cloned().map(|n| n + 2));
    /// assert_eq!(sum.map(|(a, b)| a + b).wait(), Ok(42));
    /// ```
    pub fn cloned(&self) -> Waiting<SharedFuture<T, E>>
    where
        T: Clone,
        E: Clone,
    {
        Waiting::new(self.clone())
    }

    /// The outcome itself, if this is the only handle and it is there.
    ///
    /// # Errors
    /// Else gives the future back; also if the promise's side is still busy with telling others.
    pub fn try_take(self) -> Result<Result<T, Rejected<E>>, SharedFuture<T, E>> {
        if !self.is_complete() || !self.handle.is_alone() {
            return Err(self);
        }
        // SAFETY: it is there, and nobody else has a handle.
        Ok(unsafe { self.handle.take() })
    }
}

impl<T, E> Clone for SharedFuture<T, E> {
    fn clone(&self) -> SharedFuture<T, E> {
        SharedFuture::new(self.handle.clone())
    }
}

impl<T: Clone, E: Clone> sealed::Source for SharedFuture<T, E> {
    type Item = T;
    type Error = E;
    type Output = Result<T, Rejected<E>>;

    fn handle(&self) -> &Handle<T, E> {
        &self.handle
    }

    fn finish(self) -> Result<T, Rejected<E>> {
        self.outcome().cloned().map_err(Clone::clone)
    }
}

impl<T: Clone, E: Clone> Source for SharedFuture<T, E> {}

impl<'a, T, E> sealed::Source for &'a SharedFuture<T, E> {
    type Item = T;
    type Error = E;
    type Output = Result<&'a T, &'a Rejected<E>>;

    fn handle(&self) -> &Handle<T, E> {
        &self.handle
    }

    fn finish(self) -> Result<&'a T, &'a Rejected<E>> {
        self.outcome()
    }
}

impl<T, E> Source for &SharedFuture<T, E> {}

impl<'a, T, E> IntoFuture for &'a SharedFuture<T, E> {
    type Output = Result<&'a T, &'a Rejected<E>>;
    type IntoFuture = Waiting<&'a SharedFuture<T, E>>;

    fn into_future(self) -> Waiting<&'a SharedFuture<T, E>> {
        Waiting::new(self)
    }
}

impl<T, E> fmt::Debug for SharedFuture<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedFuture")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
