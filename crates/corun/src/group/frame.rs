//! Start now, wait when the value is needed: [`xasync`] and [`xawait`].

use std::fmt;
use std::panic::resume_unwind;

use crate::coroutine::{JoinHandle, spawn};

/// A call that was started, and whose result has not been asked for: see [`xasync`].
#[must_use = "the call goes on by itself, and nobody will see its result"]
pub struct Frame<T>(JoinHandle<T>);

/// Starts a call, and goes on at once. The frame stands for its result, which [`xawait`] waits for when it is needed.
///
/// It is [`spawn`](crate::spawn()) under the name of what it means for a program: any function may be started so, whether it waits
/// or computes, and none needs to know.
///
/// # Examples
/// ```
/// use corun::{xasync, xawait};
///
/// fn double(n: u32) -> u32 {
///     corun::sleep(std::time::Duration::from_millis(1));
///     2 * n
/// }
///
/// let (first, second) = (xasync(|| double(20)), xasync(|| double(1)));
/// // Both are under way.
/// assert_eq!(xawait(first) + xawait(second), 42);
/// ```
#[track_caller]
pub fn xasync<F, T>(f: F) -> Frame<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    Frame(spawn(f))
}

/// Waits, if it must, for the result of a call that [`xasync`] has started.
///
/// # Panics
/// With the panic of the call, as if it had been made here.
pub fn xawait<T>(frame: Frame<T>) -> T {
    match frame.0.join() {
        Ok(value) => value,
        Err(payload) => resume_unwind(payload),
    }
}

impl<T> Frame<T> {
    /// Is the result there?
    pub fn is_finished(&self) -> bool {
        self.0.is_finished()
    }

    /// The handle of the coroutine in which the call runs.
    pub fn into_handle(self) -> JoinHandle<T> {
        self.0
    }
}

impl<T> fmt::Debug for Frame<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Frame").field(&self.0).finish()
    }
}
