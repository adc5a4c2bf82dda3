//! Futures of any number of futures: [`join_all`], [`select_ok`].

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::vec;

/// Waits for all, and gives their values in order; or the first error, in that order too.
///
/// All futures are taken from the iterator at once, so that what makes them there, a [`spawn`](crate::spawn()) perhaps, is done for all before the
/// first is waited for. Then it waits for one after the other. Promises are kept by others, and get on meanwhile; so the whole takes no longer than the
/// longest, costs one wait for each that is not complete yet, and no memory but that of the list of futures and of the list of values. Futures that get
/// on only while they are polled, such as `async` blocks, run one after the other: [`spawn_async`](super::spawn_async) them first.
///
/// # Examples
/// ```
/// use corun::future::{Eventual, join_all, promise};
///
/// let (promises, futures): (Vec<_>, Vec<_>) = (0..10).map(|_| promise::<usize, ()>()).unzip();
/// corun::spawn(move || {
///     for (number, promise) in promises.into_iter().enumerate().rev() {
///         promise.resolve(number);
///     }
/// });
/// assert_eq!(join_all(futures).wait(), Ok((0..10).collect()));
/// ```
pub fn join_all<I, T, E>(futures: I) -> JoinAll<I::Item, T>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let futures: Vec<I::Item> = futures.into_iter().collect();
    JoinAll {
        values: Vec::with_capacity(futures.len()),
        futures: futures.into_iter(),
        current: None,
    }
}

/// What [`join_all`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct JoinAll<F: IntoFuture, T> {
    futures: vec::IntoIter<F>,
    current: Option<F::IntoFuture>,
    values: Vec<T>,
}

impl<F, T, E> Future for JoinAll<F, T>
where
    F: IntoFuture<Output = Result<T, E>>,
{
    type Output = Result<Vec<T>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the current future is dropped in its place; nothing else is pinned.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            if let Some(current) = &mut this.current {
                // SAFETY: as above.
                let Poll::Ready(result) = unsafe { Pin::new_unchecked(current) }.poll(cx) else {
                    return Poll::Pending;
                };
                this.current = None;
                match result {
                    Ok(value) => this.values.push(value),
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
            match this.futures.next() {
                Some(next) => this.current = Some(next.into_future()),
                None => return Poll::Ready(Ok(std::mem::take(&mut this.values))),
            }
        }
    }
}

/// The first value that there is; the last error, if all are rejected. The others are dropped then.
///
/// All are waited for at once, so they need places of their own: one list.
///
/// # Panics
/// If there are no futures.
///
/// # Examples
/// ```
/// use corun::future::{Eventual, promise, select_ok};
///
/// let ((first, a), (second, b)) = (promise::<_, &str>(), promise());
/// first.reject("gone");
/// second.resolve("here");
/// assert_eq!(select_ok([a, b]).wait(), Ok("here"));
/// ```
#[track_caller]
pub fn select_ok<I, T, E>(futures: I) -> SelectOk<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let futures: Box<[_]> = futures
        .into_iter()
        .map(|future| Some(future.into_future()))
        .collect();
    assert!(!futures.is_empty(), "nothing to select from");
    SelectOk {
        left: futures.len(),
        futures: Box::into_pin(futures),
    }
}

/// What [`select_ok`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct SelectOk<F> {
    /// `None` for those that were rejected.
    futures: Pin<Box<[Option<F>]>>,
    left: usize,
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for SelectOk<F> {
    type Output = Result<T, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T, E>> {
        let this = &mut *self;
        // SAFETY: futures are dropped in their places.
        let places = unsafe { this.futures.as_mut().get_unchecked_mut() };
        assert_ne!(this.left, 0, "polled after it was ready");
        for place in places {
            let Some(future) = place else { continue };
            // SAFETY: as above.
            let Poll::Ready(result) = unsafe { Pin::new_unchecked(future) }.poll(cx) else {
                continue;
            };
            *place = None;
            this.left -= 1;
            if result.is_ok() {
                this.left = 0;
            }
            if this.left == 0 {
                this.futures = Box::into_pin(Box::default());
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }
}

impl<F: IntoFuture, T> fmt::Debug for JoinAll<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinAll")
            .field("resolved", &self.values.len())
            .finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for SelectOk<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SelectOk")
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}
