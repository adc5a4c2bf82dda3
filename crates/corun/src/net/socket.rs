//! What all sockets have in common: the socket of std in non-blocking mode, and a way to wait for it.

use std::io;
use std::ptr;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::cancel::limit::Limit;
use crate::reactor::{self, Direction, Limits, Operation, Source};
use crate::scheduler::run_queue::prefetch;
use crate::scheduler::safepoint;

/// The methods that the sockets of std share without a trait.
pub trait StdSocket: reactor::Socket + Sized {
    fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()>;
    fn try_clone(&self) -> io::Result<Self>;
    /// For reading and writing.
    fn timeouts(&self) -> [Option<Duration>; 2];
}

#[repr(align(32))]
pub struct Socket<S> {
    // Fields are dropped in this order: it must leave the reactor before the descriptor is closed.
    source: Source,
    pub(super) limits: Limits,
    pub(super) inner: S,
}

impl<S: StdSocket> Socket<S> {
    /// Takes over a socket that has just been made, with no timeouts.
    pub(super) fn fresh(inner: S) -> io::Result<Socket<S>> {
        inner.set_nonblocking(true)?;
        Ok(Socket {
            source: Source::new(),
            limits: Limits::new(),
            inner,
        })
    }

    /// A socket that has just been connected, and may be registered already.
    pub(super) fn connected(source: Source, inner: S) -> Socket<S> {
        Socket {
            source,
            limits: Limits::new(),
            inner,
        }
    }

    /// Takes over a socket that somebody may have changed.
    pub(super) fn adopt(inner: S) -> Socket<S> {
        // It fails only for something that is no open socket, and then each operation says so.
        let _ = inner.set_nonblocking(true);
        let limits = Limits::new();
        let [read, write] = inner.timeouts();
        limits.set_timeout(Direction::Read, read);
        limits.set_timeout(Direction::Write, write);
        Socket {
            source: Source::new(),
            limits,
            inner,
        }
    }

    /// Gives the socket back in the mode that the user believes it to be in.
    pub(super) fn release(self) -> S {
        let Socket {
            source,
            limits,
            inner,
        } = self;
        drop(source);
        if !limits.is_nonblocking() {
            // As in `adopt`.
            let _ = inner.set_nonblocking(false);
        }
        inner
    }

    pub(super) fn try_clone(&self) -> io::Result<Socket<S>> {
        let inner = self.inner.try_clone()?;
        Ok(Socket {
            source: Source::new(),
            limits: self.limits.share(),
            inner,
        })
    }

    pub(super) fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
        self.limits.set_nonblocking(nonblocking);
        Ok(())
    }

    /// Reads, as soon as there is something to read.
    #[inline]
    pub(super) fn read<T>(&self, operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.source.run(
            &self.inner,
            Direction::Read,
            &self.limits,
            |_| false,
            operation,
        )
    }

    /// Writes, as soon as there is room.
    #[inline]
    pub(super) fn write<T>(&self, operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.source.run(
            &self.inner,
            Direction::Write,
            &self.limits,
            |_| false,
            operation,
        )
    }

    /// Reads from a byte stream that is empty when it gives less than was asked for.
    #[inline]
    pub(super) fn read_stream(
        &self,
        asked: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |count: &usize| *count != 0 && *count < asked;
        self.source
            .run(&self.inner, Direction::Read, &self.limits, short, operation)
    }

    /// Writes to a byte stream that is full when it takes less than was offered.
    #[inline]
    pub(super) fn write_stream(
        &self,
        offered: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> io::Result<usize> {
        let short = |count: &usize| *count != 0 && *count < offered;
        self.source.run(
            &self.inner,
            Direction::Write,
            &self.limits,
            short,
            operation,
        )
    }

    /// For a coroutine that mostly has to wait: reads when there is something to read. `None`: the limit came first.
    #[inline(always)]
    pub(super) fn read_when_ready<T>(
        &self,
        short: impl Fn(&T) -> bool,
        operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let limit = Limit::for_io(self.limits.deadline(Direction::Read));
        let result =
            self.source
                .run_when_ready(&self.inner, Direction::Read, &limit, short, operation);
        safepoint();
        result
    }

    /// To be called after that: the worker may have been too busy to look for events, so one attempt is left.
    pub(super) fn read_at_last<T>(
        &self,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        let result = operation();
        if matches!(&result, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
            Limit::for_io(None).expired_io()?;
        }
        result
    }

    /// Writes what goes without waiting. `None`: nothing, or others wait to write.
    #[inline(always)]
    pub(super) fn write_at_once(
        &self,
        offered: usize,
        mut operation: impl FnMut() -> io::Result<usize>,
    ) -> Option<io::Result<usize>> {
        let short = |count: &usize| *count != 0 && *count < offered;
        self.source
            .attempt(Direction::Write, &short, &mut operation)
    }

    /// Has the cache fetch what an operation will touch. Takes what the last such call returned, or zero.
    #[inline(always)]
    pub(super) fn prefetch(&self, hint: usize) -> usize {
        prefetch(ptr::from_ref(self).addr());
        let hint = if hint == 0 { self.source.hint() } else { hint };
        prefetch(hint);
        hint
    }

    /// `read` as a future: for any executor, without time limits, and never "would block".
    pub(super) fn read_async<T>(
        &self,
        operation: impl FnMut() -> io::Result<T>,
    ) -> impl Future<Output = io::Result<T>> {
        self.operation(Direction::Read, |_| false, operation)
    }

    /// `write` as a future.
    pub(super) fn write_async<T>(
        &self,
        operation: impl FnMut() -> io::Result<T>,
    ) -> impl Future<Output = io::Result<T>> {
        self.operation(Direction::Write, |_| false, operation)
    }

    /// `read_stream` and `write_stream` as a future.
    pub(super) fn stream_async(
        &self,
        direction: Direction,
        most: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> impl Future<Output = io::Result<usize>> {
        let short = move |count: &usize| *count != 0 && *count < most;
        self.operation(direction, short, operation)
    }

    fn operation<T>(
        &self,
        direction: Direction,
        short: impl Fn(&T) -> bool,
        operation: impl FnMut() -> io::Result<T>,
    ) -> impl Future<Output = io::Result<T>> {
        Operation::new(&self.source, &self.inner, direction, short, operation)
    }

    /// An attempt by a task that polls, and is called when there may be more to do.
    pub(super) fn poll<T>(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let waker = cx.waker();
        self.source
            .poll(waker, &self.inner, direction, |_| false, operation)
    }

    /// As `poll`, for byte streams that are empty or full after a short count.
    #[cfg(feature = "futures-io")]
    pub(super) fn poll_stream(
        &self,
        cx: &Context<'_>,
        direction: Direction,
        most: usize,
        operation: impl FnMut() -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        let short = |count: &usize| *count != 0 && *count < most;
        self.source
            .poll(cx.waker(), &self.inner, direction, short, operation)
    }

    /// To be called after something was changed here that those who wait have to notice. Unix tells them itself.
    #[inline]
    pub(super) fn noticed_by_all(&self) {
        #[cfg(windows)]
        self.source.stir();
    }

    /// Ends a socket that has no connection to shut down: all operations fail from now on, and those that wait do so at once.
    #[cfg(unix)]
    pub(super) fn close(&self)
    where
        S: std::os::fd::AsFd,
    {
        self.limits.close();
        // Reaches whoever waits through another handle, or in poll(2). A socket without a peer reports that it has none, and
        // wakes its waiters all the same.
        let _ = socket2::SockRef::from(&self.inner).shutdown(std::net::Shutdown::Both);
        self.source.stir();
    }

    /// Fails after `close`.
    #[inline]
    pub(super) fn check_open(&self) -> io::Result<()> {
        if self.limits.is_closed() {
            Err(closed())
        } else {
            Ok(())
        }
    }
}

#[cold]
fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::NotConnected,
        "the socket was closed by this program",
    )
}

macro_rules! std_socket {
    ($socket:ty, timeouts) => {
        std_socket!($socket, |socket| [
            socket.read_timeout().unwrap_or(None),
            socket.write_timeout().unwrap_or(None),
        ]);
    };
    ($socket:ty) => {
        std_socket!($socket, |_socket| [None, None]);
    };
    ($socket:ty, |$this:ident| $timeouts:expr) => {
        impl StdSocket for $socket {
            fn set_nonblocking(&self, nonblocking: bool) -> io::Result<()> {
                self.set_nonblocking(nonblocking)
            }

            fn try_clone(&self) -> io::Result<Self> {
                self.try_clone()
            }

            fn timeouts(&self) -> [Option<Duration>; 2] {
                let $this = self;
                $timeouts
            }
        }
    };
}

std_socket!(std::net::TcpStream, timeouts);
std_socket!(std::net::TcpListener);
std_socket!(std::net::UdpSocket, timeouts);
#[cfg(unix)]
std_socket!(std::os::unix::net::UnixStream, timeouts);
#[cfg(unix)]
std_socket!(std::os::unix::net::UnixListener);
#[cfg(unix)]
std_socket!(std::os::unix::net::UnixDatagram, timeouts);

/// The four timeout methods, which all sockets but listeners have.
macro_rules! timeout_methods {
    () => {
        /// Sets how long a read may wait; `None` is for ever. Clones of this handle share it.
        ///
        /// A read that waits longer fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock).
        ///
        /// # Errors
        /// A timeout of zero is [`InvalidInput`](std::io::ErrorKind::InvalidInput).
        pub fn set_read_timeout(
            &self,
            timeout: Option<std::time::Duration>,
        ) -> std::io::Result<()> {
            self.0.inner.set_read_timeout(timeout)?;
            self.0
                .limits
                .set_timeout(crate::reactor::Direction::Read, timeout);
            Ok(())
        }

        /// Sets how long a write may wait; `None` is for ever. Clones of this handle share it.
        ///
        /// A write that waits longer fails with [`WouldBlock`](std::io::ErrorKind::WouldBlock).
        ///
        /// # Errors
        /// A timeout of zero is [`InvalidInput`](std::io::ErrorKind::InvalidInput).
        pub fn set_write_timeout(
            &self,
            timeout: Option<std::time::Duration>,
        ) -> std::io::Result<()> {
            self.0.inner.set_write_timeout(timeout)?;
            self.0
                .limits
                .set_timeout(crate::reactor::Direction::Write, timeout);
            Ok(())
        }

        /// How long a read may wait; `None` is for ever. The system may have rounded it up.
        pub fn read_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
            self.0.inner.read_timeout()
        }

        /// How long a write may wait; `None` is for ever. The system may have rounded it up.
        pub fn write_timeout(&self) -> std::io::Result<Option<std::time::Duration>> {
            self.0.inner.write_timeout()
        }
    };
}
pub(super) use timeout_methods;

/// The three methods that every socket has.
macro_rules! common_methods {
    () => {
        /// Another handle to the same socket. Both share everything, timeouts and mode included.
        pub fn try_clone(&self) -> std::io::Result<Self> {
            Ok(Self(self.0.try_clone()?))
        }

        /// The pending error of the socket, which is cleared.
        pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
            self.0.inner.take_error()
        }

        /// With `true`, operations that would have to wait fail with [`WouldBlock`](std::io::ErrorKind::WouldBlock) instead.
        pub fn set_nonblocking(&self, nonblocking: bool) -> std::io::Result<()> {
            self.0.set_nonblocking(nonblocking)
        }
    };
}
pub(super) use common_methods;
