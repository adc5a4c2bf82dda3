//! A [`Timer`] for async tasks to wait for.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use super::timer::Waiter;
use super::{Sleep, Timer, now, sleep_until_async};

impl Timer {
    /// As [`wait`](Timer::wait), for an async task. The future that is dropped before it is ready leaves the time to others.
    ///
    /// # Examples
    /// ```
    /// use corun::time::Timer;
    ///
    /// async fn until_due(timer: &Timer) {
    ///     let due = timer.wait_async().await;
    ///     println!("it was set to {due:?}");
    /// }
    /// # let _ = until_due;
    /// ```
    pub fn wait_async(&self) -> TimerWait<'_> {
        TimerWait {
            timer: self,
            waiter: None,
            sleep: None,
        }
    }
}

/// What [`Timer::wait_async`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct TimerWait<'a> {
    timer: &'a Timer,
    /// Learns of changes; linked, or notified.
    waiter: Option<Waiter>,
    /// Until the time that was set when the waiter was linked.
    sleep: Option<Sleep>,
}

// SAFETY: the waiter is used under the timer's lock, and its signal is `Send` and `Sync`.
unsafe impl Send for TimerWait<'_> {}
// SAFETY: nothing can be done through a shared reference.
unsafe impl Sync for TimerWait<'_> {}

impl TimerWait<'_> {
    /// Has the timer, if it is due. Else sees to it that the next change wakes the task.
    fn look(&mut self, waker: &Waker) -> Option<Instant> {
        let now = now();
        // Wakers are cloned and dropped without the lock, as they are foreign code.
        let mut newest = waker.clone();
        if let Some(waiter) = &self.waiter {
            let mut state = self.timer.state.lock();
            let due = state.take(now);
            if due.is_some() {
                return due;
            }
            // SAFETY: under the lock of the list.
            if waiter.linked.get() && !unsafe { waiter.signal.poll(&mut newest) } {
                return None;
            }
        }
        self.leave();
        let waiter = self.waiter.insert(Waiter::for_task(waker));
        let mut state = self.timer.state.lock();
        let due = state.take(now);
        if due.is_none() {
            let deadline = state.deadline;
            waiter.change.set(state.changes);
            // SAFETY: it is new, and the future, which is pinned, unlinks it before it goes.
            unsafe { state.link(waiter) };
            drop(state);
            self.sleep = deadline.map(sleep_until_async);
        }
        due
    }

    fn leave(&mut self) {
        if let Some(waiter) = &self.waiter {
            let mut state = self.timer.state.lock();
            if waiter.linked.get() {
                // SAFETY: it is in this list.
                unsafe { state.unlink(waiter) };
            }
        }
        self.waiter = None;
    }
}

impl Future for TimerWait<'_> {
    type Output = Instant;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Instant> {
        // SAFETY: what is linked somewhere is not moved.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            if let Some(due) = this.look(cx.waker()) {
                this.sleep = None;
                this.leave();
                return Poll::Ready(due);
            }
            let Some(sleep) = &mut this.sleep else {
                return Poll::Pending;
            };
            // SAFETY: it stays in the pinned future until it is dropped in its place.
            if unsafe { Pin::new_unchecked(sleep) }.poll(cx).is_pending() {
                return Poll::Pending;
            }
            // The time has come, or somebody else has had the timer: then only a change can help.
            this.sleep = None;
        }
    }
}

impl Drop for TimerWait<'_> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl fmt::Debug for TimerWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerWait")
            .field("timer", self.timer)
            .finish_non_exhaustive()
    }
}
