//! The operations of the sockets as futures.

use std::any::Any;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::addr::{self, ToSocketAddrs};
use super::connect;
use super::socket::Socket;
use super::{TcpListener, TcpStream, UdpSocket};
use crate::platform::stream;
use crate::reactor::Direction;

/// All addresses. Names are resolved by a coroutine, as the caller may be on any executor.
async fn resolve<A>(addr: A) -> io::Result<Vec<SocketAddr>>
where
    A: ToSocketAddrs + Send + 'static,
{
    if let Some(address) = literal(&addr) {
        return Ok(vec![address]);
    }
    let (answer, answers) = crate::channel::bounded(1);
    // Nobody may be left to hear it.
    crate::spawn(move || drop(answer.send(addr::all(addr))));
    let gone = |_| Err(io::Error::other("the resolver panicked"));
    answers.recv_async().await.unwrap_or_else(gone)
}

/// An address that needs no resolver, where that is easily seen.
fn literal(addr: &dyn Any) -> Option<SocketAddr> {
    if let Some(text) = addr.downcast_ref::<&str>() {
        return text.parse().ok();
    }
    match addr.downcast_ref::<String>() {
        Some(text) => text.parse().ok(),
        None => addr.downcast_ref().copied(),
    }
}

impl TcpListener {
    /// [`accept`](Self::accept) as a future, for any executor: see [the module](crate::net#in-async-code).
    ///
    /// ```
    /// use corun::net::{TcpListener, TcpStream};
    ///
    /// corun::block_on(async {
    ///     let listener = TcpListener::bind("127.0.0.1:0")?;
    ///     let client = TcpStream::connect_async(listener.local_addr()?).await?;
    ///     let (server, peer) = listener.accept_async().await?;
    ///     assert_eq!(peer, client.local_addr()?);
    ///
    ///     client.write_async(b"ping").await?;
    ///     let mut buffer = [0; 16];
    ///     let count = server.read_async(&mut buffer).await?;
    ///     assert_eq!(&buffer[..count], b"ping");
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn accept_async(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.0.read_async(|| self.accept_once()).await?;
        Ok((TcpStream(Socket::fresh(stream)?), peer))
    }

    /// [`accept`](Self::accept) in the form that futures written by hand need: the task of `cx` is woken when there may be a connection.
    pub fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.0
            .poll(cx, Direction::Read, || self.accept_once())
            .map(|accepted| {
                accepted.and_then(|(stream, peer)| Ok((TcpStream(Socket::fresh(stream)?), peer)))
            })
    }

    /// [`incoming`](Self::incoming) as a stream: it never ends.
    pub fn incoming_async(&self) -> IncomingAsync<'_> {
        IncomingAsync { listener: self }
    }
}

/// Accepts for ever: made by [`TcpListener::incoming_async`].
#[derive(Debug)]
#[must_use = "streams do nothing unless polled"]
pub struct IncomingAsync<'a> {
    listener: &'a TcpListener,
}

impl Stream for IncomingAsync<'_> {
    type Item = io::Result<TcpStream>;

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

impl TcpStream {
    /// [`connect`](Self::connect) as a future, for any executor: see [the module](crate::net#in-async-code).
    ///
    /// A name is resolved by a coroutine of the current runtime or, on other threads, of the global one.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn connect_async<A>(addr: A) -> io::Result<TcpStream>
    where
        A: ToSocketAddrs + Send + 'static,
    {
        let mut last = None;
        for address in resolve(addr).await? {
            match connect::tcp_async(&address, None).await {
                Ok(socket) => return Ok(TcpStream(socket)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.unwrap_or_else(no_address))
    }

    /// Connects to one address, from a local one if it is given.
    #[cfg(feature = "hickory")]
    pub(crate) async fn connect_from_async(
        local: Option<SocketAddr>,
        peer: SocketAddr,
    ) -> io::Result<TcpStream> {
        Ok(TcpStream(connect::tcp_async(&peer, local.as_ref()).await?))
    }

    /// Reads as [`Read::read`](std::io::Read::read) does, as a future, for any executor.
    pub async fn read_async(&self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len();
        let operation = || stream::receive(&self.0.inner, buf);
        self.0.stream_async(Direction::Read, most, operation).await
    }

    /// Writes as [`Write::write`](std::io::Write::write) does, as a future, for any executor: what the socket has room for.
    pub async fn write_async(&self, buf: &[u8]) -> io::Result<usize> {
        let operation = || stream::send(&self.0.inner, buf);
        let most = buf.len();
        self.0.stream_async(Direction::Write, most, operation).await
    }

    /// [`peek`](Self::peek) as a future, for any executor.
    pub async fn peek_async(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_async(|| self.0.inner.peek(buf)).await
    }
}

pub(super) fn no_address() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve to any addresses",
    )
}

impl UdpSocket {
    /// [`recv_from`](Self::recv_from) as a future, for any executor: see [the module](crate::net#in-async-code).
    ///
    /// ```
    /// use corun::net::UdpSocket;
    ///
    /// corun::block_on(async {
    ///     let here = UdpSocket::bind("127.0.0.1:0")?;
    ///     let there = UdpSocket::bind("127.0.0.1:0")?;
    ///     here.send_to_async(b"hello", there.local_addr()?).await?;
    ///
    ///     let mut buffer = [0; 16];
    ///     let (length, sender) = there.recv_from_async(&mut buffer).await?;
    ///     assert_eq!((&buffer[..length], sender), (&b"hello"[..], here.local_addr()?));
    ///     Ok::<(), std::io::Error>(())
    /// })?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn recv_from_async(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut operation = || self.0.inner.recv_from(buf);
        self.0
            .read_async(|| self.receive_once(&mut operation))
            .await
    }

    /// [`peek_from`](Self::peek_from) as a future, for any executor.
    pub async fn peek_from_async(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut operation = || self.0.inner.peek_from(buf);
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

    /// [`peek`](Self::peek) as a future, for any executor.
    pub async fn peek_async(&self, buf: &mut [u8]) -> io::Result<usize> {
        let mut operation = || self.0.inner.peek(buf);
        self.0
            .read_async(|| self.receive_once(&mut operation))
            .await
    }

    /// [`send_to`](Self::send_to) as a future, for any executor, to one address.
    pub async fn send_to_async(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        let operation = || self.0.inner.send_to(buf, addr);
        self.0.write_async(|| self.transmit_once(operation)).await
    }

    /// [`send`](Self::send) as a future, for any executor.
    pub async fn send_async(&self, buf: &[u8]) -> io::Result<usize> {
        let operation = || self.0.inner.send(buf);
        self.0.write_async(|| self.transmit_once(operation)).await
    }

    /// [`recv_from`](Self::recv_from) in the form that futures written by hand need: the task of `cx` is woken when there may be a datagram.
    ///
    /// ```
    /// use std::future::poll_fn;
    /// use corun::net::UdpSocket;
    ///
    /// let here = UdpSocket::bind("127.0.0.1:0")?;
    /// let there = UdpSocket::bind("127.0.0.1:0")?;
    /// let mut buffer = [0; 16];
    /// let (length, sender) = corun::block_on(async {
    ///     poll_fn(|cx| here.poll_send_to(cx, b"hello", there.local_addr()?)).await?;
    ///     poll_fn(|cx| there.poll_recv_from(cx, &mut buffer)).await
    /// })?;
    /// assert_eq!((&buffer[..length], sender), (&b"hello"[..], here.local_addr()?));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        let mut operation = || self.0.inner.recv_from(buf);
        self.0
            .poll(cx, Direction::Read, || self.receive_once(&mut operation))
    }

    /// [`send_to`](Self::send_to), to one address, in the form that futures written by hand need: the task of `cx` is woken when there may be room.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        let operation = || self.0.inner.send_to(buf, addr);
        self.0
            .poll(cx, Direction::Write, || self.transmit_once(operation))
    }
}
