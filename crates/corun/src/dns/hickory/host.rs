//! A name and a port.

use std::io;

/// What [`Resolver::lookup_host`](super::Resolver::lookup_host) takes: the texts and pairs that [`ToSocketAddrs`](crate::net::ToSocketAddrs) takes, but not
/// resolved yet.
pub trait HostPort {
    /// The host, which may be an address in digits, and the port.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if the text has no valid form.
    fn host_port(&self) -> io::Result<(&str, u16)>;
}

impl HostPort for str {
    fn host_port(&self) -> io::Result<(&str, u16)> {
        let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
        let (host, port) = self
            .rsplit_once(':')
            .ok_or_else(|| invalid("invalid socket address"))?;
        let port = port.parse().map_err(|_| invalid("invalid port value"))?;
        // An IPv6 address has colons of its own, and so it is in brackets here.
        let inside = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        Ok((inside.unwrap_or(host), port))
    }
}

impl HostPort for String {
    fn host_port(&self) -> io::Result<(&str, u16)> {
        (**self).host_port()
    }
}

impl HostPort for (&str, u16) {
    fn host_port(&self) -> io::Result<(&str, u16)> {
        Ok((self.0, self.1))
    }
}

impl HostPort for (String, u16) {
    fn host_port(&self) -> io::Result<(&str, u16)> {
        Ok((&self.0, self.1))
    }
}

impl<T: HostPort + ?Sized> HostPort for &T {
    fn host_port(&self) -> io::Result<(&str, u16)> {
        (**self).host_port()
    }
}
