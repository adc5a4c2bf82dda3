//! Local datagram sockets.

use std::io;
use std::net::Shutdown;
use std::os::unix::net as std_unix;
use std::path::Path;

use super::SocketAddr;
use crate::net::backoff::Backoff;
use crate::net::convert::conversions;
use crate::net::socket::{Socket, common_methods, timeout_methods};
use crate::reactor::Direction;

/// A local datagram socket: the counterpart of [`std::os::unix::net::UnixDatagram`].
///
/// ```
/// use corun::net::unix::UnixDatagram;
///
/// let (here, there) = UnixDatagram::pair()?;
/// here.send(b"hello")?;
/// let mut buffer = [0; 16];
/// let length = there.recv(&mut buffer)?;
/// assert_eq!(&buffer[..length], b"hello");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixDatagram(pub(super) Socket<std_unix::UnixDatagram>);

conversions!(UnixDatagram, std_unix::UnixDatagram);

impl UnixDatagram {
    /// A socket with the given path, which must not exist. It is not removed when the socket is dropped.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(std_unix::UnixDatagram::bind(
            path,
        )?)?))
    }

    /// A socket with the given address.
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(
            std_unix::UnixDatagram::bind_addr(socket_addr)?,
        )?))
    }

    /// A socket without an address.
    pub fn unbound() -> io::Result<UnixDatagram> {
        Ok(UnixDatagram(Socket::fresh(
            std_unix::UnixDatagram::unbound()?,
        )?))
    }

    /// Two sockets that are connected with each other.
    pub fn pair() -> io::Result<(UnixDatagram, UnixDatagram)> {
        let (a, b) = std_unix::UnixDatagram::pair()?;
        Ok((
            UnixDatagram(Socket::fresh(a)?),
            UnixDatagram(Socket::fresh(b)?),
        ))
    }

    #[inline]
    fn receive<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.0.read(|| self.receive_once(&mut operation))
    }

    #[inline]
    pub(super) fn receive_once<T>(
        &self,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.check_open()?;
        let result = operation();
        self.0.check_open()?;
        result
    }

    #[inline]
    fn transmit<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.0.write(|| self.transmit_once(&mut operation))
    }

    #[inline]
    pub(super) fn transmit_once<T>(
        &self,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.check_open()?;
        // Closing between the two makes the call fail, for a reason of the system's.
        operation().or_else(|error| self.0.check_open().and(Err(error)))
    }

    /// Makes the socket with the given path the one that [`send`](Self::send) sends to.
    pub fn connect<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        self.0.inner.connect(path)
    }

    /// Makes the socket with the given address the one that [`send`](Self::send) sends to.
    pub fn connect_addr(&self, socket_addr: &SocketAddr) -> io::Result<()> {
        self.0.inner.connect_addr(socket_addr)
    }

    /// The address of this socket.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// The address of the socket that it is connected to.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.peer_addr()
    }

    /// Waits for a datagram; returns its length and its sender. What does not fit the buffer is lost.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(|| self.0.inner.recv_from(buf))
    }

    /// Waits for a datagram; returns its length. What does not fit the buffer is lost.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| self.0.inner.recv(buf))
    }

    /// Sends a datagram to the socket with the given path; waits while the receiver's queue is full.
    pub fn send_to<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        self.send_to_addr(buf, &SocketAddr::from_pathname(path)?)
    }

    /// Sends a datagram to the given address; waits while the receiver's queue is full.
    pub fn send_to_addr(&self, buf: &[u8], socket_addr: &SocketAddr) -> io::Result<usize> {
        let mut backoff = None;
        loop {
            let result = self.transmit_once(|| self.0.inner.send_to_addr(buf, socket_addr));
            match &result {
                Err(error)
                    if error.kind() == io::ErrorKind::WouldBlock
                        && !self.0.limits.is_nonblocking() => {}
                _ => return result,
            }
            // No event tells when a receiver that is not connected has room again.
            let backoff = backoff
                .get_or_insert_with(|| Backoff::new(self.0.limits.deadline(Direction::Write)));
            if !backoff.pause()? {
                return result;
            }
        }
    }

    /// Sends a datagram to the socket that it is connected to; waits while the receiver's queue is full.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.transmit(|| self.0.inner.send(buf))
    }

    /// Shuts down receiving, sending or both. Whoever waits for what was shut down is woken.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.inner.shutdown(how)
    }

    /// Ends the socket for all handles: see [`UdpSocket::close`](crate::net::UdpSocket::close).
    pub fn close(&self) {
        self.0.close();
    }

    common_methods!();
    timeout_methods!();
}
