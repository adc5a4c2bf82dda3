//! Waiting for what no event announces.

use std::time::{Duration, Instant};

use crate::scheduler::signal::Signal;

/// Two things about local sockets have no event: room in the queue of a listener, and in that of a receiver that one is not
/// connected to. They are tried again after pauses that grow to a few milliseconds.
pub(super) struct Backoff {
    deadline: Option<Instant>,
    pause: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_micros(20);
    const LONGEST: Duration = Duration::from_millis(5);

    pub(super) fn new(deadline: Option<Instant>) -> Backoff {
        Backoff {
            deadline,
            pause: Self::FIRST,
        }
    }

    /// Pauses. `false` if the deadline has passed already.
    pub(super) fn pause(&mut self) -> bool {
        let now = Instant::now();
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return false;
        }
        let until = now + self.pause;
        let until = self.deadline.map_or(until, |deadline| until.min(deadline));
        // Nobody knows the signal, so that only the deadline ends the wait.
        Signal::new().wait_until(Some(until));
        self.pause = (self.pause * 2).min(Self::LONGEST);
        true
    }
}
