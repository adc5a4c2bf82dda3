//! Descriptors that corun knows nothing of but that the system can wait for them.
//!
//! Readiness is asked for as an operation like any other (`poll(2)` that does not wait), so that it goes through the same door as those of
//! the sockets: tried first, registered only if it would block, tried again after an event. So it does not matter to the edge-triggered
//! reactor that somebody else, a C library say, reads and writes the descriptor in between, and leaves something behind.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::time::Instant;

use crate::platform::poll;
use crate::reactor::{Direction, Operation, Source};

/// A descriptor of any kind that can be waited for (a socket, pipe, terminal, eventfd, timerfd, pidfd, an epoll instance, ...), opened by
/// whomever: what a library needs to wait, in a coroutine, for something that corun has no type for.
///
/// Waiting parks the calling coroutine; a plain thread waits by `poll(2)`. The descriptor's mode is never changed. It is registered with a
/// reactor from the first wait until this value goes, which therefore must come before the descriptor is closed: a `T` that owns it does that
/// by itself; for one that is borrowed, drop this first.
///
/// # Examples
/// ```
/// use std::io::{Read, Write};
///
/// let (mut reader, mut writer) = std::io::pipe()?;
/// let receiver = corun::spawn(move || {
///     let pipe = corun::io::Descriptor::new(&reader);
///     pipe.readable()?;
///     drop(pipe);
///     let mut buffer = [0; 16];
///     let count = reader.read(&mut buffer)?; // It is readable, so this does not block.
///     Ok::<_, std::io::Error>(buffer[..count].to_vec())
/// });
/// writer.write_all(b"ping")?;
/// assert_eq!(receiver.join().unwrap()?, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Descriptor<T: AsFd> {
    // Fields are dropped in this order: it must leave the reactor before the descriptor is closed.
    source: Source,
    inner: T,
}

/// The descriptor as the reactor names it.
struct Raw(RawFd);

impl AsRawFd for Raw {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

impl<T: AsFd> Descriptor<T> {
    /// Wraps a descriptor. Nothing is registered before somebody has to wait.
    pub const fn new(inner: T) -> Descriptor<T> {
        Descriptor {
            source: Source::new(),
            inner,
        }
    }

    /// What was wrapped.
    pub fn get_ref(&self) -> &T {
        &self.inner
    }

    /// Unwraps it, and deregisters it.
    pub fn into_inner(self) -> T {
        let Descriptor { source, inner } = self;
        drop(source);
        inner
    }

    /// Waits until a read would not block: there is something to read, or the end, or an error.
    ///
    /// # Errors
    /// Those of `poll(2)` and of the registration: `PermissionDenied` for what the system cannot wait for, and which is always ready (regular
    /// files), does not occur, since it is never waited for.
    pub fn readable(&self) -> io::Result<()> {
        self.ready_until(Direction::Read, None).map(drop)
    }

    /// Waits until a write would not block: there is room, or nobody to read it, or an error.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn writable(&self) -> io::Result<()> {
        self.ready_until(Direction::Write, None).map(drop)
    }

    /// As [`readable`](Self::readable), with a deadline; returns whether it is readable. One that has passed makes it a mere question.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn readable_until(&self, deadline: Option<Instant>) -> io::Result<bool> {
        self.ready_until(Direction::Read, deadline)
    }

    /// As [`writable`](Self::writable), with a deadline; returns whether it is writable. One that has passed makes it a mere question.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub fn writable_until(&self, deadline: Option<Instant>) -> io::Result<bool> {
        self.ready_until(Direction::Write, deadline)
    }

    /// Runs an operation that reads, and runs it again whenever there may be more to read, for as long as it says that it
    /// [would block](io::ErrorKind::WouldBlock). Of several that wait, the first to come is the first to try.
    ///
    /// The operation must not block by itself: the descriptor is in non-blocking mode, or the call asks for that (`MSG_DONTWAIT`).
    ///
    /// # Errors
    /// Those of the operation and of the registration.
    pub fn read_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.run(Direction::Read, None, || operation(&self.inner))
    }

    /// The same for an operation that writes.
    ///
    /// # Errors
    /// Those of the operation and of the registration.
    pub fn write_with<R>(&self, mut operation: impl FnMut(&T) -> io::Result<R>) -> io::Result<R> {
        self.run(Direction::Write, None, || operation(&self.inner))
    }

    /// [`readable`](Self::readable) as a future, for any executor.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub async fn readable_async(&self) -> io::Result<()> {
        self.ready_async(Direction::Read).await
    }

    /// [`writable`](Self::writable) as a future, for any executor.
    ///
    /// # Errors
    /// As [`readable`](Self::readable).
    pub async fn writable_async(&self) -> io::Result<()> {
        self.ready_async(Direction::Write).await
    }

    fn raw(&self) -> Raw {
        Raw(self.inner.as_fd().as_raw_fd())
    }

    fn run<R>(
        &self,
        direction: Direction,
        deadline: Option<Instant>,
        operation: impl FnMut() -> io::Result<R>,
    ) -> io::Result<R> {
        self.source
            .run_until(&self.raw(), direction, deadline, |_| false, operation)
    }

    fn ready_until(&self, direction: Direction, deadline: Option<Instant>) -> io::Result<bool> {
        let ready = self.run(direction, deadline, || self.ask(direction));
        match ready {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn ready_async(&self, direction: Direction) -> io::Result<()> {
        let raw = self.raw();
        Operation::new(
            &self.source,
            &raw,
            direction,
            |_| false,
            || self.ask(direction),
        )
        .await
    }

    fn ask(&self, direction: Direction) -> io::Result<()> {
        if poll::is_ready(self.inner.as_fd(), direction)? {
            Ok(())
        } else {
            Err(io::ErrorKind::WouldBlock.into())
        }
    }
}

impl<T: AsFd> AsFd for Descriptor<T> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl<T: AsFd> AsRawFd for Descriptor<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.inner.as_fd().as_raw_fd()
    }
}

impl<T: AsFd> From<T> for Descriptor<T> {
    fn from(inner: T) -> Descriptor<T> {
        Descriptor::new(inner)
    }
}
