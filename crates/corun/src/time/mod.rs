//! Time: sleeping, timeouts, and the clock that they go by.

pub(crate) mod clock;
pub(crate) mod limit;
mod pause;
mod timeout;
pub(crate) mod timers;

pub use clock::now;
pub use pause::{advance, pause, resume};
pub use std::time::{Duration, Instant};
pub use timeout::{Elapsed, timeout, timeout_at};

use crate::scheduler::signal::Signal;
use limit::Limit;

/// Suspends the coroutine for at least `duration`; a plain thread is blocked. It never wakes early.
///
/// # Panics
/// Inside [`no_suspend`](crate::no_suspend).
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let sleepers: Vec<_> = (0..100).map(|_| corun::spawn(|| corun::sleep(Duration::from_millis(10)))).collect();
/// for sleeper in sleepers {
///     sleeper.join().unwrap();
/// }
/// assert!(start.elapsed() >= Duration::from_millis(10));
/// ```
pub fn sleep(duration: Duration) {
    // A time too far away to be told is for ever.
    wait_until(now().checked_add(duration));
}

/// Suspends the coroutine until `deadline`; a plain thread is blocked. It never wakes early.
///
/// # Panics
/// Inside [`no_suspend`](crate::no_suspend).
pub fn sleep_until(deadline: Instant) {
    wait_until(Some(deadline));
}

fn wait_until(deadline: Option<Instant>) {
    let limit = Limit::new(deadline);
    // Nobody knows the signal but the timer.
    Signal::new().wait_until(limit.deadline());
    limit.expired();
}
