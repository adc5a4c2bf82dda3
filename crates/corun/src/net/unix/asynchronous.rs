//! The operations of local sockets as futures.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use crate::net::backoff::Backoff;
use crate::net::connect;
use crate::net::socket::Socket;
use crate::platform::stream;
use crate::reactor::Direction;

impl UnixListener {
    /// [`accept`](Self::accept) as a future, for any executor: see [`corun::net`](crate::net#in-async-code).
    pub async fn accept_async(&self) -> io::Result<(UnixStream, SocketAddr)> {
        let (stream, peer) = self.0.read_async(|| self.accept_once()).await?;
        Ok((UnixStream(Socket::fresh(stream)?), peer))
    }

    /// [`accept`](Self::accept) in the form that futures written by hand need: the task of `cx` is woken when there may be a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(UnixStream, SocketAddr)>> {
        self.0
            .poll(cx, Direction::Read, || self.accept_once())
            .map(|accepted| {
                accepted.and_then(|(stream, peer)| Ok((UnixStream(Socket::fresh(stream)?), peer)))
            })
    }

    /// [`incoming`](Self::incoming) as a stream: it never ends.
    pub fn incoming_async(&self) -> IncomingAsync<'_> {
        IncomingAsync { listener: self }
    }
}

/// Accepts for ever: made by [`UnixListener::incoming_async`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct IncomingAsync<'a> {
    listener: &'a UnixListener,
}

impl Stream for IncomingAsync<'_> {
    type Item = io::Result<UnixStream>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let accepted = self.listener.poll_accept(cx);
        accepted.map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl FusedStream for IncomingAsync<'_> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl UnixStream {
    /// [`connect`](Self::connect) as a future, for any executor: see [`corun::net`](crate::net#in-async-code).
    ///
    /// ```
    /// use corun::net::unix::{UnixListener, UnixStream};
    ///
    /// let path = std::env::temp_dir().join(format!("corun-doc-async-{}", std::process::id()));
    /// let listener = UnixListener::bind(&path)?;
    /// corun::block_on(async {
    ///     let client = UnixStream::connect_async(&path).await?;
    ///     let (server, _) = listener.accept_async().await?;
    ///     client.write_async(b"ping").await?;
    ///     let mut buffer = [0; 16];
    ///     let count = server.read_async(&mut buffer).await?;
    ///     assert_eq!(&buffer[..count], b"ping");
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// std::fs::remove_file(&path)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn connect_async<P: AsRef<Path>>(path: P) -> io::Result<UnixStream> {
        let address = SocketAddr::from_pathname(path)?;
        UnixStream::connect_addr_async(&address).await
    }

    /// [`connect_addr`](Self::connect_addr) as a future, for any executor.
    pub async fn connect_addr_async(socket_addr: &SocketAddr) -> io::Result<UnixStream> {
        Ok(UnixStream(connect::unix_async(socket_addr).await?))
    }

    /// Reads as [`Read::read`](std::io::Read::read) does, as a future, for any executor.
    pub async fn read_async(&self, buf: &mut [u8]) -> io::Result<usize> {
        let operation = || stream::receive(&self.0.inner, buf);
        self.0.read_async(operation).await
    }

    /// Writes as [`Write::write`](std::io::Write::write) does, as a future, for any executor: what the socket has room for.
    pub async fn write_async(&self, buf: &[u8]) -> io::Result<usize> {
        let operation = || stream::send(&self.0.inner, buf);
        self.0.write_async(operation).await
    }
}

impl UnixDatagram {
    /// [`recv_from`](Self::recv_from) as a future, for any executor: see [`corun::net`](crate::net#in-async-code).
    pub async fn recv_from_async(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut operation = || self.0.inner.recv_from(buf);
        self.0
            .read_async(|| self.receive_once(&mut operation))
            .await
    }

    /// [`recv`](Self::recv) as a future, for any executor.
    pub async fn recv_async(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut operation = || self.0.inner.recv(buf);
        self.0
            .read_async(|| self.receive_once(&mut operation))
            .await
    }

    /// [`send_to`](Self::send_to) as a future, for any executor.
    pub async fn send_to_async<P: AsRef<Path>>(&self, buf: &[u8], path: P) -> io::Result<usize> {
        let address = SocketAddr::from_pathname(path)?;
        self.send_to_addr_async(buf, &address).await
    }

    /// [`send_to_addr`](Self::send_to_addr) as a future, for any executor.
    pub async fn send_to_addr_async(
        &self,
        buf: &[u8],
        socket_addr: &SocketAddr,
    ) -> io::Result<usize> {
        let mut backoff = Backoff::new(None);
        loop {
            let result = self.transmit_once(|| self.0.inner.send_to_addr(buf, socket_addr));
            match &result {
                // No event tells when a receiver that is not connected has room again.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    backoff.pause_async().await;
                }
                _ => return result,
            }
        }
    }

    /// [`send`](Self::send) as a future, for any executor.
    pub async fn send_async(&self, buf: &[u8]) -> io::Result<usize> {
        let operation = || self.0.inner.send(buf);
        self.0.write_async(|| self.transmit_once(operation)).await
    }
}
