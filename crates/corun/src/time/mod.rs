//! Time: sleeping, timeouts, timers and intervals, and the clock that they go by.
//!
//! | to | use |
//! |---|---|
//! | wait for a while | [`sleep`], [`sleep_until`] |
//! | give up anything that takes too long | [`timeout`], [`timeout_at`] |
//! | have an alarm that can be moved and taken back | [`Timer`], also in a `select!` |
//! | do something at a steady pace | [`interval`], [`interval_at`] |
//! | wait for a time in a `select!` | [`channel::after`](crate::channel::after), [`channel::tick`](crate::channel::tick) |
//! | wait in an async task | [`sleep_async`], [`timeout_async`], [`Timer::wait_async`], [`Interval::tick_async`] |
//! | test any of this in no time | [`#[corun::test(start_paused)]`](crate::test), [`pause`] |
//!
//! Everything works in coroutines, which are suspended, and on plain threads, which are blocked. Nothing is early, and what is late is so by some
//! tens of microseconds as long as a worker is free. Waits of days cost no more than those of a millisecond.
//!
//! ```
//! use std::time::Duration;
//! use corun::time::{interval, now, timeout};
//!
//! // A line every millisecond, for ten of them.
//! let start = now();
//! let result = timeout(Duration::from_millis(10), || {
//!     for tick in interval(Duration::from_millis(1)) {
//!         println!("{:?}", tick - start);
//!     }
//! });
//! assert!(result.is_err());
//! ```

mod arm;
pub(crate) mod clock;
mod delay;
mod interval;
mod pause;
mod timeout;
mod timer;
mod timer_wait;
pub(crate) mod timers;

pub use clock::now;
pub use delay::{Sleep, Timeout, sleep_async, sleep_until_async, timeout_async};
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use pause::{advance, pause, resume};
pub use std::time::{Duration, Instant};
pub use timeout::{Elapsed, timeout, timeout_at, timeout_at as deadline};
pub use timer::Timer;
pub use timer_wait::TimerWait;

use crate::cancel::limit::Limit;

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
    limit.sleep();
    limit.expired();
}
