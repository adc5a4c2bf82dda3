//! Waiting for what no event announces.

use std::io;
use std::time::{Duration, Instant};

use crate::cancel::limit::Limit;
use crate::time::now;

/// Two things about local sockets have no event: room in the queue of a listener, and in that of a receiver that one is not
/// connected to. They are tried again after pauses that grow to a few milliseconds.
pub(crate) struct Backoff {
    deadline: Option<Instant>,
    pause: Duration,
}

impl Backoff {
    const FIRST: Duration = Duration::from_micros(20);
    const LONGEST: Duration = Duration::from_millis(5);

    pub(crate) fn new(deadline: Option<Instant>) -> Backoff {
        Backoff {
            deadline,
            pause: Self::FIRST,
        }
    }

    /// Pauses. `false` if the deadline has passed already.
    ///
    /// # Errors
    /// As `Limit::expired_io`.
    pub(crate) fn pause(&mut self) -> io::Result<bool> {
        let now = now();
        let limit = Limit::for_io(self.deadline);
        if limit.is_over() || limit.deadline().is_some_and(|deadline| deadline <= now) {
            limit.expired_io()?;
            return Ok(false);
        }
        let until = now + self.pause;
        let until = limit
            .deadline()
            .map_or(until, |deadline| until.min(deadline));
        limit.sleep_until(until);
        self.lengthen();
        Ok(true)
    }

    /// Pauses as an async task, which has no deadline.
    pub(super) async fn pause_async(&mut self) {
        // It never ends before its time, so the result says nothing.
        let _ = crate::channel::after(self.pause).recv_async().await;
        self.lengthen();
    }

    fn lengthen(&mut self) {
        self.pause = (self.pause * 2).min(Self::LONGEST);
    }
}
