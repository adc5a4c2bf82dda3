//! [`Io`], of which hyper's and tokio's modules each say what it can do there.

use std::pin::Pin;

/// Gives what has the traits of the crate `futures-io`, such as the streams of [`corun::net`](crate::net), those of hyper (`hyper::rt::{Read, Write}`, with
/// the feature `hyper`) and of tokio (`tokio::io::{AsyncRead, AsyncWrite}`, with the feature `tokio`). The modules of both have it, with an example.
#[derive(Clone, Debug)]
pub struct Io<T>(T);

impl<T> Io<T> {
    /// Wraps it.
    pub fn new(inner: T) -> Io<T> {
        Io(inner)
    }

    /// What was wrapped.
    pub fn get_ref(&self) -> &T {
        &self.0
    }

    /// Gives back what was wrapped.
    pub fn into_inner(self) -> T {
        self.0
    }

    pub(super) fn inner(self: Pin<&mut Self>) -> Pin<&mut T>
    where
        T: Unpin,
    {
        Pin::new(&mut self.get_mut().0)
    }
}
