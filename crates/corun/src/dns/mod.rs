//! Names to addresses, by the system's own resolver: `getaddrinfo`, with all that the machine's configuration says (`/etc/hosts`, `nsswitch.conf`, search
//! domains).
//!
//! It blocks, so a coroutine waits while a thread of the pool (see [`blocking`](crate::blocking())) asks. Nothing is remembered between calls. To connect, there is no need
//! to ask here: [`net`](crate::net) takes names.
//!
//! With the feature `hickory`, the module `hickory` asks name servers itself: for any number of names at once without a thread, for records other than
//! addresses, and with a memory for as long as the answers are valid.

#[cfg(feature = "hickory")]
pub mod hickory;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::vec;

use crate::net::ToSocketAddrs;

/// The addresses of a host and port, the preferred one first: of what [`ToSocketAddrs`] takes, as in `"localhost:80"` or `("localhost", 80)`. Never
/// none.
///
/// ```
/// for address in corun::dns::lookup_host("localhost:80")? {
///     assert!(address.ip().is_loopback() && address.port() == 80);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// [`InvalidInput`](io::ErrorKind::InvalidInput) for a text without a port; the system's error if the name is not known or nobody answers.
pub fn lookup_host<T: ToSocketAddrs>(host: T) -> io::Result<LookupHost> {
    let addresses: Vec<_> = host.to_socket_addrs()?.collect();
    if addresses.is_empty() {
        return Err(no_address());
    }
    Ok(LookupHost(addresses.into_iter()))
}

fn no_address() -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
}

/// The addresses of a host, each once.
///
/// ```
/// assert!(corun::dns::lookup_ip("localhost")?.iter().all(|ip| ip.is_loopback()));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`lookup_host`].
pub fn lookup_ip(host: &str) -> io::Result<Vec<IpAddr>> {
    let mut addresses = Vec::new();
    for address in lookup_host((host, 0))? {
        if !addresses.contains(&address.ip()) {
            addresses.push(address.ip());
        }
    }
    Ok(addresses)
}

/// What [`lookup_host`] has found.
#[derive(Debug, Clone)]
pub struct LookupHost(vec::IntoIter<SocketAddr>);

impl LookupHost {
    /// Those that were not taken yet. They can be connected to: a slice is what [`ToSocketAddrs`] takes.
    ///
    /// ```
    /// let found = corun::dns::lookup_host("localhost:80")?;
    /// assert_eq!(found.as_slice().len(), found.len());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn as_slice(&self) -> &[SocketAddr] {
        self.0.as_slice()
    }
}

impl Iterator for LookupHost {
    type Item = SocketAddr;

    fn next(&mut self) -> Option<SocketAddr> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for LookupHost {
    fn next_back(&mut self) -> Option<SocketAddr> {
        self.0.next_back()
    }
}

impl ExactSizeIterator for LookupHost {}
