//! A descriptor that somebody else owns and may close at any time, for `corun-hook`: see `hooking.rs`.
//!
//! # Invariants
//! - Whoever closes the descriptor calls [`Watch::retire`] *before* that. It takes the descriptor out of the selector, so that the number can be
//!   used anew at once, and has all waiters try again; they find the watch retired.
//! - It is registered ([`Watch::register`]) while the same lock is held under which it is retired, so that no number is registered after it was closed.
//! - Nor is one by whoever waits, although a wait registers an entry whose reactor has stopped: the entry of a retired watch has left its reactor, under the
//!   entry's own lock, and so is never registered again. Who waits nevertheless finds that it may try, and then that the watch is retired.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Runtime;
    use crate::scheduler::with_reactor;
    use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
    use std::os::unix::net::UnixStream;

    fn reactor() -> Arc<Reactor> {
        with_reactor(Arc::clone).expect("on a worker")
    }

    /// Between an operation that would block and the wait after it the reactor stops, the descriptor is closed, and its number is another's.
    #[test]
    fn a_number_that_is_anothers_by_now_is_not_registered() {
        let runtime = Runtime::builder().workers(1).build().unwrap();
        let (near, _far) = UnixStream::pair().unwrap();
        let (_other, anothers) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let number = near.into_raw_fd();
        let watch = Watch::new(number);
        // One that nobody polls, so that it may be stopped.
        let first = Arc::new(Reactor::new().unwrap());
        let registered = watch.source.register_with(number, Direction::Read, &first);
        assert!(registered.is_ok());
        let mut reused = None;
        let result = runtime.block_on(|| {
            let before = reactor().descriptors();
            // Who waits for what has no event yet is told of one.
            watch.source.stir();
            let result = watch.wait(Interest::Read, None, || -> io::Result<()> {
                assert!(reused.is_none(), "called again");
                first.shutdown();
                watch.retire();
                // SAFETY: both are open; from now on the number is that of a clone of `anothers`, which nobody else owns.
                reused = Some(unsafe {
                    assert_eq!(libc::dup2(anothers.as_raw_fd(), number), number);
                    OwnedFd::from_raw_fd(number)
                });
                Err(io::ErrorKind::WouldBlock.into())
            });
            assert_eq!(reactor().descriptors(), before);
            result
        });
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
        assert!(reused.is_some());
    }
}
