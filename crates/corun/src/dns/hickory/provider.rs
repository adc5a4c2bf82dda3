//! What hickory asks of a runtime, in terms of corun: sockets, timers, and somebody who runs what belongs to no lookup.

use std::future::ready;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use ::hickory_resolver::net::runtime::{DnsTcpStream, DnsUdpSocket, RuntimeProvider, Spawn, Time};

use super::tokio::with_tokio;
use crate::coroutine::inherited;
use crate::net::{TcpStream, UdpSocket};
use crate::runtime;
use crate::time::{sleep_async, timeout_async};

/// How long a connection may take where hickory does not say.
const CONNECT: Duration = Duration::from_secs(5);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// hickory's `RuntimeProvider` on corun: [`UdpSocket`] and [`TcpStream`] of [`net`](crate::net), timers of [`time`](crate::time), and async tasks of the
/// global runtime. [`Resolver`](super::Resolver) has one inside; it is public for whatever else of hickory's is generic over it.
///
/// # Panics
/// What spawns a task for it, if the global runtime cannot be started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Provider {
    /// What it spawns looks for tokio.
    pub(super) wants_tokio: bool,
}

impl RuntimeProvider for Provider {
    type Handle = Spawner;
    type Timer = Timer;
    type Udp = UdpSocket;
    type Tcp = TcpStream;

    fn create_handle(&self) -> Spawner {
        Spawner {
            wants_tokio: self.wants_tokio,
        }
    }

    fn connect_tcp(
        &self,
        server_addr: SocketAddr,
        bind_addr: Option<SocketAddr>,
        timeout: Option<Duration>,
    ) -> Boxed<'static, io::Result<TcpStream>> {
        Box::pin(async move {
            // Whoever has a connection goes on to spawn what serves it, and has no way to say that this failed.
            runtime::try_global()?;
            let connecting = TcpStream::connect_from_async(bind_addr, server_addr);
            let stream = timeout_async(timeout.unwrap_or(CONNECT), connecting).await??;
            stream.set_nodelay(true)?;
            Ok(stream)
        })
    }

    fn bind_udp(
        &self,
        local_addr: SocketAddr,
        _server_addr: SocketAddr,
    ) -> Boxed<'static, io::Result<UdpSocket>> {
        Box::pin(ready(UdpSocket::bind(local_addr)))
    }
}

/// Runs what serves the connections of a [`Provider`], on the global runtime.
///
/// A connection is shared by all who ask, and outlives each lookup. A task on the runtime of whoever asked first would keep that from ending, or,
/// ended with it, leave the others without answers.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spawner {
    wants_tokio: bool,
}

impl Spawn for Spawner {
    fn spawn_bg(&mut self, future: impl Future<Output = ()> + Send + 'static) {
        let global = runtime::global();
        // Each goes on by itself.
        inherited::unbound(|| {
            if self.wants_tokio {
                drop(global.spawn_async(with_tokio(future)));
            } else {
                drop(global.spawn_async(future));
            }
        });
    }
}

/// The timers of corun, as hickory wants to see them. What the clock of the runtime does, they do: see [`time::pause`](crate::time::pause()).
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

// The two functions in the form that the macro of the crate `async-trait` gives them.
impl Time for Timer {
    fn delay_for<'a>(duration: Duration) -> Boxed<'a, ()> {
        Box::pin(sleep_async(duration))
    }

    fn timeout<'a, F>(duration: Duration, future: F) -> Boxed<'a, io::Result<F::Output>>
    where
        F: Future + Send + 'static + 'a,
    {
        Box::pin(async move { Ok(timeout_async(duration, future).await?) })
    }
}

impl DnsUdpSocket for UdpSocket {
    type Time = Timer;

    fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<(usize, SocketAddr)>> {
        self.poll_recv_from(cx, buf)
    }

    fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        target: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.poll_send_to(cx, buf, target)
    }
}

impl DnsTcpStream for TcpStream {
    type Time = Timer;
}
