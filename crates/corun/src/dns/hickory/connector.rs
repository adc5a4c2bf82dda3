//! How name servers are reached: by datagrams from within each lookup, by anything else as hickory does it.
//!
//! hickory gives each connection to a server a task, also one for UDP, which opens a socket for each question and so has nothing to keep. Here
//! a question by UDP is asked and waited for by whoever looks up, with no task in between: its time limits and its cancellation close its sockets
//! at once, no other thread has to be woken for it, and a resolver that nobody uses has nothing that a runtime would have to wait for.
//!
//! The child of a fork has no such task of its parent's, and so makes connections of its own.
//!
//! Rejected: hickory's own way for UDP as well (a question then passes two channels and two wake-ups).

use std::collections::HashSet;
use std::fmt;
use std::future::ready;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use ::hickory_resolver::config::{ConnectionConfig, ProtocolConfig};
use ::hickory_resolver::net::NetError;
use ::hickory_resolver::net::udp::UdpClientStream;
use ::hickory_resolver::net::xfer::{
    DnsExchange, DnsExchangeSend, DnsHandle, DnsRequestSender, DnsResponseStream,
};
use ::hickory_resolver::proto::op::{DnsRequest, DnsResponse};
use ::hickory_resolver::{ConnectionProvider, PoolContext};
use futures_core::stream::Stream;

use super::Provider;
use super::error::keep_exhaustion;
use super::tokio::{inside, with_tokio};
use crate::platform::fork;

/// hickory's `ConnectionProvider` on corun, for hickory's own `Resolver` and its builder: see [`Resolver::from_builder`](super::Resolver::from_builder).
#[derive(Clone, Copy, Debug, Default)]
pub struct Connector(Provider);

impl ConnectionProvider for Connector {
    type Conn = Connection;
    type FutureConn = Pin<Box<dyn Future<Output = Result<Connection, NetError>> + Send>>;
    type RuntimeProvider = Provider;

    fn new_connection(
        &self,
        ip: IpAddr,
        config: &ConnectionConfig,
        cx: &PoolContext,
    ) -> Result<Self::FutureConn, NetError> {
        if config.protocol == ProtocolConfig::Udp {
            let datagrams = Datagrams {
                server: SocketAddr::new(ip, config.port),
                local: config.bind_addr,
                timeout: cx.options.timeout,
                avoid: Arc::clone(&cx.options.avoid_local_udp_ports),
                system_chooses_port: cx.options.os_port_selection,
            };
            return Ok(Box::pin(ready(Ok(Connection(Kind::Datagrams(datagrams))))));
        }
        // The others are there with the features of hickory's for TLS only.
        let wants_tokio = config.protocol != ProtocolConfig::Tcp;
        if wants_tokio && cfg!(not(feature = "tokio")) {
            return Err(NetError::Message(
                "hickory's code for TLS looks for tokio: it wants the feature `tokio` of the crate `corun`",
            ));
        }
        let connecting = Provider { wants_tokio }.new_connection(ip, config, cx)?;
        let connected = move |exchange: Result<_, _>| match exchange {
            Ok(inner) => Ok(Connection(Kind::Exchange(Exchange {
                inner,
                wants_tokio,
                generation: fork::generation(),
            }))),
            Err(error) => Err(keep_exhaustion(error)),
        };
        Ok(if wants_tokio {
            Box::pin(async move { connected(with_tokio(connecting).await) })
        } else {
            Box::pin(async move { connected(connecting.await) })
        })
    }

    fn runtime_provider(&self) -> &Provider {
        &self.0
    }
}

/// A way to one name server: made by [`Connector`], for hickory to use.
#[derive(Clone)]
pub struct Connection(Kind);

#[derive(Clone)]
enum Kind {
    Datagrams(Datagrams),
    Exchange(Exchange),
}

/// A connection with a task that serves it.
#[derive(Clone)]
struct Exchange {
    inner: DnsExchange<Provider>,
    wants_tokio: bool,
    /// The process that has the task, as `fork::generation` counts them.
    generation: u32,
}

/// What there is to know for asking by UDP.
#[derive(Clone)]
struct Datagrams {
    server: SocketAddr,
    local: Option<SocketAddr>,
    timeout: Duration,
    avoid: Arc<HashSet<u16>>,
    system_chooses_port: bool,
}

impl DnsHandle for Connection {
    type Response = Response;
    type Runtime = Provider;

    fn send(&self, request: DnsRequest) -> Response {
        Response(match &self.0 {
            Kind::Datagrams(datagrams) => Answer::Datagram(datagrams.send(request)),
            Kind::Exchange(exchange) if exchange.generation != fork::generation() => Answer::Gone,
            Kind::Exchange(exchange) => {
                Answer::Exchange(exchange.inner.send(request), exchange.wants_tokio)
            }
        })
    }
}

impl Datagrams {
    /// The question goes out when the answer is polled for.
    fn send(&self, request: DnsRequest) -> DnsResponseStream {
        UdpClientStream::builder(self.server, Provider::default())
            .with_timeout(Some(self.timeout))
            .with_bind_addr(self.local)
            .avoid_local_ports(Arc::clone(&self.avoid))
            .with_os_port_selection(self.system_chooses_port)
            .build()
            .send_message(request)
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Datagrams(datagrams) => f.debug_tuple("Udp").field(&datagrams.server).finish(),
            Kind::Exchange(..) => f.pad("Exchange"),
        }
    }
}

/// What a server answers to a question that was sent by a [`Connection`].
#[must_use = "streams do nothing unless polled"]
pub struct Response(Answer);

enum Answer {
    Datagram(DnsResponseStream),
    /// And whether it looks for tokio.
    Exchange(DnsExchangeSend<Provider>, bool),
    /// This is the child of a fork, and the task is its parent's. hickory makes another connection then.
    Gone,
}

impl Stream for Response {
    type Item = Result<DnsResponse, NetError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.get_mut().0 {
            Answer::Datagram(stream) => Pin::new(stream)
                .poll_next(cx)
                .map(|next| next.map(|answer| answer.map_err(keep_exhaustion))),
            Answer::Exchange(stream, wants_tokio) => {
                inside(*wants_tokio, || Pin::new(stream).poll_next(cx))
            }
            Answer::Gone => {
                let error = io::Error::from(io::ErrorKind::NotConnected);
                Poll::Ready(Some(Err(error.into())))
            }
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Response { .. }")
    }
}
