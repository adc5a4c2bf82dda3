//! Why a future has no value: [`Rejected`].

use std::error::Error;
use std::fmt;
use std::io;

/// Why a [`Future`](super::Future) came to have no value.
///
/// It shows, and names as its source, what the error itself does, so that `?` may put it into a `Box<dyn Error>` with nothing lost. That of an
/// [`io::Error`] becomes an [`io::Error`].
///
/// # Examples
/// ```
/// use std::io;
/// use corun::future::{Rejected, promise};
///
/// fn length(of: corun::future::Future<String, io::Error>) -> io::Result<usize> {
///     Ok(of.wait()?.len())
/// }
///
/// let (promise, future) = promise();
/// promise.reject(io::ErrorKind::NotFound.into());
/// assert_eq!(length(future).unwrap_err().kind(), io::ErrorKind::NotFound);
///
/// let (promise, future) = corun::future::promise::<u8, io::Error>();
/// drop(promise);
/// assert!(matches!(future.wait(), Err(Rejected::Abandoned)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejected<E> {
    /// The promise was rejected with this error.
    Error(E),
    /// The promise was dropped unresolved: by a panic perhaps.
    Abandoned,
    /// The future was cancelled: see [`SharedFuture::cancel`](super::SharedFuture::cancel).
    Cancelled,
}

impl<E> Rejected<E> {
    /// The error, if it was rejected with one.
    pub fn error(self) -> Option<E> {
        match self {
            Rejected::Error(error) => Some(error),
            Rejected::Abandoned | Rejected::Cancelled => None,
        }
    }

    /// The same with another error.
    pub fn map<F>(self, f: impl FnOnce(E) -> F) -> Rejected<F> {
        match self {
            Rejected::Error(error) => Rejected::Error(f(error)),
            Rejected::Abandoned => Rejected::Abandoned,
            Rejected::Cancelled => Rejected::Cancelled,
        }
    }
}

const ABANDONED: &str = "the promise was dropped unresolved";
const CANCELLED: &str = "the future was cancelled";

impl<E: fmt::Display> fmt::Display for Rejected<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejected::Error(error) => error.fmt(f),
            Rejected::Abandoned => f.pad(ABANDONED),
            Rejected::Cancelled => f.pad(CANCELLED),
        }
    }
}

impl<E: Error> Error for Rejected<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Rejected::Error(error) => error.source(),
            Rejected::Abandoned | Rejected::Cancelled => None,
        }
    }
}

impl From<Rejected<io::Error>> for io::Error {
    fn from(rejected: Rejected<io::Error>) -> io::Error {
        match rejected {
            Rejected::Error(error) => error,
            Rejected::Abandoned => io::Error::other(ABANDONED),
            Rejected::Cancelled => io::Error::other(CANCELLED),
        }
    }
}
