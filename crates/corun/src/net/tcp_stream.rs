//! TCP connections.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use super::addr::ToSocketAddrs;
use super::asynchronous::no_address;
use super::connect;
use super::convert::conversions;
use super::socket::{Socket, common_methods, timeout_methods};
use crate::platform::stream;

/// A TCP connection: the counterpart of [`std::net::TcpStream`].
///
/// Reading and writing park the calling coroutine until the connection is ready; on a plain thread they block it. Both work
/// through `&TcpStream` too, so that several coroutines can use one connection at once without [`try_clone`](Self::try_clone).
/// The connection is closed when the value is dropped.
///
/// ```
/// use std::io::{BufRead, BufReader, Write};
/// use corun::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, _) = listener.accept()?;
///
/// writeln!(client, "first\nsecond")?;
/// drop(client);
/// let lines: Vec<String> = BufReader::new(server).lines().collect::<Result<_, _>>()?;
/// assert_eq!(lines, ["first", "second"]);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpStream(pub(super) Socket<std::net::TcpStream>);

conversions!(TcpStream, std::net::TcpStream);

impl TcpStream {
    /// Connects to the first of the addresses that accepts.
    ///
    /// # Errors
    /// The error of the last address; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none. There is no time limit but
    /// the system's own (minutes): see [`connect_timeout`](Self::connect_timeout).
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use corun::net::{TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let address = listener.local_addr()?;
    /// assert_eq!(TcpStream::connect(address)?.peer_addr()?, address);
    ///
    /// drop(listener);
    /// assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn connect<A: ToSocketAddrs>(addr: A) -> io::Result<TcpStream> {
        let mut last = None;
        for address in addr.to_socket_addrs()? {
            match connect::tcp(&address, None) {
                Ok(socket) => return Ok(TcpStream(socket)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Connects to one address, or gives up after the timeout.
    ///
    /// # Errors
    /// [`TimedOut`](io::ErrorKind::TimedOut) after the timeout; [`InvalidInput`](io::ErrorKind::InvalidInput) if it is zero.
    pub fn connect_timeout(addr: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        Ok(TcpStream(connect::tcp(addr, Some(timeout))?))
    }

    /// The address of the other side.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.peer_addr()
    }

    /// The address of this side.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// Shuts down reading, writing or both, for all handles. Whoever waits for what was shut down is woken: reads
    /// return `Ok(0)`, writes fail.
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use corun::net::{Shutdown, TcpListener, TcpStream};
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// let mut client = TcpStream::connect(listener.local_addr()?)?;
    /// let (mut server, _) = listener.accept()?;
    ///
    /// client.write_all(b"all I have")?;
    /// client.shutdown(Shutdown::Write)?;
    /// let mut got = String::new();
    /// server.read_to_string(&mut got)?;
    /// assert_eq!(got, "all I have");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.inner.shutdown(how)?;
        self.0.noticed_by_all();
        Ok(())
    }

    /// Reads like [`Read::read`], but leaves the bytes to be read again.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(|| self.0.inner.peek(buf))
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`) instead of being gathered.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.0.inner.set_nodelay(nodelay)
    }

    /// Whether small writes are sent at once.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.0.inner.nodelay()
    }

    /// Sets how many hops a packet may take.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.inner.set_ttl(ttl)
    }

    /// How many hops a packet may take.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.inner.ttl()
    }

    common_methods!();
    timeout_methods!();
}

impl Read for &TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0
            .read_stream(buf.len(), || stream::receive(&self.0.inner, buf))
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let asked = bufs.iter().map(|buf| buf.len()).sum();
        self.0
            .read_stream(asked, || (&self.0.inner).read_vectored(bufs))
    }
}

impl Write for &TcpStream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0
            .write_stream(buf.len(), || stream::send(&self.0.inner, buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        let offered = offered(bufs);
        self.0
            .write_stream(offered, || (&self.0.inner).write_vectored(bufs))
    }

    #[inline]
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The number of bytes that a call can take of the buffers: it may ignore those beyond the system's limit, which says nothing about
/// room in the socket.
pub(super) fn offered(bufs: &[IoSlice<'_>]) -> usize {
    const MOST: usize = 1024;
    if bufs.len() > MOST {
        return 0;
    }
    bufs.iter().map(|buf| buf.len()).sum()
}

impl Read for TcpStream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }
}

impl Write for TcpStream {
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
