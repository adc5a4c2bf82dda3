//! UDP sockets.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::addr::{self, ToSocketAddrs};
use super::convert::conversions;
use super::socket::{Socket, common_methods, timeout_methods};

/// A UDP socket: the counterpart of [`std::net::UdpSocket`].
///
/// ```
/// use corun::net::UdpSocket;
///
/// let here = UdpSocket::bind("127.0.0.1:0")?;
/// let there = UdpSocket::bind("127.0.0.1:0")?;
/// here.send_to(b"hello", there.local_addr()?)?;
///
/// let mut buffer = [0; 16];
/// let (length, sender) = there.recv_from(&mut buffer)?;
/// assert_eq!((&buffer[..length], sender), (&b"hello"[..], here.local_addr()?));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct UdpSocket(pub(super) Socket<std::net::UdpSocket>);

conversions!(UdpSocket, std::net::UdpSocket);

impl UdpSocket {
    /// Binds to the first of the addresses that is free. Port 0 asks the system for a free one.
    ///
    /// # Errors
    /// The error of the last address; [`InvalidInput`](io::ErrorKind::InvalidInput) if there is none.
    pub fn bind<A: ToSocketAddrs>(addr: A) -> io::Result<UdpSocket> {
        let socket = std::net::UdpSocket::bind(&*addr::all(addr)?)?;
        Ok(UdpSocket(Socket::fresh(socket)?))
    }

    #[inline]
    fn receive<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.0.read(|| self.receive_once(&mut operation))
    }

    #[inline]
    pub(super) fn receive_once<T>(
        &self,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.check_open()?;
        let result = operation();
        // A socket that is closed meanwhile gives an empty datagram from nobody, or an error of the system's.
        self.0.check_open()?;
        result
    }

    #[inline]
    fn transmit<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        self.0.write(|| self.transmit_once(&mut operation))
    }

    #[inline]
    pub(super) fn transmit_once<T>(
        &self,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> io::Result<T> {
        self.0.check_open()?;
        operation()
    }

    /// Waits for a datagram; returns its length and its sender. What does not fit the buffer is lost.
    pub fn recv_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(|| self.0.inner.recv_from(buf))
    }

    /// As [`recv_from`](Self::recv_from), but leaves the datagram to be received again.
    pub fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.receive(|| self.0.inner.peek_from(buf))
    }

    /// Sends a datagram to the first of the addresses; returns its length.
    ///
    /// # Errors
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if there is no address.
    pub fn send_to<A: ToSocketAddrs>(&self, buf: &[u8], addr: A) -> io::Result<usize> {
        let Some(address) = addr.to_socket_addrs()?.next() else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "no addresses to send data to",
            ));
        };
        self.transmit(|| self.0.inner.send_to(buf, address))
    }

    /// The address that it is connected to.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.peer_addr()
    }

    /// The address that it is bound to.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.inner.local_addr()
    }

    /// Makes one of the addresses the only one that is sent to and received from.
    ///
    /// # Errors
    /// The error of the last address.
    pub fn connect<A: ToSocketAddrs>(&self, addr: A) -> io::Result<()> {
        self.0.inner.connect(&*addr::all(addr)?)
    }

    /// Sends a datagram to the address that it is connected to.
    pub fn send(&self, buf: &[u8]) -> io::Result<usize> {
        self.transmit(|| self.0.inner.send(buf))
    }

    /// Waits for a datagram from the address that it is connected to.
    pub fn recv(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| self.0.inner.recv(buf))
    }

    /// As [`recv`](Self::recv), but leaves the datagram to be received again.
    pub fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.receive(|| self.0.inner.peek(buf))
    }

    /// Ends the socket for all handles, though it is only borrowed. Whoever waits on it gets
    /// [`NotConnected`](io::ErrorKind::NotConnected), as does every later call that sends or receives.
    ///
    /// An extension: std has nothing like it.
    #[cfg(unix)]
    pub fn close(&self) {
        self.0.close();
    }

    /// Sets whether broadcasts may be sent (`SO_BROADCAST`).
    pub fn set_broadcast(&self, broadcast: bool) -> io::Result<()> {
        self.0.inner.set_broadcast(broadcast)
    }

    /// Whether broadcasts may be sent.
    pub fn broadcast(&self) -> io::Result<bool> {
        self.0.inner.broadcast()
    }

    /// Sets whether multicasts are received by this host too (`IP_MULTICAST_LOOP`).
    pub fn set_multicast_loop_v4(&self, multicast_loop_v4: bool) -> io::Result<()> {
        self.0.inner.set_multicast_loop_v4(multicast_loop_v4)
    }

    /// Whether multicasts are received by this host too.
    pub fn multicast_loop_v4(&self) -> io::Result<bool> {
        self.0.inner.multicast_loop_v4()
    }

    /// Sets how many hops a multicast may take (`IP_MULTICAST_TTL`).
    pub fn set_multicast_ttl_v4(&self, multicast_ttl_v4: u32) -> io::Result<()> {
        self.0.inner.set_multicast_ttl_v4(multicast_ttl_v4)
    }

    /// How many hops a multicast may take.
    pub fn multicast_ttl_v4(&self) -> io::Result<u32> {
        self.0.inner.multicast_ttl_v4()
    }

    /// Sets whether multicasts are received by this host too (`IPV6_MULTICAST_LOOP`).
    pub fn set_multicast_loop_v6(&self, multicast_loop_v6: bool) -> io::Result<()> {
        self.0.inner.set_multicast_loop_v6(multicast_loop_v6)
    }

    /// Whether multicasts are received by this host too.
    pub fn multicast_loop_v6(&self) -> io::Result<bool> {
        self.0.inner.multicast_loop_v6()
    }

    /// Sets how many hops a packet may take.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.0.inner.set_ttl(ttl)
    }

    /// How many hops a packet may take.
    pub fn ttl(&self) -> io::Result<u32> {
        self.0.inner.ttl()
    }

    /// Joins a multicast group, on the interface with the given address (unspecified: the system chooses).
    pub fn join_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.inner.join_multicast_v4(multiaddr, interface)
    }

    /// Joins a multicast group, on the interface with the given index (0: the system chooses).
    pub fn join_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.inner.join_multicast_v6(multiaddr, interface)
    }

    /// Leaves a multicast group.
    pub fn leave_multicast_v4(&self, multiaddr: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.0.inner.leave_multicast_v4(multiaddr, interface)
    }

    /// Leaves a multicast group.
    pub fn leave_multicast_v6(&self, multiaddr: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.0.inner.leave_multicast_v6(multiaddr, interface)
    }

    common_methods!();
    timeout_methods!();
}
