//! Blocking work off the workers: `blocking` and `try_blocking`.
//!
//! A closure that waits in the kernel without the runtime's knowledge (files, name resolution, a C library), or that computes for long,
//! would keep its worker from running other coroutines. `blocking` runs it on a thread of a pool (`pool.rs`) and parks the coroutine; the
//! closure may borrow from the caller's stack (`job.rs` says why that is sound).

pub(crate) mod completion;
mod job;
mod pool;

use std::error::Error;
use std::{fmt, io};

use crate::cancel::limit::Limit;
pub(crate) use pool::BlockingPool;

/// Runs `f` on a thread where it may block, and waits for its result.
///
/// In a coroutine, `f` runs on a thread of the runtime's blocking pool while the coroutine is parked and others run. The pool grows to what
/// is needed at once, up to `max_blocking_threads` of the runtime's builder (512 by default); beyond that calls wait their turn, first come,
/// first served, however many they are ([`try_blocking`] has a limit). Threads end when they have had no work for 10 s. Outside of coroutines `f` runs right here, as the thread may block.
///
/// `f` may borrow from the caller: this function does not return before `f` has. It runs outside of the coroutine, so
/// `coroutine_local!` values and [`current`](crate::current) are not those of the caller.
///
/// A caller that is cancelled before `f` has begun is left at once, and `f` never runs; one that is cancelled later waits for `f`, and is left then. One that owns all it needs can be left behind instead: let a coroutine of its own
/// call this, and cancel the wait for that one.
///
/// # Panics
/// With the payload of `f` if it panics; if no thread can be started and none lives (see [`try_blocking`]); inside
/// [`no_suspend`](crate::no_suspend).
///
/// # Examples
/// ```
/// let coroutine = corun::spawn(|| {
///     let name = String::from("Cargo.toml");
///     corun::blocking(|| std::fs::metadata(&name).is_ok())
/// });
/// assert!(coroutine.join().unwrap());
/// ```
///
/// A job that goes on when nobody waits for it any more:
/// ```
/// use std::time::Duration;
///
/// let job = corun::spawn(|| corun::blocking(|| std::thread::sleep(Duration::from_millis(50))));
/// assert!(corun::timeout(Duration::from_millis(1), || job.join()).is_err());
/// ```
#[track_caller]
pub fn blocking<F, T>(f: F) -> T
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    match checked(|| run(f)) {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

/// As [`blocking`], with an error instead of a panic when there is no thread to run `f`, and instead of a wait behind too many others.
///
/// # Errors
/// If the pool has no thread and the system refuses to start one; the kind is that of the system's error. While at
/// least one thread lives, calls wait for it instead. [`ResourceBusy`](io::ErrorKind::ResourceBusy) if all threads are busy and
/// `max_blocking_queue` of the runtime's builder (65,536 by default) calls wait for one. In both cases `f` has not run.
///
/// # Panics
/// With the payload of `f` if it panics; inside [`no_suspend`](crate::no_suspend).
///
/// # Examples
/// ```
/// # fn main() -> std::io::Result<()> {
/// let data = corun::try_blocking(|| std::fs::read("/proc/self/stat"))??;
/// assert!(!data.is_empty());
/// # Ok(())
/// # }
/// ```
pub fn try_blocking<F, T>(f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    checked(|| match crate::scheduler::blocking_pool() {
        Some(pool) => pool.try_run(f),
        None => Ok(f()),
    })
}

/// A call whose value may be lost: whoever is cancelled is left before it and after it.
fn checked<T>(call: impl FnOnce() -> T) -> T {
    Limit::check();
    let result = call();
    Limit::check();
    result
}

fn run<F, T>(f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    match crate::scheduler::blocking_pool() {
        Some(pool) => pool.run(f),
        None => Ok(f()),
    }
}

/// An operation of the system's that may block, in std's shape: on a thread of the pool for a coroutine, right here on a plain thread. Whoever is
/// cancelled is left before it, and never when it has been done, so that no result is lost.
///
/// # Errors
/// Those of the operation; and if there is no thread for it.
pub(crate) fn offload<T: Send>(f: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    Limit::check();
    run(f)?
}

/// How busy the threads are that run what blocks: part of the [`Metrics`](crate::inspect::Metrics) of a runtime.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockingMetrics {
    /// Threads that live or are being started.
    pub threads: usize,
    /// Of these, the ones that wait for work.
    pub idle: usize,
    /// Calls that wait for a thread.
    pub queued: usize,
    /// Calls that a thread has begun since the runtime was started.
    pub begun: u64,
    /// How many threads there may be.
    pub max_threads: usize,
    /// How many calls may wait for a thread before [`try_blocking`](crate::try_blocking) refuses.
    pub max_queued: usize,
}

/// The error of `try_blocking` when too many wait.
fn full(metrics: &BlockingMetrics) -> io::Error {
    io::Error::new(
        io::ErrorKind::ResourceBusy,
        format!(
            "the queue for blocking calls is full: {} calls wait for one of {} threads. Wait by `blocking`, or build the runtime with more \
             `max_blocking_threads` or a longer `max_blocking_queue`",
            metrics.queued, metrics.threads
        ),
    )
}

/// The error for a call that no thread could be started for.
fn refused(source: &io::Error) -> io::Error {
    io::Error::new(
        source.kind(),
        NoThread {
            source: source.to_string(),
        },
    )
}

#[derive(Debug)]
struct NoThread {
    source: String,
}

impl fmt::Display for NoThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let source = &self.source;
        write!(
            f,
            "no thread could be started for a blocking call: {source}. Raise the limit on threads (`ulimit -u`, or `pids.max` of the \
             cgroup) or free memory; a thread that lives would have been waited for"
        )
    }
}

impl Error for NoThread {}
