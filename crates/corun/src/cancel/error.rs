//! The error of whoever was cancelled.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Why something was cancelled, as whoever did it says.
pub(super) type Cause = Arc<dyn Error + Send + Sync>;

/// The work was cancelled, and left at a place where it waited.
///
/// It is what [`CancelToken::run`](crate::CancelToken::run) and [`cancel_scope`](crate::cancel_scope()) return, and the payload that
/// [`JoinHandle::join`](crate::JoinHandle::join) finds for a coroutine that [`JoinHandle::cancel`](crate::JoinHandle::cancel) has ended.
///
/// # Examples
/// ```
/// let sleeper = corun::spawn(corun::park);
/// sleeper.cancel();
/// let payload = sleeper.join().unwrap_err();
/// assert!(payload.is::<corun::Cancelled>());
/// ```
#[derive(Clone, Default)]
pub struct Cancelled {
    cause: Option<Cause>,
}

impl Cancelled {
    pub(crate) fn new(cause: Option<Cause>) -> Cancelled {
        Cancelled { cause }
    }

    /// Why, if whoever cancelled has said so.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.cause.as_deref()
    }
}

impl fmt::Debug for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cancelled")
            .field("cause", &self.cause)
            .finish()
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Some(cause) => write!(f, "cancelled: {cause}"),
            None => f.write_str("cancelled"),
        }
    }
}

impl Error for Cancelled {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}

impl From<Cancelled> for io::Error {
    /// Of kind `Other`: `Interrupted` would have callers try again.
    fn from(cancelled: Cancelled) -> io::Error {
        io::Error::other(cancelled)
    }
}
