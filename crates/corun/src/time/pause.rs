//! Stopping the clock of the calling coroutine's runtime.

use std::time::{Duration, Instant};

use crate::scheduler::Scheduler;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;

/// What `now` returns in a process in which a clock was paused.
#[cold]
pub(super) fn now_of_caller(real: Instant) -> Instant {
    match Worker::current() {
        Some(worker) => worker.shared().scheduler.clock.at(real),
        None => real,
    }
}

#[track_caller]
fn scheduler() -> &'static Scheduler {
    match Worker::of_coroutine() {
        Some(worker) => &worker.shared().scheduler,
        None => panic!("a clock is paused by a coroutine of its runtime"),
    }
}

/// Stops the clock of the runtime that the calling coroutine belongs to. For tests.
///
/// From now on [`now`](super::now) stands still while anything runs. Whenever every coroutine of the runtime waits, no closure of
/// [`blocking`](crate::blocking) runs and nothing is left to start, time jumps to the earliest deadline that somebody waits for. So
/// a test of hours takes microseconds, and the order of what happens is that of the deadlines.
///
/// - Everything in corun goes by this clock: sleeps, timeouts, timers, intervals, deadlines of channels and locks. `Instant::now` of std
///   does not, so code under test has to ask [`now`](super::now).
/// - Sockets, plain threads and other processes live in real time. As a runtime that waits for nothing else counts as waiting, a read
///   with a timeout may see it pass before the peer can answer: use a paused clock with I/O that stays within the runtime, such as channels.
///
/// [`#[corun::test(start_paused)]`](crate::test) and [`Builder::start_paused`](crate::runtime::Builder::start_paused) do it before
/// anything runs. Does nothing if the clock is paused already.
///
/// # Panics
/// Outside of coroutines.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let runtime = corun::Runtime::builder().start_paused(true).build()?;
/// let real = Instant::now();
/// runtime.block_on(|| {
///     let start = corun::time::now();
///     corun::sleep(Duration::from_secs(3600));
///     assert_eq!(corun::time::now() - start, Duration::from_secs(3600));
/// });
/// assert!(real.elapsed() < Duration::from_secs(60));
/// # Ok::<(), std::io::Error>(())
/// ```
#[track_caller]
pub fn pause() {
    scheduler().clock.pause();
}

/// Lets a paused clock go on, from where it stands, at the speed of real time.
///
/// # Panics
/// Outside of coroutines, and if the clock is not paused.
#[track_caller]
pub fn resume() {
    let scheduler = scheduler();
    assert!(scheduler.clock.resume(), "the clock is not paused");
    scheduler.wake_all();
}

/// Moves a paused clock by `duration` at once: as soon as everything waits. Returns when all that has become due has run until it waits again.
///
/// Unlike a [`sleep`](crate::sleep) of the same time, which lets everything that is due before have its own moment, this is one
/// jump: all of it happens at the later time.
///
/// # Panics
/// Outside of coroutines, if the clock is not paused, and inside [`no_suspend`](crate::no_suspend).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// # corun::Runtime::builder().start_paused(true).build().unwrap().block_on(|| {
/// let sleeper = corun::spawn(|| corun::sleep(Duration::from_secs(10)));
/// corun::time::advance(Duration::from_secs(9));
/// assert!(!sleeper.is_finished());
/// corun::time::advance(Duration::from_secs(1));
/// assert!(sleeper.is_finished());
/// # });
/// ```
#[track_caller]
pub fn advance(duration: Duration) {
    let scheduler = scheduler();
    for step in [Duration::ZERO, duration] {
        let signal = Signal::sole();
        // SAFETY: it waits for the one notification below.
        let paused = unsafe { scheduler.clock.advance(step, &signal) };
        assert!(paused, "the clock is not paused");
        scheduler.wake_all();
        signal.wait();
    }
}
