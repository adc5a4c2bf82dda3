//! HTTP on the workers: `ureq` over corun's sockets, one coroutine for each request.
//!
//! `ureq` is written in blocking style, and takes its transport from whoever gives it one. Here that is `corun::net`, so that what would
//! block parks the coroutine, TLS included; the names of hosts are resolved on corun's pool for blocking work. No pool of threads or of
//! connections limits how many requests are in flight: that is the business of descriptors and of memory. Rejected: hyper, which is
//! asynchronous and leaves redirects, bodies and TLS to its caller.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::Duration;

use corun::net::{TcpStream, ToSocketAddrs};
use steel::rvals::Custom;
use ureq::http::{Request, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error};

use crate::failure::Failure;

/// Answers that are larger are an error, so that no server can fill the memory.
const MAX_BODY: u64 = 64 * 1024 * 1024;

/// As many addresses of one name as `ureq` takes.
const MAX_ADDRESSES: usize = 16;

/// Makes requests. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
}

/// What came back, whatever its status.
#[derive(Clone)]
pub(crate) struct Response {
    pub(crate) url: String,
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Custom for Response {
    fn fmt(&self) -> Option<Result<String, fmt::Error>> {
        Some(Ok(format!(
            "#<http-response: {} {}>",
            self.status, self.url
        )))
    }
}

impl Client {
    /// With `authorities`, certificates in PEM, servers are trusted if one of these vouches for them; without, if one of the web's does.
    ///
    /// # Errors
    /// If there is no certificate in `authorities`, or one that cannot be read.
    pub(crate) fn new(authorities: Option<&[u8]>) -> Result<Client, Failure> {
        let roots = match authorities {
            None => RootCerts::WebPki,
            Some(pem) => RootCerts::new_with_certs(&certificates(pem)?),
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .user_agent(concat!("corun-scheme/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            // What the environment says of proxies would need a connector of its own.
            .proxy(None)
            // A connection for each request: a kept one may be closed by the server just as it is used again.
            .max_idle_connections(0)
            .build();
        let connector = ().chain(CorunConnector).chain(RustlsConnector::default());
        Ok(Client {
            agent: Agent::with_parts(config, connector, CorunResolver),
        })
    }

    /// Sends `request` and waits for all of the answer, `limit` at most.
    pub(crate) fn perform(
        &self,
        request: Request<Option<Vec<u8>>>,
        limit: Option<Duration>,
    ) -> Result<Response, Failure> {
        let url = request.uri().to_string();
        let (parts, body) = request.into_parts();
        let mut answer = match body {
            None => {
                let request = self.agent.configure_request(Request::from_parts(parts, ()));
                self.agent.run(request.timeout_global(limit).build())
            }
            Some(body) => {
                let request = self
                    .agent
                    .configure_request(Request::from_parts(parts, body));
                self.agent.run(request.timeout_global(limit).build())
            }
        }?;
        let headers = answer
            .headers()
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        Ok(Response {
            url,
            status: answer.status().as_u16(),
            headers,
            body: answer
                .body_mut()
                .with_config()
                .limit(MAX_BODY)
                .read_to_vec()?,
        })
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<ureq::tls::Certificate<'static>>, Failure> {
    let mut found = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item? {
            found.push(certificate);
        }
    }
    if found.is_empty() {
        return Err(Failure::new("there is no certificate in it"));
    }
    Ok(found)
}

#[derive(Debug)]
struct CorunResolver;

impl Resolver for CorunResolver {
    fn resolve(
        &self,
        uri: &Uri,
        _: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().ok_or(Error::HostNotFound)?;
        // Addresses of version 6 stand in brackets.
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri
            .port_u16()
            .unwrap_or(if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            });
        let look_up = || (bare, port).to_socket_addrs();
        let found = match timeout.not_zero() {
            None => look_up(),
            Some(limit) => match corun::timeout(*limit, look_up) {
                Ok(found) => found,
                Err(_) => return Err(Error::Timeout(timeout.reason)),
            },
        };
        let mut addresses = self.empty();
        let found = found.map_err(|error| {
            Error::Io(io::Error::new(
                error.kind(),
                format!("{bare} cannot be resolved: {error}"),
            ))
        })?;
        for address in found.take(MAX_ADDRESSES) {
            addresses.push(address);
        }
        if addresses.is_empty() {
            return Err(Error::HostNotFound);
        }
        Ok(addresses)
    }
}

#[derive(Debug)]
struct CorunConnector;

impl Connector for CorunConnector {
    type Out = CorunTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _: Option<()>,
    ) -> Result<Option<CorunTransport>, Error> {
        let stream = connect_any(&details.addrs, details.timeout)?;
        stream.set_nodelay(true)?;
        let config = details.config;
        let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
        Ok(Some(CorunTransport { stream, buffers }))
    }
}

/// One address after the other, as `std` does; all within the time that is left.
fn connect_any(addresses: &[SocketAddr], timeout: NextTimeout) -> Result<TcpStream, Error> {
    let connect = || TcpStream::connect(addresses);
    let connected = match timeout.not_zero() {
        None => connect(),
        Some(limit) => {
            corun::timeout(*limit, connect).map_err(|_| Error::Timeout(timeout.reason))?
        }
    };
    Ok(connected?)
}

/// A socket that parks the coroutine, with the buffers that `ureq` wants beside it.
struct CorunTransport {
    stream: TcpStream,
    buffers: LazyBuffers,
}

impl CorunTransport {
    fn limited<T>(
        &mut self,
        timeout: NextTimeout,
        set: fn(&TcpStream, Option<Duration>) -> io::Result<()>,
        operation: impl FnOnce(&mut CorunTransport) -> io::Result<T>,
    ) -> Result<T, Error> {
        set(&self.stream, timeout.not_zero().map(|limit| *limit))?;
        operation(self).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Error::Timeout(timeout.reason),
            _ => Error::Io(error),
        })
    }
}

impl Transport for CorunTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.limited(timeout, TcpStream::set_write_timeout, |transport| {
            let output = &transport.buffers.output()[..amount];
            transport.stream.write_all(output)
        })
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let amount = self.limited(timeout, TcpStream::set_read_timeout, |transport| {
            transport.stream.read(transport.buffers.input_append_buf())
        })?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        // Asked of kept connections only, and none is kept.
        false
    }
}

impl fmt::Debug for CorunTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CorunTransport")
            .field("peer", &self.stream.peer_addr().ok())
            .finish_non_exhaustive()
    }
}
