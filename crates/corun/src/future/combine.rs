//! [`Eventual`]: what can be made of anything that ends in a `Result`.

use std::time::Duration;

use super::adaptors::{Join, Map, Next, Race, Then};
use super::block_on;
use crate::time::timeout_async;

/// Whatever ends in a `Result`: a [`Future`](super::Future), a [`SharedFuture`](super::SharedFuture), and every [`std::future::Future`] with such
/// an output. Nothing else can implement it.
///
/// Each method makes a new future around this one, as those of `Iterator` do: nothing happens until it is waited for, by `.await` or
/// [`wait`](Eventual::wait), and nothing is allocated. Closures run where the result is waited for; so does a panic of theirs.
///
/// Promises are kept by others, whether anybody waits or not: `a.join(b)` waits for both at once.
///
/// # Examples
/// ```
/// use corun::future::{Eventual, promise};
///
/// let ((width, w), (height, h)) = (promise::<u32, String>(), promise());
/// let area = w.join(h).map(|(w, h)| w * h).map_err(|error| format!("no area: {error}"));
/// corun::spawn(move || {
///     width.resolve(6);
///     height.resolve(7);
/// });
/// assert_eq!(area.wait(), Ok(42));
/// ```
#[allow(clippy::type_complexity, reason = "adaptors say what they are made of")]
pub trait Eventual: IntoFuture<Output = Result<Self::Value, Self::Error>> + Sized {
    /// What it is resolved to.
    type Value;
    /// What it is rejected with.
    type Error;

    /// Another value, made of the value.
    fn map<U, F>(
        self,
        f: F,
    ) -> Map<Self::IntoFuture, impl FnOnce(Self::Output) -> Result<U, Self::Error>>
    where
        F: FnOnce(Self::Value) -> U,
    {
        Map::new(self.into_future(), |result: Self::Output| result.map(f))
    }

    /// Another error, made of the error.
    fn map_err<G, F>(
        self,
        f: F,
    ) -> Map<Self::IntoFuture, impl FnOnce(Self::Output) -> Result<Self::Value, G>>
    where
        F: FnOnce(Self::Error) -> G,
    {
        Map::new(self.into_future(), |result: Self::Output| result.map_err(f))
    }

    /// A future that is made of the result, whatever that is, and comes after it.
    fn then<N, F>(
        self,
        f: F,
    ) -> Then<
        Self::IntoFuture,
        impl FnOnce(Self::Output) -> Next<N::IntoFuture, N::Output>,
        N::IntoFuture,
    >
    where
        F: FnOnce(Self::Output) -> N,
        N: IntoFuture,
    {
        Then::new(self.into_future(), |result| {
            Next::Future(f(result).into_future())
        })
    }

    /// A future that is made of the value, and comes after it. An error ends it all.
    fn and_then<N, U, F>(
        self,
        f: F,
    ) -> Then<
        Self::IntoFuture,
        impl FnOnce(Self::Output) -> Next<N::IntoFuture, N::Output>,
        N::IntoFuture,
    >
    where
        F: FnOnce(Self::Value) -> N,
        N: IntoFuture<Output = Result<U, Self::Error>>,
    {
        Then::new(self.into_future(), |result: Self::Output| match result {
            Ok(value) => Next::Future(f(value).into_future()),
            Err(error) => Next::Ready(Err(error)),
        })
    }

    /// A future that is made of the error, and comes after it: another attempt.
    fn or_else<N, G, F>(
        self,
        f: F,
    ) -> Then<
        Self::IntoFuture,
        impl FnOnce(Self::Output) -> Next<N::IntoFuture, N::Output>,
        N::IntoFuture,
    >
    where
        F: FnOnce(Self::Error) -> N,
        N: IntoFuture<Output = Result<Self::Value, G>>,
    {
        Then::new(self.into_future(), |result: Self::Output| match result {
            Ok(value) => Next::Ready(Ok(value)),
            Err(error) => Next::Future(f(error).into_future()),
        })
    }

    /// This, and after it `next`, whose result is the result. An error of this ends it all.
    fn chain<N, U>(
        self,
        next: N,
    ) -> Then<
        Self::IntoFuture,
        impl FnOnce(Self::Output) -> Next<N::IntoFuture, N::Output>,
        N::IntoFuture,
    >
    where
        N: IntoFuture<Output = Result<U, Self::Error>>,
    {
        self.and_then(|_| next)
    }

    /// Both values; or the error of whichever is rejected first, and then the other is dropped.
    fn join<N, U>(self, other: N) -> Join<Self::IntoFuture, Self::Value, N::IntoFuture, U>
    where
        N: IntoFuture<Output = Result<U, Self::Error>>,
    {
        Join::new(self.into_future(), other.into_future())
    }

    /// The result of whichever has one first; then the other is dropped.
    fn race<N>(self, other: N) -> Race<Self::IntoFuture, N::IntoFuture>
    where
        N: IntoFuture<Output = Self::Output>,
    {
        Race::new(self.into_future(), other.into_future())
    }

    /// Waits for the result: in a coroutine, which is suspended, or on a plain thread, which is blocked.
    ///
    /// # Errors
    /// Those of the future.
    ///
    /// # Panics
    /// With the panic of a closure in between.
    fn wait(self) -> Self::Output {
        block_on(self.into_future())
    }

    /// As [`wait`](Eventual::wait), but no longer than `duration`. `None` when the time is up; then the future is dropped.
    ///
    /// # Panics
    /// As [`wait`](Eventual::wait).
    fn wait_timeout(self, duration: Duration) -> Option<Self::Output> {
        block_on(timeout_async(duration, self)).ok()
    }
}

impl<F, T, E> Eventual for F
where
    F: IntoFuture<Output = Result<T, E>>,
{
    type Value = T;
    type Error = E;
}
