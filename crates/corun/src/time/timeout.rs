//! `timeout`: work that ends when its time is up.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use super::now;
use crate::cancel::levels::Level;

/// The time of a [`timeout`] was up before its closure had ended.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let error = corun::timeout(Duration::from_millis(1), corun::park).unwrap_err();
/// assert_eq!(error.to_string(), "the time was up");
/// assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::TimedOut);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elapsed(());

impl Elapsed {
    pub(crate) fn new() -> Elapsed {
        Elapsed(())
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time was up")
    }
}

impl Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

/// Runs `f`, but no longer than `duration`: then the wait that it is in ends, or the next one that it begins, and `f` is left.
///
/// It is left by unwinding, as by a panic that nobody sees: destructors run, the panic hook does not. So everything in `f` that waits is
/// given up, however deep in whatever library: sleeps, joins, locks, channels, sockets. It works on plain threads too.
///
/// - Nothing is lost: an operation that has succeeded returns its result, even if the time is up by then. So does `f` itself.
/// - Code that computes and never waits is not interrupted; [`yield_now`](crate::yield_now) and, at the end of a time
///   slice, [`checkpoint`](crate::checkpoint) are places where `f` can be left.
/// - Destructors may wait, as long as they like: nothing is cut short while the thread unwinds. Locks that are held then are poisoned, as by
///   a panic.
/// - `catch_unwind` inside of `f` does not save it: the next wait unwinds again.
/// - Timeouts may be nested. The earliest deadline counts, and each timeout reports its own.
/// - A coroutine that is being joined goes on; only the join is given up. A [`scope`](crate::scope) is never left before its children have
///   ended, and a closure that runs in [`blocking`](crate::blocking) is waited for, as both may borrow. The children
///   of a scope are cancelled.
/// - In a program that is compiled with `panic = "abort"` nothing can unwind. Only waits of sockets end then, with an error of kind
///   [`TimedOut`](io::ErrorKind::TimedOut); `f` returns what it makes of that.
///
/// # Errors
/// [`Elapsed`], if `f` was left.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// use std::io::Read;
/// use std::time::Duration;
/// use corun::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut silent = TcpStream::connect(listener.local_addr()?)?;
/// let answer = corun::timeout(Duration::from_millis(5), || {
///     let mut text = String::new();
///     silent.read_to_string(&mut text).map(|_| text)
/// });
/// assert!(answer.is_err());
///
/// // With `??` both the timeout and the read's own error become an `io::Error`.
/// fn greeting(mut from: TcpStream) -> std::io::Result<[u8; 5]> {
///     corun::timeout(Duration::from_secs(10), || {
///         let mut bytes = [0; 5];
///         from.read_exact(&mut bytes).map(|_| bytes)
///     })?
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn timeout<T>(duration: Duration, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    match now().checked_add(duration) {
        Some(deadline) => timeout_at(deadline, f),
        // A time too far away to be told never comes.
        None => Ok(f()),
    }
}

/// As [`timeout`], until a point in time.
///
/// # Errors
/// [`Elapsed`], if `f` was left.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// // One deadline for several steps.
/// let deadline = corun::time::now() + Duration::from_millis(5);
/// let steps = (0..).take_while(|_| {
///     corun::timeout_at(deadline, || corun::sleep(Duration::from_millis(1))).is_ok()
/// });
/// assert!(steps.count() <= 5);
/// ```
pub fn timeout_at<T>(deadline: Instant, f: impl FnOnce() -> T) -> Result<T, Elapsed> {
    Level::until(deadline).run(f).ok_or_else(Elapsed::new)
}
