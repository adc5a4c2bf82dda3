//! How long a waiter puts up with others who are served before it.

use std::time::{Duration, Instant};

/// How often to look, before the first wait, whether another thread is about to unlock.
pub(super) fn looks() -> u32 {
    40
}

/// How often in a row a thread has to lock a mutex for it to be at home there.
pub(super) fn times_to_settle() -> u32 {
    64
}

/// See the policy in `mutex.rs`.
const LIMIT: Duration = Duration::from_millis(1);

/// Real time, even while the runtime's clock is paused: this is about how things go, not about what the program waits for.
pub(super) struct Patience {
    since: Instant,
}

impl Patience {
    pub(super) fn new() -> Patience {
        Patience {
            since: Instant::now(),
        }
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.since.elapsed() >= LIMIT
    }
}
