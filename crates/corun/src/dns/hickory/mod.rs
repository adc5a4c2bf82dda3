//! Names to addresses and other records, by asking name servers: [`hickory_resolver`] on corun. Feature `hickory`.
//!
//! [`dns`](super) asks the system, which blocks a thread for each name. A [`Resolver`] speaks to the name servers itself, by UDP and TCP on corun's own
//! sockets and timers, and without tokio. A lookup suspends the coroutine and nothing else, so that thousands wait at once; it asks for any kind of
//! record; and what was found is remembered for as long as the server has said that it is valid.
//!
//! ```no_run
//! use corun::dns::hickory::Resolver;
//! use corun::net::TcpStream;
//!
//! // Once for the whole program: clones share connections and memory.
//! let resolver = Resolver::system()?;
//! let stream = TcpStream::connect(resolver.lookup_host("example.com:80")?.as_slice())?;
//!
//! // A thousand at once, on a few threads, and no longer than 2 s.
//! let names: Vec<_> = (0..1_000).map(|n| format!("host{n}.example.com.")).collect();
//! let found = corun::timeout(std::time::Duration::from_secs(2), || {
//!     corun::map_concurrent(names, 1_000, |name| resolver.lookup_ip(&name))
//! })?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Waiting
//! The calls work in coroutines and on plain threads; each has a twin for async code, whose name ends in `_async`. In a coroutine they are left at once
//! when it is cancelled, or when the time of a [`timeout`](crate::timeout()) is up; sockets that wait for an answer are closed then. (In a program that is
//! compiled with `panic = "abort"` they are not, and end when hickory's own time is up.)
//!
//! hickory's own time: servers are asked for `timeout` (5 s if nothing else is configured), and then `attempts` times more (2), which makes 15 s for a name
//! that nobody answers for. An answer by UDP that is late is asked for again meanwhile. What two ask for at the same time is asked once.
//!
//! # What the system does and this does not
//! `/etc/resolv.conf` and `/etc/hosts` are read when the resolver is made, and not again. `nsswitch.conf` is not read at all: names of mDNS, LDAP or
//! containers that only the system's modules know are for [`dns::lookup_host`](super::lookup_host).
//!
//! # Servers that want TLS
//! With the features `tls-ring`, `https-ring` and the like of `hickory-resolver`, which the program enables in its own dependency on it, a configuration may
//! name servers of DNS over TLS and over HTTPS. hickory's code for these looks for tokio, so it needs corun's feature `tokio` as well, and is told
//! of the runtime of that module; without it, such servers are an error.

mod connector;
mod error;
mod host;
mod provider;
mod tokio;

use std::io;
use std::net::{IpAddr, SocketAddr};

use ::hickory_resolver::ResolverBuilder;
use ::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use ::hickory_resolver::lookup::Lookup;
use ::hickory_resolver::net::NetError;
use ::hickory_resolver::proto::rr::{IntoName, Name, RData, RecordType};

use super::{LookupHost, no_address};
use crate::blocking::offload;
use crate::future::block_on;

/// The crate, in the version that this module is made for.
#[doc(no_inline)]
pub use ::hickory_resolver;

pub use connector::{Connection, Connector, Response};
pub use error::io_error;
pub use host::HostPort;
pub use provider::{Provider, Spawner, Timer};

/// Asks name servers: see [the module](self).
///
/// Any number of coroutines, threads and async tasks may share one, or have clones of it, which are cheap and share everything. It belongs to no runtime: it may
/// be made before one is started, and used by several and when they have ended.
///
/// All calls fail with the errors of [`io_error`]; with [`InvalidInput`](io::ErrorKind::InvalidInput) if what they are given is no name.
#[derive(Clone, Debug)]
pub struct Resolver {
    inner: hickory_resolver::Resolver<Connector>,
}

impl Resolver {
    /// One that asks the servers that the system is configured to ask: those of `/etc/resolv.conf`, with its options and search domains, and `/etc/hosts`. Both
    /// are read here, on a thread of the pool if a coroutine calls this.
    ///
    /// # Errors
    /// If the configuration cannot be read, or names no server.
    ///
    /// ```no_run
    /// let resolver = corun::dns::hickory::Resolver::system()?;
    /// println!("{:?}", resolver.lookup_ip("example.com.")?);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[cfg(any(unix, windows))]
    pub fn system() -> io::Result<Resolver> {
        offload(|| {
            let builder = hickory_resolver::Resolver::builder(Connector::default());
            build(builder.map_err(io_error)?)
        })
    }

    /// One that asks the servers of a configuration.
    ///
    /// # Errors
    /// Those of hickory's builder.
    ///
    /// ```
    /// use std::net::Ipv4Addr;
    /// use corun::dns::hickory::hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
    /// use corun::dns::hickory::Resolver;
    ///
    /// let server = NameServerConfig::udp_and_tcp(Ipv4Addr::LOCALHOST.into());
    /// let resolver = Resolver::new(
    ///     ResolverConfig::from_name_servers(vec![server]),
    ///     ResolverOpts::default(),
    /// )?;
    /// // Nobody is asked for this one.
    /// assert!(resolver.lookup_ip("localhost")?.iter().all(|ip| ip.is_loopback()));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(config: ResolverConfig, options: ResolverOpts) -> io::Result<Resolver> {
        let connector = Connector::default();
        let builder = hickory_resolver::Resolver::builder_with_config(config, connector);
        Resolver::from_builder(builder.with_options(options))
    }

    /// One with whatever else hickory's builder can be told.
    ///
    /// # Errors
    /// Those of hickory's builder.
    ///
    /// ```no_run
    /// use corun::dns::hickory::{Connector, Resolver, hickory_resolver, io_error};
    ///
    /// let builder = hickory_resolver::Resolver::builder(Connector::default());
    /// let mut builder = builder.map_err(io_error)?;
    /// builder.options_mut().cache_size = 0;
    /// let resolver = Resolver::from_builder(builder)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn from_builder(builder: ResolverBuilder<Connector>) -> io::Result<Resolver> {
        // Reads `/etc/hosts`.
        offload(|| build(builder))
    }

    /// hickory's own resolver, whose lookups are futures for any executor. [`wait`](Self::wait) waits for them in coroutines.
    pub fn get_ref(&self) -> &hickory_resolver::Resolver<Connector> {
        &self.inner
    }

    /// The addresses of a host, with the port, the preferred one first: of what [`dns::lookup_host`](super::lookup_host) takes, as in `"example.com:80"` or
    /// `("example.com", 80)`. Never none. An address in digits is not asked for.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub fn lookup_host(&self, host: impl HostPort) -> io::Result<LookupHost> {
        block_on(self.lookup_host_async(host))
    }

    /// [`lookup_host`](Self::lookup_host) as a future, for any executor.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub async fn lookup_host_async(&self, host: impl HostPort) -> io::Result<LookupHost> {
        let (host, port) = host.host_port()?;
        let addresses = self.lookup_ip_async(host).await?;
        let addresses = addresses.into_iter().map(|ip| SocketAddr::new(ip, port));
        Ok(LookupHost(addresses.collect::<Vec<_>>().into_iter()))
    }

    /// The addresses of a host, each once. Never none.
    ///
    /// A name that ends with a dot is meant as it is. Any other is tried with the search domains of the configuration, too.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub fn lookup_ip(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        block_on(self.lookup_ip_async(host))
    }

    /// [`lookup_ip`](Self::lookup_ip) as a future, for any executor.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub async fn lookup_ip_async(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        if let Ok(address) = host.parse() {
            return Ok(vec![address]);
        }
        let found = self.inner.lookup_ip(name(host)?).await.map_err(io_error)?;
        let mut addresses = Vec::new();
        for address in found.iter() {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            return Err(no_address());
        }
        Ok(addresses)
    }

    /// The names of an address, without the final dot.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub fn reverse(&self, address: IpAddr) -> io::Result<Vec<String>> {
        block_on(self.reverse_async(address))
    }

    /// [`reverse`](Self::reverse) as a future, for any executor.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub async fn reverse_async(&self, address: IpAddr) -> io::Result<Vec<String>> {
        let found = self.inner.reverse_lookup(address).await.map_err(io_error)?;
        let names = found
            .answers()
            .iter()
            .filter_map(|record| match &record.data {
                RData::PTR(name) => Some(name.to_utf8()),
                _ => None,
            });
        Ok(names
            .map(|name| name.strip_suffix('.').map(str::to_owned).unwrap_or(name))
            .collect())
    }

    /// The records of one kind that a name has: `MX`, `TXT`, `SRV` and so on.
    ///
    /// # Errors
    /// See [`Resolver`].
    ///
    /// ```no_run
    /// use corun::dns::hickory::Resolver;
    /// use corun::dns::hickory::hickory_resolver::proto::rr::{RData, RecordType};
    ///
    /// let resolver = Resolver::system()?;
    /// for record in resolver.lookup("example.com.", RecordType::MX)?.answers() {
    ///     if let RData::MX(mx) = &record.data {
    ///         println!("{} {}", mx.preference, mx.exchange);
    ///     }
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn lookup(&self, name: &str, kind: RecordType) -> io::Result<Lookup> {
        block_on(self.lookup_async(name, kind))
    }

    /// [`lookup`](Self::lookup) as a future, for any executor.
    ///
    /// # Errors
    /// See [`Resolver`].
    pub async fn lookup_async(&self, name: &str, kind: RecordType) -> io::Result<Lookup> {
        let name = self::name(name)?;
        self.inner.lookup(name, kind).await.map_err(io_error)
    }

    /// Waits for whatever hickory's own resolver can be asked for.
    ///
    /// # Errors
    /// See [`Resolver`].
    ///
    /// ```no_run
    /// let resolver = corun::dns::hickory::Resolver::system()?;
    /// let texts = resolver.wait(|hickory| hickory.txt_lookup("example.com."))?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn wait<'a, F, T>(
        &'a self,
        ask: impl FnOnce(&'a hickory_resolver::Resolver<Connector>) -> F,
    ) -> io::Result<T>
    where
        F: Future<Output = Result<T, NetError>>,
    {
        block_on(ask(&self.inner)).map_err(io_error)
    }
}

fn build(builder: ResolverBuilder<Connector>) -> io::Result<Resolver> {
    let inner = builder.build().map_err(io_error)?;
    Ok(Resolver { inner })
}

/// The name that a text means.
fn name(text: &str) -> io::Result<Name> {
    let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
    if text.is_empty() {
        return Err(invalid(NetError::Message("an empty text is no name")));
    }
    text.into_name().map_err(|error| invalid(error.into()))
}
