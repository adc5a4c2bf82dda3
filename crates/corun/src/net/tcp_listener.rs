//! TCP listeners.

use std::io;
use std::iter::FusedIterator;
use std::net::SocketAddr;

use super::addr::{self, ToSocketAddrs};
use super::convert::conversions;
use super::socket::{Socket, common_methods};
use super::tcp_stream::TcpStream;

/// A TCP socket that accepts connections: the counterpart of [`std::net::TcpListener`].
///
/// ```
/// use corun::net::{TcpListener, TcpStream};
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let client = TcpStream::connect(listener.local_addr()?)?;
/// let (server, peer) = listener.accept()?;
/// assert_eq!(peer, client.local_addr()?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # A server that survives bad days
/// `accept` fails when the process has no descriptor left (`EMFILE`), when the system has none, or when a connection went away before it
/// was accepted. A server must go on; but without descriptors the next `accept` fails again at once, as the connection is still
/// there, so wait a little:
/// ```no_run
/// use std::time::Duration;
/// use corun::net::{TcpListener, TcpStream};
/// # fn serve(_: TcpStream) {}
///
/// let listener = TcpListener::bind("127.0.0.1:8080")?;
/// for connection in listener.incoming() {
///     match connection {
///         Ok(stream) => drop(corun::spawn(move || serve(stream))),
///         Err(error) => {
///             eprintln!("accept: {error}");
///             corun::sleep(Duration::from_millis(10));
///         }
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct TcpListener(pub(super) Socket<std::net::TcpListener>);

/// The system shortens it to what it allows: `net.core.somaxconn` on Linux.
const LONGEST_QUEUE: i32 = 65_535;

conversions!(TcpListener, std::net::TcpListener);

impl TcpListener {
    /// Listens on the first of the addresses that is free. Port 0 asks the system for a free one: see
    /// [`local_addr`](Self::local_addr). As with std, `SO_REUSEADDR` is set on Unix. Unlike with std, whose queue of connections that
    /// wait to be accepted has 128 places, it is as long as the system allows: coroutines come by the thousand.
    ///
    /// # Errors
    /// The error of the last address; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<TcpListener> {
        let listener = std::net::TcpListener::bind(&*addr::all(addr)?)?;
        // Where the queue overflows, Linux falls back to SYN cookies, and resets connections that have begun to send.
        socket2::SockRef::from(&listener).listen(LONGEST_QUEUE)?;
        Ok(TcpListener(Socket::fresh(listener)?))
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of the system: see the type's notes on running out of descriptors. After [`close`](Self::close),
    /// [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.read(|| self.accept_once())?;
        Ok((TcpStream(Socket::fresh(stream)?), peer))
    }

    pub(super) fn accept_once(&self) -> io::Result<(std::net::TcpStream, SocketAddr)> {
        self.0.check_open()?;
        // Closing between the two lines makes the call fail, for a reason of the system's.
        let accepted = self.0.inner.accept();
        accepted.or_else(|error| self.0.check_open().and(Err(error)))
    }

    /// Accepts for ever: each item is what [`accept`](Self::accept) returns, without the address.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Stops listening, now and for all handles, though the listener is only borrowed. Whoever waits in [`accept`](Self::accept) gets
    /// [`NotConnected`](io::ErrorKind::NotConnected), as does every later call. Connections that were not accepted are reset.
    ///
    /// An extension: std has nothing like it.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use corun::net::TcpListener;
    ///
    /// let listener = TcpListener::bind("127.0.0.1:0")?;
    /// std::thread::scope(|scope| {
    ///     let server = scope.spawn(|| listener.accept());
    ///     listener.close();
    ///     assert_eq!(server.join().unwrap().unwrap_err().kind(), ErrorKind::NotConnected);
    /// });
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(unix)]
    pub fn close(&self) {
        self.0.close();
    }

    /// Sets how many hops a packet of the accepted connections may take.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.inner.set_ttl(ttl)
    }

    /// How many hops a packet of the accepted connections may take.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.inner.ttl()
    }

    /// Deprecated in std, as it can only be set before binding.
    #[deprecated(note = "this option can only be set before the socket is bound")]
    pub fn set_only_v6(&self, only_v6: bool) -> io::Result<()> {
        #[expect(deprecated, reason = "so is this")]
        self.0.inner.set_only_v6(only_v6)
    }

    /// Deprecated in std, as it can only be set before binding.
    #[deprecated(note = "this option can only be set before the socket is bound")]
    pub fn only_v6(&self) -> io::Result<bool> {
        #[expect(deprecated, reason = "so is this")]
        self.0.inner.only_v6()
    }

    common_methods!();
}

/// Accepts for ever: made by [`TcpListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a TcpListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<TcpStream>;

    fn next(&mut self) -> Option<io::Result<TcpStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }
}

impl FusedIterator for Incoming<'_> {}
