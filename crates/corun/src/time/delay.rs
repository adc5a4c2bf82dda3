//! Waiting for a time as an async task: [`sleep_async`], [`timeout_async`].
//!
//! # Protocol
//! A [`Sleep`] that is polled before its time puts its signal into the heap of a worker: that of the caller, or, on a thread that is none, one of
//! the default runtime, which it wakes to look at its heap again. From then on the task may move, and the future be dropped, anywhere: the heap's
//! lock is the one under which the signal is claimed, its waker exchanged, and the entry taken back. The waker is foreign code and runs
//! when the lock is free. A worker does not end while its heap has entries.
//!
//! Rejected: a coroutine that sleeps for each such future (a stack for each); a thread for timers (a second heap, and a wake-up of another
//! thread for each that is due).

use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::timers::TimerId;
use super::{Elapsed, now};
use crate::inspect::points;
use crate::runtime;
use crate::scheduler::shared::Shared;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;
use crate::scheduler::{self, Scheduler};

/// A future that is ready after `duration`, and not before: [`sleep`](crate::sleep) for async tasks, on corun or any other executor.
///
/// The time counts from this call. What wakes the task is the worker on which it was first polled; on other threads, one of the default runtime.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
/// use corun::time::sleep_async;
///
/// let start = Instant::now();
/// corun::block_on(async {
///     sleep_async(Duration::from_millis(5)).await;
/// });
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn sleep_async(duration: Duration) -> Sleep {
    // A time too far away to be told never comes.
    Sleep::new(now().checked_add(duration))
}

/// A future that is ready at `deadline`, and not before.
pub fn sleep_until_async(deadline: Instant) -> Sleep {
    Sleep::new(Some(deadline))
}

/// What [`sleep_async`] and [`sleep_until_async`] return.
#[must_use = "futures do nothing unless they are polled"]
pub struct Sleep {
    /// `None`: never.
    deadline: Option<Instant>,
    elapsed: bool,
    alarm: Option<Alarm>,
    _pinned: PhantomPinned,
}

/// An entry in the heap of a worker.
struct Alarm {
    signal: Signal,
    timer: Option<TimerId>,
    /// Keeps the worker's shared part; dropped after the entry was taken out.
    _scheduler: Arc<Scheduler>,
    worker: *const Shared,
}

// SAFETY: the signal is used under the lock of the heap; the worker's shared part is made for all threads, and kept alive.
unsafe impl Send for Alarm {}
// SAFETY: as above.
unsafe impl Sync for Alarm {}

impl Alarm {
    fn new(waker: &Waker) -> Alarm {
        let (scheduler, worker) = match Worker::current() {
            Some(worker) => {
                let shared = worker.shared();
                (shared.scheduler.to_arc(), &raw const *shared)
            }
            None => {
                static NEXT: AtomicUsize = AtomicUsize::new(0);
                let scheduler = Arc::clone(&runtime::global().scheduler);
                let shared = scheduler.any_worker(NEXT.fetch_add(1, Ordering::Relaxed));
                (scheduler, shared)
            }
        };
        Alarm {
            signal: Signal::for_task(waker),
            timer: None,
            _scheduler: scheduler,
            worker,
        }
    }

    fn worker(&self) -> &Shared {
        // SAFETY: a scheduler keeps the shared parts of its workers.
        unsafe { &*self.worker }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Some(timer) = self.timer {
            self.worker().disarm_for_task(timer, &self.signal);
        }
    }
}

impl Sleep {
    fn new(deadline: Option<Instant>) -> Sleep {
        Sleep {
            deadline,
            elapsed: false,
            alarm: None,
            _pinned: PhantomPinned,
        }
    }

    /// When it is ready; `None` if that is too far away to be told.
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Was it ready?
    pub fn is_elapsed(&self) -> bool {
        self.elapsed
    }

    /// Sets another time. The task is not woken by this, so it has to poll again.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        // SAFETY: nothing is moved; the alarm leaves the heap before it goes.
        let this = unsafe { self.get_unchecked_mut() };
        this.alarm = None;
        this.elapsed = false;
        this.deadline = Some(deadline);
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: the alarm is not moved while it is in a heap.
        let this = unsafe { self.get_unchecked_mut() };
        if this.elapsed {
            return Poll::Ready(());
        }
        let address = ptr::from_ref(this).addr();
        let Some(deadline) = this.deadline else {
            return Poll::Pending;
        };
        this.elapsed = now() >= deadline
            || match &mut this.alarm {
                Some(alarm) => {
                    // Cloned and dropped without the lock, as it is foreign code.
                    let mut waker = cx.waker().clone();
                    alarm.worker().poll_for_task(&alarm.signal, &mut waker)
                }
                none => {
                    let alarm = none.insert(Alarm::new(cx.waker()));
                    let worker = alarm.worker;
                    // SAFETY: alive: see `Alarm::worker`. The future is pinned, and its alarm leaves the heap when it is dropped.
                    alarm.timer = Some(unsafe { (*worker).arm_for_task(deadline, &alarm.signal) });
                    points::future_pending(address);
                    false
                }
            };
        if this.elapsed {
            points::future_completed(address, true);
            this.alarm = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// Gives `future` no more than `duration` from now: [`timeout`](super::timeout) for async tasks. When the time is up, the future is not polled again;
/// it is dropped with what this returns.
///
/// # Errors
/// The output is [`Elapsed`] if the future was not ready in time.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use corun::channel::unbounded;
/// use corun::time::timeout_async;
///
/// let (_sender, receiver) = unbounded::<u8>();
/// let message = corun::block_on(timeout_async(Duration::from_millis(2), receiver.recv_async()));
/// assert!(message.is_err());
/// ```
pub fn timeout_async<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        future: future.into_future(),
        sleep: sleep_async(duration),
    }
}

/// What [`timeout_async`] returns.
#[must_use = "futures do nothing unless they are polled"]
#[derive(Debug)]
pub struct Timeout<F> {
    future: F,
    sleep: Sleep,
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: both fields stay where they are: neither is moved out, and there is no destructor that could.
        let (future, sleep) = unsafe {
            let this = self.get_unchecked_mut();
            (
                Pin::new_unchecked(&mut this.future),
                Pin::new_unchecked(&mut this.sleep),
            )
        };
        match future.poll(cx) {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending => sleep.poll(cx).map(|()| Err(Elapsed::new())),
        }
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("deadline", &self.deadline)
            .field("elapsed", &self.elapsed)
            .finish_non_exhaustive()
    }
}
