//! [`Once`].
//!
//! # Invariants
//! - `state` leaves COMPLETE for nothing. It changes under the lock of `inner` alone, but for the reading of it.
//! - While it is RUNNING, one caller runs its closure; others wait. Its end, by return or panic, wakes all, who look again.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::atomic::{AtomicU32, Ordering};

use super::place;
use super::waiters::{Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

const INCOMPLETE: u32 = 0;
const POISONED: u32 = 1;
const RUNNING: u32 = 2;
const COMPLETE: u32 = 3;

/// Something that is done once, in the shape of [`std::sync::Once`].
///
/// The closure may wait, for I/O for example; others who want it done wait for it properly, on the same worker too.
///
/// # Examples
/// ```
/// use corun::sync::Once;
///
/// static START: Once = Once::new();
///
/// let starters: Vec<_> = (0..4)
///     .map(|_| corun::spawn(|| START.call_once(|| corun::sleep(std::time::Duration::from_millis(1)))))
///     .collect();
/// for starter in starters {
///     starter.join().unwrap();
/// }
/// assert!(START.is_completed());
/// ```
pub struct Once {
    state: AtomicU32,
    inner: SpinLock<Inner>,
}

struct Inner {
    waiters: Waiters,
    /// Who runs the closure.
    runner: usize,
    /// How many closures have ended. A waiter wants the end of the present one.
    ended: usize,
}

// A closure that panics leaves the mark that it did.
impl UnwindSafe for Once {}
impl RefUnwindSafe for Once {}

/// What a closure of [`Once::call_once_force`] learns about those before it.
pub struct OnceState {
    poisoned: bool,
}

impl OnceState {
    /// Has the last closure before this one panicked?
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }
}

impl Once {
    /// Something that is still to be done.
    #[must_use]
    pub const fn new() -> Once {
        Once {
            state: AtomicU32::new(INCOMPLETE),
            inner: SpinLock::new(Inner {
                waiters: Waiters::new(),
                runner: 0,
                ended: 0,
            }),
        }
    }

    /// Runs `f` if no closure has been run yet, or waits until the one that is running has returned. What it did is visible
    /// afterwards.
    ///
    /// # Panics
    /// With the panic of `f`; if an earlier closure panicked; if `f` itself, on its own coroutine, comes back here; and if it has to wait
    /// inside [`no_suspend`](crate::no_suspend).
    #[inline]
    #[track_caller]
    pub fn call_once<F: FnOnce()>(&self, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.call(false, &mut |_| take(&mut f)());
        }
    }

    /// As [`call_once`](Once::call_once), but if an earlier closure panicked, `f` is the next attempt.
    ///
    /// # Panics
    /// As `call_once`, but for the earlier panic.
    ///
    /// # Examples
    /// ```
    /// use corun::sync::Once;
    ///
    /// static INIT: Once = Once::new();
    /// let failed = corun::spawn(|| INIT.call_once(|| panic!("not this time"))).join();
    /// assert!(failed.is_err());
    /// INIT.call_once_force(|state| assert!(state.is_poisoned()));
    /// INIT.call_once(|| unreachable!());
    /// ```
    #[inline]
    #[track_caller]
    pub fn call_once_force<F: FnOnce(&OnceState)>(&self, f: F) {
        if !self.is_completed() {
            let mut f = Some(f);
            self.call(true, &mut |state| take(&mut f)(state));
        }
    }

    /// Has a closure been run to its end?
    #[inline]
    pub fn is_completed(&self) -> bool {
        // Acquire pairs with the release of `Running::drop`.
        self.state.load(Ordering::Acquire) == COMPLETE
    }

    /// Waits until somebody has done it.
    ///
    /// # Panics
    /// If a closure has panicked; and if it has to wait inside [`no_suspend`](crate::no_suspend).
    #[track_caller]
    pub fn wait(&self) {
        self.wait_for(false);
    }

    /// As [`wait`](Once::wait), but if a closure has panicked, waits for the next attempt.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    #[track_caller]
    pub fn wait_force(&self) {
        self.wait_for(true);
    }

    #[track_caller]
    fn wait_for(&self, ignore_poison: bool) {
        scheduler::safepoint();
        loop {
            match self.state.load(Ordering::Acquire) {
                COMPLETE => return,
                POISONED if !ignore_poison => poisoned(),
                _ => self.wait_for_end(|state| {
                    state != COMPLETE && (ignore_poison || state != POISONED)
                }),
            }
        }
    }

    #[cold]
    #[track_caller]
    fn call(&self, ignore_poison: bool, f: &mut dyn FnMut(&OnceState)) {
        scheduler::safepoint();
        loop {
            let mut inner = self.inner.lock();
            let state = self.state.load(Ordering::Acquire);
            match state {
                COMPLETE => return,
                POISONED if !ignore_poison => {
                    drop(inner);
                    poisoned();
                }
                INCOMPLETE | POISONED => {
                    self.state.store(RUNNING, Ordering::Relaxed);
                    inner.runner = place::caller();
                    drop(inner);
                    let running = Running {
                        once: self,
                        then: POISONED,
                    };
                    return running.run(f, state == POISONED);
                }
                _ => {
                    let comes_back = inner.runner == place::caller();
                    drop(inner);
                    assert!(
                        !comes_back,
                        "the closure of a `Once` called the same `Once` again"
                    );
                    self.wait_for_end(|state| state == RUNNING);
                }
            }
        }
    }

    /// Waits for the end of a closure, if it is to be waited for in this state.
    fn wait_for_end(&self, is_to_be_waited_for: impl Fn(u32) -> bool) {
        let limit = Limit::new(None);
        let waiter = Waiter::new(0, &limit);
        let mut inner = self.inner.lock();
        if !is_to_be_waited_for(self.state.load(Ordering::Acquire)) {
            return;
        }
        waiter.set_wants(inner.ended);
        // SAFETY: the waiter stays in this frame until it was unlinked: by whoever wakes it, or below.
        unsafe { inner.waiters.push_back(&waiter) };
        drop(inner);
        if !limit.wait(&waiter.signal, || self.inner.lock().waiters.remove(&waiter)) {
            limit.expired();
        }
    }
}

/// A closure is called once, as the state is then RUNNING.
fn take<F>(f: &mut Option<F>) -> F {
    match f.take() {
        Some(f) => f,
        None => unreachable!("the closure of a `Once` is called once"),
    }
}

#[cold]
#[track_caller]
fn poisoned() -> ! {
    panic!("a closure of this `Once` has panicked before")
}

/// Ends the state RUNNING, also if the closure panics.
struct Running<'a> {
    once: &'a Once,
    then: u32,
}

impl Running<'_> {
    fn run(mut self, f: &mut dyn FnMut(&OnceState), poisoned: bool) {
        f(&OnceState { poisoned });
        self.then = COMPLETE;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut end = None;
        wake_in_batches(|batch| {
            let mut inner = self.once.inner.lock();
            let end = *end.get_or_insert_with(|| {
                // Release: what the closure did is seen by whoever sees that it has ended.
                self.once.state.store(self.then, Ordering::Release);
                inner.runner = 0;
                inner.ended = inner.ended.wrapping_add(1);
                inner.ended
            });
            while inner
                .waiters
                .first_wants()
                .is_some_and(|ended| ended != end)
            {
                if batch.is_full() {
                    return true;
                }
                if let Some(wakeup) = inner.waiters.grant_first() {
                    batch.push(wakeup);
                }
            }
            false
        });
    }
}

impl Default for Once {
    fn default() -> Once {
        Once::new()
    }
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").finish_non_exhaustive()
    }
}

impl fmt::Debug for OnceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnceState")
            .field("poisoned", &self.is_poisoned())
            .finish()
    }
}
