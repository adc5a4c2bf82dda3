//! Connecting without blocking the thread.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

#[cfg(unix)]
use super::backoff::Backoff;
use super::socket::Socket;
use crate::cancel::limit::Limit;
use crate::reactor::{Direction, Limits, Operation, Source};
use crate::scheduler::in_coroutine;
use crate::time::now;

/// Connects to one address, waiting no longer than the timeout, if there is one.
pub(super) fn tcp(
    address: &SocketAddr,
    timeout: Option<Duration>,
) -> io::Result<Socket<std::net::TcpStream>> {
    if timeout.is_some_and(|timeout| timeout.is_zero()) {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "cannot set a 0 duration timeout",
        ));
    }
    if !in_coroutine() {
        return Socket::fresh(tcp_on_thread(address, timeout)?);
    }
    let (stream, connected) = start(address, None)?;
    let source = Source::new();
    if !connected {
        let limits = Limits::new();
        limits.set_timeout(Direction::Write, timeout);
        let connected = source.run(
            &stream,
            Direction::Write,
            &limits,
            |()| false,
            || outcome(&stream),
        );
        if let Err(error) = connected {
            // The source must go before the stream.
            drop(source);
            return Err(match error.kind() {
                io::ErrorKind::WouldBlock => {
                    io::Error::new(io::ErrorKind::TimedOut, "connection timed out")
                }
                _ => error,
            });
        }
    }
    Ok(Socket::connected(source, stream))
}

/// The same as a future, from a local address if one is given.
pub(super) async fn tcp_async(
    address: &SocketAddr,
    local: Option<&SocketAddr>,
) -> io::Result<Socket<std::net::TcpStream>> {
    let (stream, connected) = start(address, local)?;
    // Goes before the stream, whether this returns or is dropped.
    let source = Source::new();
    if !connected {
        let wait = Operation::new(
            &source,
            &stream,
            Direction::Write,
            |()| false,
            || outcome(&stream),
        );
        wait.await?;
    }
    Ok(Socket::connected(source, stream))
}

/// Begins to connect. Returns whether that is all.
fn start(
    address: &SocketAddr,
    local: Option<&SocketAddr>,
) -> io::Result<(std::net::TcpStream, bool)> {
    let domain = socket2::Domain::for_address(*address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if let Some(local) = local {
        socket.bind(&(*local).into())?;
    }
    match socket.connect(&(*address).into()) {
        Ok(()) => Ok((socket.into(), true)),
        Err(error) if under_way(&error) => Ok((socket.into(), false)),
        Err(error) => Err(error),
    }
}

/// The thread may block, so the system does it all.
fn tcp_on_thread(
    address: &SocketAddr,
    timeout: Option<Duration>,
) -> io::Result<std::net::TcpStream> {
    let limit = Limit::for_io(timeout.and_then(|timeout| now().checked_add(timeout)));
    let Some(deadline) = limit.deadline() else {
        return std::net::TcpStream::connect(address);
    };
    // Zero is no time out to the system; a deadline that has passed gets the shortest.
    let left = deadline
        .saturating_duration_since(now())
        .max(Duration::from_nanos(1));
    let result = std::net::TcpStream::connect_timeout(address, left);
    if matches!(&result, Err(error) if error.kind() == io::ErrorKind::TimedOut) {
        limit.expired_io()?;
    }
    result
}

/// Connects to a local socket. If the listener's queue is full this waits for room.
#[cfg(unix)]
pub(super) fn unix(
    address: &std::os::unix::net::SocketAddr,
) -> io::Result<Socket<std::os::unix::net::UnixStream>> {
    if !in_coroutine() {
        return Socket::fresh(std::os::unix::net::UnixStream::connect_addr(address)?);
    }
    let mut connecting = Connecting::new(address)?;
    let mut backoff = Backoff::new(None);
    while !connecting.attempt()? {
        backoff.pause()?;
    }
    Ok(connecting.finish())
}

/// The same as a future.
#[cfg(unix)]
pub(super) async fn unix_async(
    address: &std::os::unix::net::SocketAddr,
) -> io::Result<Socket<std::os::unix::net::UnixStream>> {
    let mut connecting = Connecting::new(address)?;
    let mut backoff = Backoff::new(None);
    while !connecting.attempt()? {
        backoff.pause_async().await;
    }
    Ok(connecting.finish())
}

#[cfg(unix)]
struct Connecting {
    socket: socket2::Socket,
    target: socket2::SockAddr,
}

#[cfg(unix)]
impl Connecting {
    fn new(address: &std::os::unix::net::SocketAddr) -> io::Result<Connecting> {
        let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let target = local_address(address)?;
        Ok(Connecting { socket, target })
    }

    /// `false` if the listener's queue is full: no event tells that there is room again.
    fn attempt(&mut self) -> io::Result<bool> {
        loop {
            match self.socket.connect(&self.target) {
                Ok(()) => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn finish(self) -> Socket<std::os::unix::net::UnixStream> {
        Socket::connected(Source::new(), self.socket.into())
    }
}

/// The address in the form of the system.
#[cfg(unix)]
fn local_address(address: &std::os::unix::net::SocketAddr) -> io::Result<socket2::SockAddr> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        #[cfg(target_os = "android")]
        use std::os::android::net::SocketAddrExt;
        #[cfg(target_os = "linux")]
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::ffi::OsStrExt;

        if let Some(name) = address.as_abstract_name() {
            let path = [b"\0", name].concat();
            return socket2::SockAddr::unix(std::ffi::OsStr::from_bytes(&path));
        }
    }
    socket2::SockAddr::unix(address.as_pathname().unwrap_or("".as_ref()))
}

/// The connection attempt goes on behind the scenes.
fn under_way(error: &io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(libc::EINPROGRESS) {
        return true;
    }
    // A signal handler ran: the attempt goes on. Windows says "would block".
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// How the attempt ended; "would block" if it has not.
fn outcome(stream: &std::net::TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    match stream.peer_addr() {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => match stream.take_error()? {
            Some(error) => Err(error),
            None => Err(io::ErrorKind::WouldBlock.into()),
        },
        // macOS reports this for an attempt that has failed just now.
        Err(error) => Err(stream.take_error()?.unwrap_or(error)),
    }
}
