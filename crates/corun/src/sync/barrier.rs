//! [`Barrier`].

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::waiters::{Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

/// Lets a fixed number of coroutines or threads meet, again and again, in the shape of [`std::sync::Barrier`].
///
/// # Examples
/// ```
/// use corun::sync::{Arc, Barrier};
///
/// let barrier = Arc::new(Barrier::new(3));
/// let racers: Vec<_> = (0..3)
///     .map(|_| {
///         let barrier = Arc::clone(&barrier);
///         corun::spawn(move || barrier.wait().is_leader())
///     })
///     .collect();
/// let leaders = racers.into_iter().filter_map(|racer| racer.join().ok()).filter(|leads| *leads);
/// assert_eq!(leaders.count(), 1);
/// ```
pub struct Barrier {
    size: usize,
    state: SpinLock<State>,
}

struct State {
    waiters: Waiters,
    arrived: usize,
    /// How often everybody has met. Waiters want the number of the meeting that they wait for.
    meetings: usize,
}

// No code of the user's runs under the lock.
impl UnwindSafe for Barrier {}
impl RefUnwindSafe for Barrier {}

/// Whether one of those who met at a [`Barrier`] is the leader.
pub struct BarrierWaitResult(bool);

impl BarrierWaitResult {
    /// The last to arrive is the leader: one of each meeting.
    #[must_use]
    pub fn is_leader(&self) -> bool {
        self.0
    }
}

impl Barrier {
    /// A barrier where `n` meet. With 0, as with 1, nobody waits.
    #[must_use]
    pub const fn new(n: usize) -> Barrier {
        Barrier {
            size: n,
            state: SpinLock::new(State {
                waiters: Waiters::new(),
                arrived: 0,
                meetings: 0,
            }),
        }
    }

    /// Waits until all have arrived.
    ///
    /// Who is cancelled ([`timeout`](crate::timeout)) while it waits has not arrived: another one has to come in its place.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(&self) -> BarrierWaitResult {
        scheduler::safepoint();
        if self.size <= 1 {
            return BarrierWaitResult(true);
        }
        loop {
            let limit = Limit::new(None);
            let mut state = self.state.lock();
            if state.arrived + 1 == self.size {
                state.arrived = 0;
                let meeting = state.meetings;
                state.meetings = meeting.wrapping_add(1);
                drop(state);
                self.let_go(meeting);
                return BarrierWaitResult(true);
            }
            drop(state);
            // A signal is not made under a lock, as that may panic. So it may have to be made in vain.
            let waiter = Waiter::new(0, &limit);
            let mut state = self.state.lock();
            if state.arrived + 1 == self.size {
                continue;
            }
            state.arrived += 1;
            let meeting = state.meetings;
            waiter.set_wants(meeting);
            // SAFETY: the waiter stays in this frame until it was unlinked: by the leader, or below.
            unsafe { state.waiters.push_back(&waiter) };
            drop(state);
            if limit.wait(&waiter.signal, || self.state.lock().waiters.remove(&waiter)) {
                return BarrierWaitResult(false);
            }
            let mut state = self.state.lock();
            // All may have arrived at the same moment, and have counted it in.
            if state.meetings != meeting {
                return BarrierWaitResult(false);
            }
            state.arrived -= 1;
            drop(state);
            limit.expired();
        }
    }

    fn let_go(&self, meeting: usize) {
        wake_in_batches(|batch| {
            let mut state = self.state.lock();
            // Behind them may stand some who have come for the next meeting already.
            while state.waiters.first_wants() == Some(meeting) {
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
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier").finish_non_exhaustive()
    }
}

impl fmt::Debug for BarrierWaitResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BarrierWaitResult")
            .field("is_leader", &self.is_leader())
            .finish()
    }
}
