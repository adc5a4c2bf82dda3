//! `cancel_scope` and `shield`.

use super::levels::{Level, Surroundings};
use super::{CancelToken, Cancelled};

/// Runs `f` with a token that cancels it: then the wait that it is in ends, or the next one that it begins, and `f` is left by unwinding.
///
/// The token may be cloned and given to whoever shall be able to end `f`. What holds for [`timeout`](crate::timeout) holds here: destructors run and
/// may wait, nothing that has succeeded is lost, code that computes and never waits is not interrupted, `catch_unwind` does not save it, scopes may
/// be nested.
///
/// # Errors
/// [`Cancelled`], if `f` was left; if it returned although the token was cancelled, that counts.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// let outcome = corun::cancel_scope(|token| {
///     let canceller = token.clone();
///     corun::spawn(move || canceller.cancel());
///     corun::park();
///     unreachable!("nobody unparks it");
/// });
/// assert!(outcome.is_err());
/// ```
pub fn cancel_scope<T>(f: impl FnOnce(&CancelToken) -> T) -> Result<T, Cancelled> {
    let token = CancelToken::new();
    token.run(|| f(&token))
}

/// Was the caller cancelled: by a token or a timeout that it runs under, or by its handle?
///
/// For computations that never wait, and so are not left by themselves; and where nothing unwinds (`panic = "abort"`). It looks through no
/// [`shield`].
///
/// # Errors
/// [`Cancelled`], if so. The cause is that of the token.
///
/// # Examples
/// ```
/// fn sum(numbers: impl Iterator<Item = u64>) -> Result<u64, corun::Cancelled> {
///     let mut sum = 0;
///     for number in numbers {
///         corun::check_cancelled()?;
///         sum += number;
///     }
///     Ok(sum)
/// }
/// assert_eq!(sum(0..10).unwrap(), 45);
/// ```
pub fn check_cancelled() -> Result<(), Cancelled> {
    match Surroundings::looked_for() {
        Some(around) => around.check(),
        None => Ok(()),
    }
}

/// Runs `f` to its end, whatever is cancelled around it: no wait in `f` is cut short, by no token, handle or timeout from outside.
///
/// For work that must not be left half-done. Scopes and timeouts inside of `f` work as ever. What was cancelled meanwhile is left at the first wait
/// after `f`. Destructors need no shield while the coroutine unwinds.
///
/// # Panics
/// With the panic of `f`.
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let mut written = 0;
/// let outcome = corun::timeout(Duration::from_millis(1), || {
///     corun::shield(|| {
///         corun::sleep(Duration::from_millis(5));
///         written += 1;
///     });
///     corun::park();
/// });
/// assert!(outcome.is_err());
/// assert_eq!(written, 1);
/// ```
pub fn shield<T>(f: impl FnOnce() -> T) -> T {
    match Level::shield().run(f) {
        Some(value) => value,
        None => unreachable!("nothing unwinds to a shield"),
    }
}
