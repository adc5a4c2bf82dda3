//! Receivers of the time: `after`, `at`, `tick`. No coroutine stands behind them; who receives waits for the clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::{RecvTimeoutError, TryRecvError};
use crate::scheduler::lock::SpinLock;
use crate::time::{now, sleep, sleep_until};

/// What the clones of one such receiver share.
pub(super) struct Clock {
    /// When the next message is due; `None` if no more will come.
    next: SpinLock<Option<Instant>>,
    /// From one message to the next; `None` if there is only one.
    period: Option<Duration>,
}

/// Waits for nothing, for ever.
pub(super) fn wait_for_ever() -> ! {
    loop {
        sleep(Duration::MAX);
    }
}

impl Clock {
    /// One message; without a time that can be told, none.
    pub(super) fn once(when: Option<Instant>) -> Arc<Clock> {
        Arc::new(Clock {
            next: SpinLock::new(when),
            period: None,
        })
    }

    /// A message after each period.
    pub(super) fn every(period: Duration) -> Arc<Clock> {
        Arc::new(Clock {
            next: SpinLock::new(now().checked_add(period)),
            period: Some(period),
        })
    }

    /// When the next message is due.
    pub(super) fn due(&self) -> Option<Instant> {
        *self.next.lock()
    }

    /// The message that is due at `when` is taken at `now`: those that were missed are dropped.
    fn follow(&self, when: Instant, now: Instant) -> Option<Instant> {
        when.max(now).checked_add(self.period?)
    }

    pub(super) fn is_due(&self) -> bool {
        self.due().is_some_and(|when| when <= now())
    }

    pub(super) fn try_recv(&self) -> Result<Instant, TryRecvError> {
        let now = now();
        let mut next = self.next.lock();
        match *next {
            Some(when) if when <= now => {
                *next = self.follow(when, now);
                Ok(when)
            }
            _ => Err(TryRecvError::Empty),
        }
    }

    /// Takes the next message, before it is due, and waits until it is.
    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<Instant, RecvTimeoutError> {
        let now = now();
        let mut next = self.next.lock();
        let when = *next;
        match (when, deadline) {
            (Some(when), _) if deadline.is_none_or(|deadline| when <= deadline) => {
                *next = self.follow(when, now);
                drop(next);
                if when > now {
                    sleep_until(when);
                }
                Ok(when)
            }
            (_, Some(deadline)) => {
                drop(next);
                sleep_until(deadline);
                Err(RecvTimeoutError::Timeout)
            }
            (_, None) => {
                drop(next);
                wait_for_ever()
            }
        }
    }
}
