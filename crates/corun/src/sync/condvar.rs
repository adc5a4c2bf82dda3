//! [`Condvar`].

use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::LockResult;
use std::time::{Duration, Instant};

use super::MutexGuard;
use super::waiters::{Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::primitive::constructor;
use crate::scheduler::lock::SpinLock;
use crate::time::now;

/// Waiting for something to become true of data under a [`Mutex`](super::Mutex), in the shape of [`std::sync::Condvar`]: a coroutine
/// is suspended, a plain thread is blocked.
///
/// Waiters are served first come, first served. As with std's, a wait may end without cause, so the condition is to be checked in a loop, which
/// [`wait_while`](Condvar::wait_while) does. It may be used with several mutexes.
///
/// A coroutine that is cancelled ([`timeout`](crate::timeout)) while it waits does not take the mutex again, and poisons nothing; a
/// notification that it has got is passed on.
///
/// # Examples
/// ```
/// use corun::sync::{Arc, Condvar, Mutex};
///
/// let pair = Arc::new((Mutex::new(false), Condvar::new()));
/// let starter = Arc::clone(&pair);
/// corun::spawn(move || {
///     let (started, condvar) = &*starter;
///     *started.lock().unwrap() = true;
///     condvar.notify_one();
/// });
/// let (started, condvar) = &*pair;
/// let started = condvar.wait_while(started.lock().unwrap(), |started| !*started).unwrap();
/// assert!(*started);
/// ```
pub struct Condvar {
    state: SpinLock<State>,
}

struct State {
    waiters: Waiters,
    /// Each waiter wants a number of its own, in order of arrival.
    arrivals: usize,
}

// No code of the user's runs under the lock.
impl UnwindSafe for Condvar {}
impl RefUnwindSafe for Condvar {}

/// Whether a wait ended because its time was up.
#[derive(Debug, PartialEq, Eq, Copy, Clone)]
pub struct WaitTimeoutResult(bool);

impl WaitTimeoutResult {
    /// Was the time up?
    #[must_use]
    pub fn timed_out(&self) -> bool {
        self.0
    }
}

impl Condvar {
    constructor! {
        /// A condition variable that nobody waits for.
        #[must_use]
        pub fn new() -> Condvar {
            Condvar {
                state: SpinLock::new(State {
                    waiters: Waiters::new(),
                    arrivals: 0,
                }),
            }
        }
    }

    /// Unlocks the mutex, waits for a notification, and locks the mutex again. No notification that comes after the unlocking is missed.
    ///
    /// # Errors
    /// The guard in a [`PoisonError`](super::PoisonError), if the mutex is poisoned.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend).
    pub fn wait<'a, T: ?Sized>(&self, guard: MutexGuard<'a, T>) -> LockResult<MutexGuard<'a, T>> {
        self.wait_until(guard, None).0
    }

    /// Waits as long as `condition` returns `true`.
    ///
    /// # Errors
    /// As for [`wait`](Condvar::wait).
    ///
    /// # Panics
    /// As for [`wait`](Condvar::wait); and with the panic of `condition`.
    pub fn wait_while<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: F,
    ) -> LockResult<MutexGuard<'a, T>>
    where
        F: FnMut(&mut T) -> bool,
    {
        while condition(&mut *guard) {
            guard = self.wait(guard)?;
        }
        Ok(guard)
    }

    /// As [`wait`](Condvar::wait), for `duration` at the longest; the mutex may take longer to lock again.
    ///
    /// # Errors
    /// As for [`wait`](Condvar::wait).
    ///
    /// # Panics
    /// As for [`wait`](Condvar::wait).
    pub fn wait_timeout<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        duration: Duration,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)> {
        // A time too far away to be told is for ever.
        let deadline = now().checked_add(duration);
        let (guard, notified) = self.wait_until(guard, deadline);
        let result = WaitTimeoutResult(!notified);
        match guard {
            Ok(guard) => Ok((guard, result)),
            Err(poisoned) => Err(super::PoisonError::new((poisoned.into_inner(), result))),
        }
    }

    /// Waits as long as `condition` returns `true`, for `duration` in all.
    ///
    /// # Errors
    /// As for [`wait`](Condvar::wait).
    ///
    /// # Panics
    /// As for [`wait_while`](Condvar::wait_while).
    ///
    /// # Examples
    /// ```
    /// use corun::sync::{Condvar, Mutex};
    /// use std::time::Duration;
    ///
    /// let ready = Mutex::new(false);
    /// let never = Condvar::new();
    /// let (ready, result) = never
    ///     .wait_timeout_while(ready.lock().unwrap(), Duration::from_millis(5), |ready| !*ready)
    ///     .unwrap();
    /// assert!(result.timed_out() && !*ready);
    /// ```
    pub fn wait_timeout_while<'a, T: ?Sized, F>(
        &self,
        mut guard: MutexGuard<'a, T>,
        duration: Duration,
        mut condition: F,
    ) -> LockResult<(MutexGuard<'a, T>, WaitTimeoutResult)>
    where
        F: FnMut(&mut T) -> bool,
    {
        let start = now();
        loop {
            if !condition(&mut *guard) {
                return Ok((guard, WaitTimeoutResult(false)));
            }
            let Some(left) = duration
                .checked_sub(now().saturating_duration_since(start))
                .filter(|left| !left.is_zero())
            else {
                return Ok((guard, WaitTimeoutResult(true)));
            };
            guard = self.wait_timeout(guard, left)?.0;
        }
    }

    /// Wakes the one that has waited longest, if any waits. To hold the mutex meanwhile is allowed, and not necessary.
    pub fn notify_one(&self) {
        let wakeup = self.state.lock().waiters.grant_next();
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        let mut end = None;
        wake_in_batches(|batch| {
            let mut state = self.state.lock();
            // Those that come while others are being woken wait for the next call.
            let end = *end.get_or_insert(state.arrivals);
            while state
                .waiters
                .first_wants()
                .is_some_and(|arrival| end.wrapping_sub(arrival).cast_signed() > 0)
            {
                if batch.is_full() {
                    return true;
                }
                if let Some(wakeup) = state.waiters.grant_first() {
                    batch.push(wakeup);
                }
            }
            false
        });
    }

    /// Returns whether the wait ended by a notification.
    fn wait_until<'a, T: ?Sized>(
        &self,
        guard: MutexGuard<'a, T>,
        deadline: Option<Instant>,
    ) -> (LockResult<MutexGuard<'a, T>>, bool) {
        let mutex = guard.mutex();
        let limit = Limit::new(deadline);
        let waiter = Waiter::new(0, &limit);
        {
            let mut state = self.state.lock();
            waiter.set_wants(state.arrivals);
            state.arrivals = state.arrivals.wrapping_add(1);
            // SAFETY: the waiter stays in this frame until it was unlinked: by whoever notifies it, or below.
            unsafe { state.waiters.push_back(&waiter) };
        }
        // The caller's critical section ends here without having failed, whatever panic it may be part of.
        mem::forget(guard);
        // SAFETY: the guard stood for the locked mutex.
        unsafe { mutex.raw.unlock() };
        let notified = limit.wait(&waiter.signal, || self.state.lock().waiters.remove(&waiter));
        if !notified {
            limit.expired();
        }
        // The mutex may make it wait once more, and be given up.
        let pass_on = notified.then(|| PassOn(self));
        let guard = mutex.lock();
        mem::forget(pass_on);
        (guard, notified)
    }
}

/// Gives a notification to the next one.
struct PassOn<'a>(&'a Condvar);

impl Drop for PassOn<'_> {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Default for Condvar {
    fn default() -> Condvar {
        Condvar::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}
