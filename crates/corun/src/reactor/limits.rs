//! What a user has set on a socket and the kernel does not heed, as the socket itself is in non-blocking mode.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::entry::Direction;
use crate::time::now;

/// Timeouts and mode of a socket. As in the kernel, they belong to the open socket: clones of a handle share them.
///
/// Most sockets never set any, so they are allocated when first needed.
pub(crate) struct Limits {
    set: OnceLock<Arc<Set>>,
}

#[derive(Default)]
struct Set {
    /// In nanoseconds, for reading and writing; zero is none.
    timeouts: [AtomicU64; 2],
    nonblocking: AtomicBool,
    closed: AtomicBool,
}

impl Limits {
    pub(crate) const fn new() -> Limits {
        Limits {
            set: OnceLock::new(),
        }
    }

    /// The same limits, for a clone of the handle.
    pub(crate) fn share(&self) -> Limits {
        Limits {
            set: OnceLock::from(Arc::clone(self.set())),
        }
    }

    fn set(&self) -> &Arc<Set> {
        self.set.get_or_init(Arc::default)
    }

    #[inline]
    pub(crate) fn is_nonblocking(&self) -> bool {
        self.set
            .get()
            .is_some_and(|set| set.nonblocking.load(Ordering::Relaxed))
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        if nonblocking || self.set.get().is_some() {
            self.set().nonblocking.store(nonblocking, Ordering::Relaxed);
        }
    }

    pub(crate) fn set_timeout(&self, direction: Direction, timeout: Option<Duration>) {
        if timeout.is_some() || self.set.get().is_some() {
            let nanos = timeout.map_or(0, |timeout| {
                u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX)
            });
            self.set().timeouts[direction as usize].store(nanos, Ordering::Relaxed);
        }
    }

    /// When an operation that starts now has to give up.
    #[inline]
    pub(crate) fn deadline(&self, direction: Direction) -> Option<Instant> {
        match self.set.get()?.timeouts[direction as usize].load(Ordering::Relaxed) {
            0 => None,
            nanos => now().checked_add(Duration::from_nanos(nanos)),
        }
    }

    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        // Acquire pairs with the release in `close`.
        self.set
            .get()
            .is_some_and(|set| set.closed.load(Ordering::Acquire))
    }

    #[cfg_attr(
        windows,
        allow(
            dead_code,
            reason = "no socket is closed behind the back of who waits there"
        )
    )]
    pub(crate) fn close(&self) {
        self.set().closed.store(true, Ordering::Release);
    }
}
