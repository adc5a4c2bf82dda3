//! Local listeners.

use std::io;
use std::iter::FusedIterator;
use std::os::unix::net as std_unix;
use std::path::Path;

use super::{SocketAddr, UnixStream};
use crate::net::convert::conversions;
use crate::net::socket::{Socket, common_methods};

/// A local socket that accepts connections: the counterpart of [`std::os::unix::net::UnixListener`].
///
/// The notes of [`TcpListener`](crate::net::TcpListener) on servers hold here too.
///
/// ```
/// use corun::net::unix::{UnixListener, UnixStream};
///
/// let path = std::env::temp_dir().join(format!("corun-doc-listener-{}", std::process::id()));
/// let listener = UnixListener::bind(&path)?;
/// let client = UnixStream::connect(&path)?;
/// let (server, _) = listener.accept()?;
/// assert_eq!(client.peer_addr()?.as_pathname(), Some(&*path));
/// std::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UnixListener(pub(in crate::net) Socket<std_unix::UnixListener>);

conversions!(UnixListener, std_unix::UnixListener);

impl UnixListener {
    /// Listens on a new socket with the given path, which must not exist. It is not removed when the listener is dropped.
    pub fn bind<P: AsRef<Path>>(path: P) -> io::Result<UnixListener> {
        Ok(UnixListener(Socket::fresh(std_unix::UnixListener::bind(
            path,
        )?)?))
    }

    /// Listens on the given address.
    pub fn bind_addr(socket_addr: &SocketAddr) -> io::Result<UnixListener> {
        Ok(UnixListener(Socket::fresh(
            std_unix::UnixListener::bind_addr(socket_addr)?,
        )?))
    }

    /// The address it listens on.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// Waits for the next connection.
    ///
    /// # Errors
    /// Those of the system; after [`close`](Self::close), [`NotConnected`](io::ErrorKind::NotConnected).
    pub fn accept(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, peer) = self.0.read(|| self.accept_once())?;
        Ok((UnixStream(Socket::fresh(stream)?), peer))
    }

    pub(in crate::net) fn accept_once(&self) -> io::Result<(std_unix::UnixStream, SocketAddr)> {
        self.0.check_open()?;
        let accepted = self.0.inner.accept();
        accepted.or_else(|error| self.0.check_open().and(Err(error)))
    }

    /// Accepts for ever: each item is what [`accept`](Self::accept) returns, without the address.
    pub fn incoming(&self) -> Incoming<'_> {
        Incoming { listener: self }
    }

    /// Stops listening, now and for all handles: see [`TcpListener::close`](crate::net::TcpListener::close).
    pub fn close(&self) {
        self.0.close();
    }

    common_methods!();
}

/// Accepts for ever: made by [`UnixListener::incoming`].
#[derive(Debug)]
pub struct Incoming<'a> {
    listener: &'a UnixListener,
}

impl Iterator for Incoming<'_> {
    type Item = io::Result<UnixStream>;

    fn next(&mut self) -> Option<io::Result<UnixStream>> {
        Some(self.listener.accept().map(|(stream, _)| stream))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

impl FusedIterator for Incoming<'_> {}

impl<'a> IntoIterator for &'a UnixListener {
    type Item = io::Result<UnixStream>;
    type IntoIter = Incoming<'a>;

    fn into_iter(self) -> Incoming<'a> {
        self.incoming()
    }
}
