//! Local connections.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::unix::net as std_unix;
use std::path::Path;

use super::SocketAddr;
use crate::net::connect;
use crate::net::convert::conversions;
use crate::net::socket::{Socket, common_methods, timeout_methods};
use crate::platform::stream;

/// A local connection: the counterpart of [`std::os::unix::net::UnixStream`].
///
/// ```
/// use std::io::{Read, Write};
/// use corun::net::unix::UnixStream;
///
/// let (mut here, mut there) = UnixStream::pair()?;
/// here.write_all(b"ping")?;
/// let mut buffer = [0; 4];
/// there.read_exact(&mut buffer)?;
/// assert_eq!(&buffer, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixStream(pub(in crate::net) Socket<std_unix::UnixStream>);

conversions!(UnixStream, std_unix::UnixStream);

impl UnixStream {
    /// Connects to the socket with the given path.
    ///
    /// If the listener's queue is full, this waits for room, as it does with std.
    pub fn connect<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        UnixStream::connect_addr(&SocketAddr::from_pathname(path)?)
    }

    /// Connects to the socket with the given address.
    pub fn connect_addr(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        Ok(UnixStream(connect::unix(socket_addr)?))
    }

    /// Two sockets that are connected with each other.
    pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
        let (a, b) = std_unix::UnixStream::pair()?;
        Ok((UnixStream(Socket::fresh(a)?), UnixStream(Socket::fresh(b)?)))
    }

    /// The address of this side.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// The address of the other side.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.peer_addr()
    }

    /// Shuts down reading, writing or both, for all handles. Whoever waits for what was shut down is woken.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.inner.shutdown(how)
    }

    common_methods!();
    timeout_methods!();
}

impl Read for &UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(|| stream::receive(&self.0.inner, buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.0.read(|| (&self.0.inner).read_vectored(bufs))
    }
}

impl Write for &UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(|| stream::send(&self.0.inner, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write(|| (&self.0.inner).write_vectored(bufs))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for UnixStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for UnixStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
