//! A descriptor that somebody else owns and may close at any time, for `corun-hook`: see `hooking.rs`.
//!
//! # Invariants
//! - Whoever closes the descriptor calls [`Watch::retire`] *before* that. It takes the descriptor out of the selector, so that the number can be
//!   used anew at once, and has all waiters try again; they find the watch retired.
//! - It is registered ([`Watch::register`]) while the same lock is held under which it is retired, so that no number is registered after it was closed.
//! - The entry of a retired watch has no home to be taken out of, but events under way may still name it. So its last home is
//!   kept, and lays it out with its other dead when nobody waits any more.

use std::io;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use super::entry::Direction;
use super::poller::Reactor;
use super::source::Source;
use crate::cancel::limit::Limit;

/// What to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// That there is something to read, or to accept, or that there will be nothing more.
    Read,
    /// That there is room to write, or that a connection is made.
    Write,
}

impl Interest {
    fn direction(self) -> Direction {
        match self {
            Interest::Read => Direction::Read,
            Interest::Write => Direction::Write,
        }
    }
}

/// Waits on a descriptor that is not ours.
pub struct Watch {
    source: Source,
    descriptor: RawFd,
    retired: AtomicBool,
    last_home: OnceLock<Arc<Reactor>>,
}

impl Watch {
    /// For a descriptor that stays open until [`retire`](Watch::retire) is called or this is dropped. Costs nothing before the first wait.
    pub fn new(descriptor: RawFd) -> Watch {
        Watch {
            source: Source::new(),
            descriptor,
            retired: AtomicBool::new(false),
            last_home: OnceLock::new(),
        }
    }

    /// Has the reactor watch the descriptor, on which the kernel has just said that one would have to wait. Comes before each `wait`, and never at the same
    /// time as `retire`. For a coroutine that may be parked.
    ///
    /// # Errors
    /// If the reactor has no room; `EPERM` if the descriptor is of a kind that cannot be waited for; `EEXIST` if a socket of corun's own has it registered.
    pub fn register(&self, interest: Interest) -> io::Result<()> {
        self.source
            .register_for(self.descriptor, interest.direction())
    }

    /// Runs `operation` when the descriptor is ready, again and again until it gives something other than `WouldBlock`. `None`: the deadline, of
    /// the runtime's clock, came first. For a coroutine that may be parked.
    ///
    /// # Errors
    /// Those of `operation`; `EBADF` if the descriptor was retired.
    pub fn wait<T>(
        &self,
        interest: Interest,
        deadline: Option<Instant>,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let limit = Limit::masked(deadline);
        self.source.run_when_ready(
            &self.descriptor,
            interest.direction(),
            &limit,
            |_| false,
            || {
                // Acquire pairs with the release in `retire`.
                if self.retired.load(Ordering::Acquire) {
                    Err(io::Error::from_raw_os_error(libc::EBADF))
                } else {
                    operation()
                }
            },
        )
    }

    /// To be called before the descriptor is closed, once, while nobody begins to wait: all who wait give up.
    pub fn retire(&self) {
        self.retired.store(true, Ordering::Release);
        if let Some(home) = self.source.forsake() {
            let _ = self.last_home.set(home);
        }
        self.source.stir();
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(home) = self.last_home.take() {
            self.source.lay_out(&home);
        }
    }
}
