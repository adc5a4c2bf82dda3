//! [`Notify`].
//!
//! # Invariants
//! All under one spin lock, held for a few instructions:
//! - a permit is stored only while nobody waits;
//! - a waiter is unlinked and claimed by the call that notifies it. It is *granted* if that was `notify_one`: then it has the one
//!   notification, and passes it on if it goes without having looked.
//!
//! Checked by the models of `tests/models/sync/notify.rs`.

use std::fmt;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll};

use super::waiters::{Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::primitive::constructor;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

/// Tells one waiter, or all of them, that there is something to look at; for coroutines, threads and async tasks.
///
/// It carries no data: what there is to look at is elsewhere. [`notify_one`](Notify::notify_one) is not lost if nobody waits: it is stored, once, and
/// the next one that would wait takes it. [`notify_waiters`](Notify::notify_waiters) wakes those who wait now, and is not stored. Waiters
/// are served first come, first served.
///
/// # Examples
/// ```
/// use std::collections::VecDeque;
/// use corun::sync::{Arc, Mutex, Notify};
///
/// let mail = Arc::new((Mutex::new(VecDeque::new()), Notify::new()));
/// let sender = Arc::clone(&mail);
/// corun::spawn(move || {
///     sender.0.lock().unwrap().push_back("letter");
///     sender.1.notify_one();
/// });
/// let letter = loop {
///     if let Some(letter) = mail.0.lock().unwrap().pop_front() {
///         break letter;
///     }
///     mail.1.wait();
/// };
/// assert_eq!(letter, "letter");
/// ```
pub struct Notify {
    state: SpinLock<State>,
}

struct State {
    waiters: Waiters,
    permit: bool,
    /// How often `notify_waiters` was called. Waiters want the call after those that they have seen.
    calls: usize,
}

// No code of the user's runs under the lock.
impl UnwindSafe for Notify {}
impl RefUnwindSafe for Notify {}

impl Notify {
    constructor! {
        /// Nothing to look at.
        #[must_use]
        pub fn new() -> Notify {
            Notify {
                state: SpinLock::new(State {
                    waiters: Waiters::new(),
                    permit: false,
                    calls: 0,
                }),
            }
        }
    }

    /// Wakes the one that has waited longest. If nobody waits, the next one that would need not; several such calls are as one.
    pub fn notify_one(&self) {
        let mut state = self.state.lock();
        let wakeup = state.waiters.grant_next();
        state.permit |= wakeup.is_none();
        drop(state);
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
    }

    /// Wakes all who wait, and all futures that [`notified`](Notify::notified) has made so far, polled or not.
    pub fn notify_waiters(&self) {
        let mut end = None;
        wake_in_batches(|batch| {
            let mut state = self.state.lock();
            let end = *end.get_or_insert_with(|| {
                state.calls = state.calls.wrapping_add(1);
                state.calls
            });
            while state
                .waiters
                .first_wants()
                .is_some_and(|seen| end.wrapping_sub(seen).cast_signed() > 0)
            {
                if batch.is_full() {
                    return true;
                }
                batch.extend(state.waiters.call_first());
            }
            false
        });
    }

    /// Waits for a notification.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(&self) {
        scheduler::safepoint();
        if std::mem::take(&mut self.state.lock().permit) {
            return;
        }
        loop {
            let limit = Limit::new(None);
            let waiter = Waiter::new(0, &limit);
            {
                let mut state = self.state.lock();
                if std::mem::take(&mut state.permit) {
                    return;
                }
                waiter.set_wants(state.calls);
                // SAFETY: the waiter stays in this frame until it was unlinked: by whoever notifies it, or below.
                unsafe { state.waiters.push_back(&waiter) };
            }
            if limit.wait(&waiter.signal, || self.state.lock().waiters.remove(&waiter)) {
                return;
            }
            limit.expired();
        }
    }

    /// A notification, for an async task to wait for.
    ///
    /// Calls of `notify_waiters` count from now on; a place in the queue is taken when it is first polled, or by
    /// [`enable`](Notified::enable). If it is dropped when `notify_one` has chosen it, the next one is notified instead.
    ///
    /// # Examples
    /// ```
    /// use corun::sync::Notify;
    ///
    /// async fn until_told(notify: &Notify) {
    ///     notify.notified().await;
    /// }
    /// # let _ = until_told;
    /// ```
    pub fn notified(&self) -> Notified<'_> {
        Notified {
            notify: self,
            calls: self.state.lock().calls,
            waiter: None,
            done: false,
        }
    }
}

/// What [`Notify::notified`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// How many calls of `notify_waiters` it has not to wait for.
    calls: usize,
    /// Linked, or notified.
    waiter: Option<Waiter>,
    done: bool,
}

impl Notified<'_> {
    /// Takes its place in the queue, without waiting. Returns whether it has been notified.
    pub fn enable(self: Pin<&mut Self>) -> bool {
        self.look(std::task::Waker::noop())
    }

    fn look(self: Pin<&mut Self>, waker: &std::task::Waker) -> bool {
        // SAFETY: only the waiter must not move, and it does not while it is linked.
        let this = unsafe { self.get_unchecked_mut() };
        if this.done {
            return true;
        }
        let fresh = this.waiter.is_none();
        // Cloned and dropped without the lock, as it is foreign code.
        let mut newest = waker.clone();
        let waiter = this
            .waiter
            .get_or_insert_with(|| Waiter::for_task(this.calls, waker));
        let mut state = this.notify.state.lock();
        this.done = if !fresh {
            // SAFETY: under the lock of the list.
            unsafe { waiter.signal.poll(&mut newest) }
        } else if state.calls != this.calls || std::mem::take(&mut state.permit) {
            true
        } else {
            // SAFETY: the future is pinned, and unlinks the waiter when it is dropped.
            unsafe { state.waiters.push_back(waiter) };
            false
        };
        drop(state);
        this.done
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        if self.look(cx.waker()) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.as_ref().filter(|_| !self.done) else {
            return;
        };
        let mut state = self.notify.state.lock();
        let unused = !state.waiters.remove(waiter) && waiter.is_granted();
        drop(state);
        if unused {
            self.notify.notify_one();
        }
    }
}

impl Default for Notify {
    fn default() -> Notify {
        Notify::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notify").finish_non_exhaustive()
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified")
            .field("done", &self.done)
            .finish_non_exhaustive()
    }
}
