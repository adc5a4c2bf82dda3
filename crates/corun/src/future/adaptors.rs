//! The types of what [`Eventual`](super::Eventual) makes: futures around futures, which hold them in their own places and allocate nothing.

use std::pin::Pin;
use std::task::{Context, Poll};

/// A future whose output goes through a closure.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Map<S, F> {
    source: S,
    f: Option<F>,
}

impl<S, F> Map<S, F> {
    pub(super) fn new(source: S, f: F) -> Map<S, F> {
        Map { source, f: Some(f) }
    }
}

/// The output, and not before its time.
fn once<T>(place: &mut Option<T>) -> T {
    match place.take() {
        Some(value) => value,
        None => panic!("polled after it was ready"),
    }
}

impl<S: Future, F: FnOnce(S::Output) -> U, U> Future for Map<S, F> {
    type Output = U;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<U> {
        // SAFETY: the source stays where it is; the closure is not pinned.
        let (source, f) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.source), &mut this.f)
        };
        source.poll(cx).map(|output| once(f)(output))
    }
}

/// What a closure of [`Then`] decides.
#[derive(Debug)]
pub enum Next<N, U> {
    /// The output of this future.
    Future(N),
    /// This output.
    Ready(U),
}

/// A future after which another one comes, which a closure makes of the output.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Then<S, F, N>(Step<S, F, N>);

#[derive(Debug)]
enum Step<S, F, N> {
    First(S, Option<F>),
    Second(N),
    Done,
}

impl<S, F, N> Then<S, F, N> {
    pub(super) fn new(source: S, f: F) -> Then<S, F, N> {
        Then(Step::First(source, Some(f)))
    }
}

impl<S, F, N> Future for Then<S, F, N>
where
    S: Future,
    F: FnOnce(S::Output) -> Next<N, N::Output>,
    N: Future,
{
    type Output = N::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<N::Output> {
        // SAFETY: futures are dropped in their place.
        let step = unsafe { &mut self.get_unchecked_mut().0 };
        loop {
            match step {
                Step::First(source, f) => {
                    // SAFETY: it stays until it is overwritten, which drops it in its place.
                    let source = unsafe { Pin::new_unchecked(source) };
                    let Poll::Ready(output) = source.poll(cx) else {
                        return Poll::Pending;
                    };
                    match once(f)(output) {
                        Next::Future(next) => *step = Step::Second(next),
                        Next::Ready(output) => {
                            *step = Step::Done;
                            return Poll::Ready(output);
                        }
                    }
                }
                Step::Second(next) => {
                    // SAFETY: as above.
                    let output = unsafe { Pin::new_unchecked(next) }.poll(cx);
                    if output.is_ready() {
                        *step = Step::Done;
                    }
                    return output;
                }
                Step::Done => panic!("polled after it was ready"),
            }
        }
    }
}

/// A future, or what it was resolved to.
#[derive(Debug)]
enum Part<S, T> {
    Waiting(S),
    Done(Option<T>),
}

impl<S: Future<Output = Result<T, E>>, T, E> Part<S, T> {
    /// Is it resolved?
    ///
    /// # Safety
    /// The place is pinned.
    unsafe fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let Part::Waiting(source) = self else {
            return Poll::Ready(Ok(()));
        };
        // SAFETY: it is dropped in its place.
        match unsafe { Pin::new_unchecked(source) }.poll(cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(result) => {
                *self = Part::Done(None);
                Poll::Ready(result.map(|value| *self = Part::Done(Some(value))))
            }
        }
    }
}

impl<S, T> Part<S, T> {
    fn take(&mut self) -> T {
        match self {
            Part::Done(value) => once(value),
            Part::Waiting(_) => unreachable!("seen to be done"),
        }
    }
}

/// Two futures at once: both values, or the first error.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Join<A, T, B, U> {
    a: Part<A, T>,
    b: Part<B, U>,
}

impl<A, T, B, U> Join<A, T, B, U> {
    pub(super) fn new(a: A, b: B) -> Join<A, T, B, U> {
        Join {
            a: Part::Waiting(a),
            b: Part::Waiting(b),
        }
    }
}

impl<A, B, T, U, E> Future for Join<A, T, B, U>
where
    A: Future<Output = Result<T, E>>,
    B: Future<Output = Result<U, E>>,
{
    type Output = Result<(T, U), E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the parts stay where they are; values are not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        let polled = unsafe { [this.a.poll(cx), this.b.poll(cx)] };
        let mut pending = false;
        for part in polled {
            match part {
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {}
                Poll::Pending => pending = true,
            }
        }
        if pending {
            return Poll::Pending;
        }
        Poll::Ready(Ok((this.a.take(), this.b.take())))
    }
}

/// Two futures at once: the output of the first that is ready. The other one is dropped with this.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Race<A, B> {
    a: A,
    b: B,
}

impl<A, B> Race<A, B> {
    pub(super) fn new(a: A, b: B) -> Race<A, B> {
        Race { a, b }
    }
}

impl<A: Future, B: Future<Output = A::Output>> Future for Race<A, B> {
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<A::Output> {
        // SAFETY: both stay where they are.
        let (a, b) = unsafe {
            let this = self.get_unchecked_mut();
            (
                Pin::new_unchecked(&mut this.a),
                Pin::new_unchecked(&mut this.b),
            )
        };
        match a.poll(cx) {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => b.poll(cx),
        }
    }
}
