//! [`Future`]: a value that is one's own, once it is there.

use std::fmt;
use std::time::{Duration, Instant};

use super::block::{Handle, Outcome, State};
use super::rejected::Rejected;
use super::shared::SharedFuture;
use super::waiting::{Source, Waiting, sealed};
use crate::time::now;

/// The value of a [`Promise`](super::Promise), which may not be there yet. It belongs to whoever has the future, and so needs not be `Clone`; to
/// give it to several, turn the future into a [`SharedFuture`] with [`shared`](Future::shared).
///
/// - Coroutines and threads [`wait`](Future::wait), async tasks `.await`.
/// - [`on_complete`](Future::on_complete) has something called.
/// - [`map`](super::Eventual::map), [`and_then`](super::Eventual::and_then) and others of [`Eventual`](super::Eventual) make futures of futures.
/// - To drop it is to say that nobody wants the value: [`Promise::is_wanted`](super::Promise::is_wanted).
///
/// # Examples
/// ```
/// use corun::future::{Future, State, promise};
///
/// let (promise, mut future) = promise::<String, ()>();
/// assert_eq!(future.state(), State::Pending);
/// // A look without waiting.
/// future = future.try_take().unwrap_err();
/// promise.resolve("here".to_string());
/// assert_eq!(future.get(), Some(Ok(&"here".to_string())));
/// assert_eq!(future.try_take().unwrap(), Ok("here".to_string()));
/// ```
#[must_use = "a future that is dropped tells its promise that nobody wants it"]
pub struct Future<T, E> {
    handle: Handle<T, E>,
}

// SAFETY: the outcome goes to whoever has the future.
unsafe impl<T: Send, E: Send> Send for Future<T, E> {}
// SAFETY: a shared reference shows the outcome.
unsafe impl<T: Send + Sync, E: Send + Sync> Sync for Future<T, E> {}

impl<T, E> Future<T, E> {
    pub(super) fn new(handle: Handle<T, E>) -> Future<T, E> {
        Future { handle }
    }

    /// A future that is resolved already.
    pub fn resolved(value: T) -> Future<T, E> {
        let (promise, future) = super::promise();
        promise.resolve(value);
        future
    }

    /// A future that is rejected already.
    pub fn rejected(error: E) -> Future<T, E> {
        let (promise, future) = super::promise();
        promise.reject(error);
        future
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

    /// The outcome, if it is there.
    ///
    /// # Errors
    /// Else gives the future back.
    pub fn try_take(self) -> Result<Result<T, Rejected<E>>, Future<T, E>> {
        if !self.is_complete() {
            return Err(self);
        }
        // SAFETY: it is there, and this is the only handle but the promise's, which does not look.
        Ok(unsafe { self.handle.take() })
    }

    /// Waits for the outcome. A plain thread is blocked meanwhile.
    ///
    /// # Errors
    /// The promise was rejected, or dropped.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    #[inline]
    pub fn wait(self) -> Result<T, Rejected<E>> {
        let complete = self.handle.block().wait(None);
        assert!(complete, "without a deadline nothing else ends the wait");
        // SAFETY: as in `try_take`.
        unsafe { self.handle.take() }
    }

    /// Waits for the outcome, but no longer than `duration`.
    ///
    /// # Errors
    /// Gives the future back when the time is up.
    ///
    /// # Panics
    /// As [`wait`](Future::wait).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let (promise, future) = corun::future::promise::<u8, ()>();
    /// let future = future.wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// promise.resolve(1);
    /// assert_eq!(future.wait_timeout(Duration::from_millis(1)).unwrap(), Ok(1));
    /// ```
    pub fn wait_timeout(self, duration: Duration) -> Result<Result<T, Rejected<E>>, Future<T, E>> {
        match now().checked_add(duration) {
            Some(deadline) => self.wait_until(deadline),
            None => Ok(self.wait()),
        }
    }

    /// As [`wait_timeout`](Future::wait_timeout), until a point in time.
    ///
    /// # Errors
    /// As there.
    ///
    /// # Panics
    /// As [`wait`](Future::wait).
    pub fn wait_until(self, deadline: Instant) -> Result<Result<T, Rejected<E>>, Future<T, E>> {
        if !self.handle.block().wait(Some(deadline)) {
            return Err(self);
        }
        // SAFETY: as in `try_take`.
        Ok(unsafe { self.handle.take() })
    }

    /// Has `f` called with the outcome, exactly once: by whoever completes the promise, on its thread, or at once if it is complete.
    ///
    /// A panic in `f` is reported like any other, and goes no further: neither the promise's side nor other callbacks notice. What `f` itself
    /// resolves has its callbacks called when `f` has returned, so that long chains do not pile up on the stack. (To leave a callback with a future that
    /// is complete already is a mere call: an `f` that does so again and again piles up as any recursion does.) `f` may wait, but keeps whoever
    /// calls it from its own business meanwhile; and it must not wait for what the callback of something that it has resolved itself is to do.
    ///
    /// # Examples
    /// ```
    /// let (promise, future) = corun::future::promise::<i32, ()>();
    /// let (twice, result) = corun::future::promise::<i32, ()>();
    /// future.on_complete(move |outcome| twice.resolve(2 * outcome.unwrap()));
    /// promise.resolve(21);
    /// assert_eq!(result.wait(), Ok(42));
    /// ```
    pub fn on_complete<F>(self, f: F)
    where
        F: FnOnce(Result<T, Rejected<E>>) + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        // SAFETY: the closure may go to other threads; and it alone takes the outcome, as this handle goes.
        unsafe { self.handle.block().on_complete(|block| f(block.take())) };
    }

    /// The same future for many: it may be cloned, and shows the outcome instead of giving it away. Costs nothing.
    pub fn shared(self) -> SharedFuture<T, E> {
        SharedFuture::new(self.handle)
    }

    /// Says that nobody wants the value any more. The same as to drop it.
    pub fn cancel(self) {}
}

impl<T, E> sealed::Source for Future<T, E> {
    type Item = T;
    type Error = E;
    type Output = Outcome<T, E>;

    fn handle(&self) -> &Handle<T, E> {
        &self.handle
    }

    fn finish(self) -> Outcome<T, E> {
        // SAFETY: called when it is complete; as in `try_take`.
        unsafe { self.handle.take() }
    }
}

impl<T, E> Source for Future<T, E> {}

impl<T, E> IntoFuture for Future<T, E> {
    type Output = Result<T, Rejected<E>>;
    type IntoFuture = Waiting<Future<T, E>>;

    fn into_future(self) -> Waiting<Future<T, E>> {
        Waiting::new(self)
    }
}

impl<T, E> fmt::Debug for Future<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Future")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
