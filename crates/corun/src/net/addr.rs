//! Names to addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::{option, slice, vec};

/// What can be turned into socket addresses: the counterpart of [`std::net::ToSocketAddrs`], for the same types.
///
/// The difference is that a host name is resolved on a thread of the blocking pool while the calling coroutine waits, so that a slow name
/// server holds up nobody else. An address in digits is not sent there.
///
/// ```
/// use corun::net::ToSocketAddrs;
///
/// let addresses: Vec<_> = "127.0.0.1:80".to_socket_addrs()?.collect();
/// assert_eq!(addresses, [([127, 0, 0, 1], 80).into()]);
///
/// assert!(("localhost", 443).to_socket_addrs()?.all(|address| address.ip().is_loopback()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub trait ToSocketAddrs {
    /// Yields the addresses, the preferred one first.
    type Iter: Iterator<Item = SocketAddr>;

    /// Resolves the value to its addresses.
    ///
    /// # Errors
    /// If the text has no valid form, or the name cannot be resolved.
    fn to_socket_addrs(&self) -> io::Result<Self::Iter>;
}

/// Asks the system's resolver, which blocks.
fn resolve<Q>(question: &Q) -> io::Result<vec::IntoIter<SocketAddr>>
where
    Q: std::net::ToSocketAddrs<Iter = vec::IntoIter<SocketAddr>> + Sync + ?Sized,
{
    crate::blocking::offload(|| question.to_socket_addrs())
}

macro_rules! single {
    ($($address:ty),*) => {$(
        impl ToSocketAddrs for $address {
            type Iter = option::IntoIter<SocketAddr>;

            fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
                Ok(Some(SocketAddr::from(*self)).into_iter())
            }
        }
    )*};
}

single!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl ToSocketAddrs for (&str, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.0.parse::<IpAddr>() {
            Ok(ip) => Ok(vec![SocketAddr::new(ip, self.1)].into_iter()),
            Err(_) => resolve(self),
        }
    }
}

impl ToSocketAddrs for (String, u16) {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (&*self.0, self.1).to_socket_addrs()
    }
}

impl ToSocketAddrs for str {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        match self.parse() {
            Ok(address) => Ok(vec![address].into_iter()),
            Err(_) => resolve(self),
        }
    }
}

impl ToSocketAddrs for String {
    type Iter = vec::IntoIter<SocketAddr>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

impl<'a> ToSocketAddrs for &'a [SocketAddr] {
    type Iter = std::iter::Cloned<slice::Iter<'a, SocketAddr>>;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        Ok(self.iter().cloned())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    type Iter = T::Iter;

    fn to_socket_addrs(&self) -> io::Result<Self::Iter> {
        (**self).to_socket_addrs()
    }
}

/// All addresses, for functions of std that take a list.
pub(super) fn all(addresses: impl ToSocketAddrs) -> io::Result<Vec<SocketAddr>> {
    Ok(addresses.to_socket_addrs()?.collect())
}
