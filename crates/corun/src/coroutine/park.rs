//! `park` and `unpark`, with the token of `std::thread`.
//!
//! The token and the parked one's signal lie together under a spin lock, by the rule of all wait lists here: a waker finds the
//! signal under the lock and notifies it under the lock, and a waiter whose time is up takes it out under the lock. So no
//! waker ever holds a signal that has gone.

use std::time::{Duration, Instant};

use crate::coroutine::handle::current_task;
use crate::scheduler::lock::SpinLock;
use crate::scheduler::signal::Signal;

pub(crate) struct Parker {
    state: SpinLock<ParkState>,
}

enum ParkState {
    Empty,
    Token,
    Waiting(*const Signal),
}

// SAFETY: the signal is made to be notified from other threads, and reached under the lock only.
unsafe impl Send for ParkState {}

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker {
            state: SpinLock::new(ParkState::Empty),
        }
    }

    pub(crate) fn unpark(&self) {
        let mut state = self.state.lock();
        if let ParkState::Waiting(signal) = *state {
            // SAFETY: a signal found under the lock is alive.
            unsafe { Signal::notify(signal) };
        }
        *state = ParkState::Token;
    }

    /// Called by the owner alone.
    fn park(&self, deadline: Option<Instant>) {
        if matches!(*self.state.lock(), ParkState::Token) {
            *self.state.lock() = ParkState::Empty;
            return;
        }
        let signal = Signal::new();
        {
            let mut state = self.state.lock();
            if matches!(*state, ParkState::Token) {
                *state = ParkState::Empty;
                return;
            }
            *state = ParkState::Waiting(&raw const signal);
        }
        signal.wait_until(deadline);
        // Takes the token that the waker left, or the signal back that nobody notified.
        *self.state.lock() = ParkState::Empty;
    }
}

/// Suspends the coroutine until its token is there, and takes the token, as [`std::thread::park`] does; a plain thread is blocked.
///
/// [`Coroutine::unpark`](crate::Coroutine::unpark) puts the token there. There is one token at the most: if it is there already, `park`
/// returns at once.
///
/// # Panics
/// Inside [`no_suspend`](crate::no_suspend), if the token is not there.
///
/// # Examples
/// ```
/// let sleeper = corun::spawn(|| {
///     corun::park();
///     "awake"
/// });
/// sleeper.coroutine().unpark();
/// assert_eq!(sleeper.join().unwrap(), "awake");
/// ```
pub fn park() {
    current_task().meta().parker.park(None);
}

/// As [`park`], but returns after `timeout` at the latest, never before it unless the token came.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// corun::park_timeout(Duration::from_millis(5));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn park_timeout(timeout: Duration) {
    // A time too far away to be told is for ever.
    let deadline = Instant::now().checked_add(timeout);
    current_task().meta().parker.park(deadline);
}
