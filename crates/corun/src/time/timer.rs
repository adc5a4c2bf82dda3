//! [`Timer`]: a point in time that can be waited for, moved and taken back.
//!
//! # Protocol
//! A timer is a deadline under a lock, and nothing else: nothing fires, and no entry is in any heap, unless somebody waits. A waiter puts its
//! node into the list and waits until the deadline that it found. Woken, it takes the lock and looks again: if the timer's deadline
//! has passed by then, it takes the deadline out, and that is the delivery; there can be no second one. Else the timer was stopped, moved or
//! delivered to another, and the waiter begins anew. Who moves or stops the timer wakes those who wait for what it was.
//!
//! So there is no value that could be stale: what is delivered is what the timer is at that moment.
//!
//! Rejected: a timer that fires into a channel of one place, as Go's did until 1.23 (stop and reset race with the value, and every
//! caller has to drain the channel); a thread or coroutine for each timer.
//!
//! Checked by `tests/models/time/timer_model.rs` in every interleaving; behaviour by `tests/time/timer.rs`.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomPinned;
use std::ptr;
use std::task::Waker;
use std::time::{Duration, Instant};

use super::now;
use crate::cancel::limit::Limit;
use crate::scheduler::lock::SpinLock;
use crate::scheduler::safepoint;
use crate::scheduler::signal::{Signal, Wakeup};

/// A point in time to wait for, which can be moved and taken back while others wait for it: Go's `time.Timer`.
///
/// A timer is *armed* when it is made. Once its time has come, one call of [`wait`](Timer::wait) or [`try_wait`](Timer::try_wait) has it, and it is
/// armed no longer. [`stop`](Timer::stop) takes the time back, [`reset`](Timer::reset) sets another. Both are final: no call that
/// comes after them, and none that waits meanwhile, ever sees the time that was set before.
///
/// It may be shared. It needs no memory beyond itself, and costs nothing while nobody waits for it.
///
/// # Examples
/// A watchdog that barks when it was not fed for a while:
/// ```
/// use std::time::Duration;
/// use corun::time::Timer;
///
/// # corun::Runtime::builder().start_paused(true).build().unwrap().block_on(|| {
/// let patience = Duration::from_secs(10);
/// let timer = Timer::new(patience);
/// let start = corun::time::now();
/// corun::scope(|scope| {
///     scope.spawn(|| {
///         for _ in 0..5 {
///             corun::sleep(Duration::from_secs(3));
///             timer.reset(patience);
///         }
///     });
///     timer.wait();
/// });
/// assert_eq!(start.elapsed_in_runtime(), Duration::from_secs(25));
/// # });
/// # trait Elapsed { fn elapsed_in_runtime(&self) -> Duration; }
/// # impl Elapsed for std::time::Instant {
/// #     fn elapsed_in_runtime(&self) -> Duration { corun::time::now() - *self }
/// # }
/// ```
pub struct Timer {
    pub(super) state: SpinLock<State>,
}

pub(super) struct State {
    /// `None` if it is not armed.
    pub(super) deadline: Option<Instant>,
    /// Counts changes of the deadline, for waiters to be told apart that wait for an earlier one.
    pub(super) changes: u64,
    first: *const Waiter,
    last: *const Waiter,
}

// SAFETY: nodes in the list belong to waiters that unlink them, or see them unlinked, under the lock before they go; signals are made to be
// notified from other threads.
unsafe impl Send for State {}

/// Somebody who waits, on its own stack or in its pinned future. Used under the timer's lock.
pub(super) struct Waiter {
    pub(super) signal: Signal,
    /// Which deadline it waits for.
    pub(super) change: Cell<u64>,
    pub(super) linked: Cell<bool>,
    prev: Cell<*const Waiter>,
    next: Cell<*const Waiter>,
    _pinned: PhantomPinned,
}

/// Longer than any program runs.
const FAR: Duration = Duration::from_secs(100 * 366 * 24 * 3600);

fn after(duration: Duration) -> Instant {
    let now = now();
    now.checked_add(duration.min(FAR)).unwrap_or(now)
}

impl Timer {
    /// A timer for `duration` from now.
    pub fn new(duration: Duration) -> Timer {
        Timer::at(after(duration))
    }

    /// A timer for a point in time; one that has passed is due at once.
    pub fn at(deadline: Instant) -> Timer {
        Timer {
            state: SpinLock::new(State {
                deadline: Some(deadline),
                changes: 0,
                first: ptr::null(),
                last: ptr::null(),
            }),
        }
    }

    /// Waits until the timer is due, and has it: returns the time that was set. While the timer is not armed, it waits for a
    /// [`reset`](Timer::reset). Of several who wait one has it, and the others go on waiting.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it has to wait.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use corun::time::{Timer, now};
    ///
    /// let timer = Timer::new(Duration::from_millis(5));
    /// let due = timer.wait();
    /// assert!(due <= now());
    /// ```
    pub fn wait(&self) -> Instant {
        if let Some(due) = self.try_wait() {
            safepoint();
            return due;
        }
        loop {
            let waiter = Waiter::new();
            let limit = match self.enqueue(&waiter) {
                Ok(due) => return due,
                Err(limit) => limit,
            };
            let leave = || {
                let mut state = self.state.lock();
                let linked = waiter.linked.get();
                if linked {
                    // SAFETY: it is in this list.
                    unsafe { state.unlink(&waiter) };
                }
                linked
            };
            if limit.wait(&waiter.signal, leave) {
                continue;
            }
            let due = self.state.lock().take(now());
            match due {
                Some(due) => return due,
                None => limit.expired(),
            }
        }
    }

    /// Has the timer if it is due. Else puts a waiter into the list, and says until when it has to wait. It stays until it was notified, or has
    /// taken itself out.
    fn enqueue(&self, waiter: &Waiter) -> Result<Instant, Limit> {
        let now = now();
        let mut state = self.state.lock();
        if let Some(due) = state.take(now) {
            return Ok(due);
        }
        let deadline = state.deadline;
        waiter.change.set(state.changes);
        // SAFETY: as above; it is new.
        unsafe { state.link(waiter) };
        drop(state);
        Err(Limit::new(deadline))
    }

    /// Has the timer, if it is due: returns the time that was set.
    pub fn try_wait(&self) -> Option<Instant> {
        let now = now();
        self.state.lock().take(now)
    }

    /// Takes the time back. Returns whether the timer was armed: if not, it was stopped before, or somebody has had it.
    ///
    /// Whoever waits goes on waiting, for a [`reset`](Timer::reset).
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use corun::time::Timer;
    ///
    /// let timer = Timer::new(Duration::ZERO);
    /// assert!(timer.stop());
    /// // It was due, but now there is nothing to be had any more.
    /// assert_eq!(timer.try_wait(), None);
    /// assert!(!timer.stop());
    /// ```
    pub fn stop(&self) -> bool {
        self.change(None)
    }

    /// Sets the time to `duration` from now. Returns whether the timer was armed before.
    ///
    /// Whoever waits goes on waiting, for the new time.
    pub fn reset(&self, duration: Duration) -> bool {
        self.change(Some(after(duration)))
    }

    /// Sets the time. Returns whether the timer was armed before.
    pub fn reset_at(&self, deadline: Instant) -> bool {
        self.change(Some(deadline))
    }

    /// The time that is set; `None` if the timer is not armed.
    pub fn deadline(&self) -> Option<Instant> {
        self.state.lock().deadline
    }

    fn change(&self, deadline: Option<Instant>) -> bool {
        let mut state = self.state.lock();
        let was_armed = std::mem::replace(&mut state.deadline, deadline).is_some();
        state.changes += 1;
        let changes = state.changes;
        // A waiter may be an async task, whose waker is foreign code, so nobody is woken under the lock. Those who link themselves meanwhile do so at the end.
        while let Some(wakeup) = state.pop_before(changes) {
            drop(state);
            wakeup.wake();
            state = self.state.lock();
        }
        was_armed
    }
}

impl State {
    /// The delivery.
    pub(super) fn take(&mut self, now: Instant) -> Option<Instant> {
        self.deadline.take_if(|deadline| *deadline <= now)
    }

    /// # Safety
    /// The waiter must be in no list, and stay until it is in none again.
    pub(super) unsafe fn link(&mut self, waiter: &Waiter) {
        waiter.linked.set(true);
        waiter.prev.set(self.last);
        waiter.next.set(ptr::null());
        match self.last.is_null() {
            true => self.first = waiter,
            // SAFETY: linked waiters are alive.
            false => unsafe { (*self.last).next.set(waiter) },
        }
        self.last = waiter;
    }

    /// # Safety
    /// The waiter must be in this list.
    pub(super) unsafe fn unlink(&mut self, waiter: &Waiter) {
        let (prev, next) = (waiter.prev.get(), waiter.next.get());
        match prev.is_null() {
            true => self.first = next,
            // SAFETY: linked waiters are alive.
            false => unsafe { (*prev).next.set(next) },
        }
        match next.is_null() {
            true => self.last = prev,
            // SAFETY: linked waiters are alive.
            false => unsafe { (*next).prev.set(prev) },
        }
        waiter.linked.set(false);
    }

    /// Unlinks the first waiter that waits for a deadline from before a change, and wins the right to wake it. Those whose time is up wake by
    /// themselves.
    fn pop_before(&mut self, changes: u64) -> Option<Wakeup> {
        loop {
            // SAFETY: linked waiters are alive.
            let first = unsafe { self.first.as_ref() }?;
            if first.change.get() >= changes {
                return None;
            }
            // SAFETY: it is in this list, and alive until this lock is free, or until it was claimed.
            let wakeup = unsafe {
                self.unlink(first);
                Signal::claim(&raw const first.signal)
            };
            if wakeup.is_some() {
                return wakeup;
            }
        }
    }
}

impl Waiter {
    fn new() -> Waiter {
        Waiter::with(Signal::new())
    }

    /// For an async task.
    pub(super) fn for_task(waker: &Waker) -> Waiter {
        Waiter::with(Signal::for_task(waker))
    }

    fn with(signal: Signal) -> Waiter {
        Waiter {
            signal,
            change: Cell::new(0),
            linked: Cell::new(false),
            prev: Cell::new(ptr::null()),
            next: Cell::new(ptr::null()),
            _pinned: PhantomPinned,
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer")
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
