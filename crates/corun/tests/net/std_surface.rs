//! The sockets have every stable method of those of std, with the same signature: one list is compiled against both.

use std::fmt::Debug;
use std::io::{self, Read, Write};
use std::iter::FusedIterator;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

type Timeout = Option<Duration>;
type Error = Option<io::Error>;

fn socket<T>()
where
    T: Debug + Send + Sync + Unpin + AsFd + AsRawFd + FromRawFd + IntoRawFd + From<OwnedFd>,
    OwnedFd: From<T>,
{
}

fn stream<T: Read + Write>()
where
    for<'a> &'a T: Read + Write,
{
}

fn endless<T: FusedIterator + Debug + Send + Sync>() {}

fn interchangeable<A: From<B>, B: From<A>>() {}

/// Each line is a method with its type.
macro_rules! methods {
    ($type:ty { $($name:ident: $signature:ty;)* }) => {
        $(let _: $signature = <$type>::$name;)*
    };
}

macro_rules! common {
    ($type:ty) => {
        socket::<$type>();
        methods!($type {
            try_clone: fn(&$type) -> io::Result<$type>;
            take_error: fn(&$type) -> io::Result<Error>;
            set_nonblocking: fn(&$type, bool) -> io::Result<()>;
        });
    };
}

macro_rules! timeouts {
    ($type:ty) => {
        methods!($type {
            set_read_timeout: fn(&$type, Timeout) -> io::Result<()>;
            set_write_timeout: fn(&$type, Timeout) -> io::Result<()>;
            read_timeout: fn(&$type) -> io::Result<Timeout>;
            write_timeout: fn(&$type) -> io::Result<Timeout>;
        });
    };
}

macro_rules! internet {
    ($net:ident, $module:path) => {
        #[test]
        #[expect(deprecated, reason = "deprecated methods are part of it")]
        fn $net() {
            use $module as net;
            use net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};

            common!(TcpStream);
            timeouts!(TcpStream);
            stream::<TcpStream>();
            methods!(TcpStream {
                connect: fn(SocketAddr) -> io::Result<TcpStream>;
                connect: fn(&'static str) -> io::Result<TcpStream>;
                connect_timeout: fn(&SocketAddr, Duration) -> io::Result<TcpStream>;
                peer_addr: fn(&TcpStream) -> io::Result<SocketAddr>;
                local_addr: fn(&TcpStream) -> io::Result<SocketAddr>;
                shutdown: fn(&TcpStream, Shutdown) -> io::Result<()>;
                peek: fn(&TcpStream, &mut [u8]) -> io::Result<usize>;
                set_nodelay: fn(&TcpStream, bool) -> io::Result<()>;
                nodelay: fn(&TcpStream) -> io::Result<bool>;
                set_ttl: fn(&TcpStream, u32) -> io::Result<()>;
                ttl: fn(&TcpStream) -> io::Result<u32>;
            });

            common!(TcpListener);
            methods!(TcpListener {
                bind: fn((Ipv4Addr, u16)) -> io::Result<TcpListener>;
                local_addr: fn(&TcpListener) -> io::Result<SocketAddr>;
                accept: fn(&TcpListener) -> io::Result<(TcpStream, SocketAddr)>;
                incoming: fn(&TcpListener) -> net::Incoming<'_>;
                set_ttl: fn(&TcpListener, u32) -> io::Result<()>;
                ttl: fn(&TcpListener) -> io::Result<u32>;
                set_only_v6: fn(&TcpListener, bool) -> io::Result<()>;
                only_v6: fn(&TcpListener) -> io::Result<bool>;
            });
            endless::<net::Incoming<'_>>();

            common!(UdpSocket);
            timeouts!(UdpSocket);
            methods!(UdpSocket {
                bind: fn(&'static str) -> io::Result<UdpSocket>;
                recv_from: fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, SocketAddr)>;
                peek_from: fn(&UdpSocket, &mut [u8]) -> io::Result<(usize, SocketAddr)>;
                send_to: fn(&UdpSocket, &[u8], SocketAddr) -> io::Result<usize>;
                peer_addr: fn(&UdpSocket) -> io::Result<SocketAddr>;
                local_addr: fn(&UdpSocket) -> io::Result<SocketAddr>;
                set_broadcast: fn(&UdpSocket, bool) -> io::Result<()>;
                broadcast: fn(&UdpSocket) -> io::Result<bool>;
                set_multicast_loop_v4: fn(&UdpSocket, bool) -> io::Result<()>;
                multicast_loop_v4: fn(&UdpSocket) -> io::Result<bool>;
                set_multicast_ttl_v4: fn(&UdpSocket, u32) -> io::Result<()>;
                multicast_ttl_v4: fn(&UdpSocket) -> io::Result<u32>;
                set_multicast_loop_v6: fn(&UdpSocket, bool) -> io::Result<()>;
                multicast_loop_v6: fn(&UdpSocket) -> io::Result<bool>;
                set_ttl: fn(&UdpSocket, u32) -> io::Result<()>;
                ttl: fn(&UdpSocket) -> io::Result<u32>;
                join_multicast_v4: fn(&UdpSocket, &Ipv4Addr, &Ipv4Addr) -> io::Result<()>;
                join_multicast_v6: fn(&UdpSocket, &Ipv6Addr, u32) -> io::Result<()>;
                leave_multicast_v4: fn(&UdpSocket, &Ipv4Addr, &Ipv4Addr) -> io::Result<()>;
                leave_multicast_v6: fn(&UdpSocket, &Ipv6Addr, u32) -> io::Result<()>;
                connect: fn(&UdpSocket, SocketAddr) -> io::Result<()>;
                send: fn(&UdpSocket, &[u8]) -> io::Result<usize>;
                recv: fn(&UdpSocket, &mut [u8]) -> io::Result<usize>;
                peek: fn(&UdpSocket, &mut [u8]) -> io::Result<usize>;
            });
        }
    };
}

internet!(of_std_net, std::net);
internet!(of_corun_net, corun::net);

macro_rules! local {
    ($net:ident, $module:path) => {
        #[test]
        fn $net() {
            use $module as net;
            use net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
            use std::net::Shutdown;

            common!(UnixStream);
            timeouts!(UnixStream);
            stream::<UnixStream>();
            methods!(UnixStream {
                connect: fn(&'static Path) -> io::Result<UnixStream>;
                connect_addr: fn(&SocketAddr) -> io::Result<UnixStream>;
                pair: fn() -> io::Result<(UnixStream, UnixStream)>;
                local_addr: fn(&UnixStream) -> io::Result<SocketAddr>;
                peer_addr: fn(&UnixStream) -> io::Result<SocketAddr>;
                shutdown: fn(&UnixStream, Shutdown) -> io::Result<()>;
            });

            common!(UnixListener);
            methods!(UnixListener {
                bind: fn(&'static Path) -> io::Result<UnixListener>;
                bind_addr: fn(&SocketAddr) -> io::Result<UnixListener>;
                local_addr: fn(&UnixListener) -> io::Result<SocketAddr>;
                accept: fn(&UnixListener) -> io::Result<(UnixStream, SocketAddr)>;
                incoming: fn(&UnixListener) -> net::Incoming<'_>;
            });
            endless_unix::<net::Incoming<'_>>();
            let _: fn(&'static UnixListener) -> net::Incoming<'static> = IntoIterator::into_iter;

            common!(UnixDatagram);
            timeouts!(UnixDatagram);
            methods!(UnixDatagram {
                bind: fn(&'static Path) -> io::Result<UnixDatagram>;
                bind_addr: fn(&SocketAddr) -> io::Result<UnixDatagram>;
                unbound: fn() -> io::Result<UnixDatagram>;
                pair: fn() -> io::Result<(UnixDatagram, UnixDatagram)>;
                connect: fn(&UnixDatagram, &'static Path) -> io::Result<()>;
                connect_addr: fn(&UnixDatagram, &SocketAddr) -> io::Result<()>;
                local_addr: fn(&UnixDatagram) -> io::Result<SocketAddr>;
                peer_addr: fn(&UnixDatagram) -> io::Result<SocketAddr>;
                recv_from: fn(&UnixDatagram, &mut [u8]) -> io::Result<(usize, SocketAddr)>;
                recv: fn(&UnixDatagram, &mut [u8]) -> io::Result<usize>;
                send_to: fn(&UnixDatagram, &[u8], &'static Path) -> io::Result<usize>;
                send_to_addr: fn(&UnixDatagram, &[u8], &SocketAddr) -> io::Result<usize>;
                send: fn(&UnixDatagram, &[u8]) -> io::Result<usize>;
                shutdown: fn(&UnixDatagram, Shutdown) -> io::Result<()>;
            });
        }
    };
}

fn endless_unix<T: Iterator + Debug + Send + Sync>() {}

local!(of_std_unix_net, std::os::unix::net);
local!(of_corun_net_unix, corun::net::unix);

#[test]
fn each_type_converts_from_and_into_that_of_std() {
    use corun::net::unix::{UnixDatagram, UnixListener, UnixStream};
    use corun::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::unix::net as std_unix;

    interchangeable::<TcpStream, std::net::TcpStream>();
    interchangeable::<TcpListener, std::net::TcpListener>();
    interchangeable::<UdpSocket, std::net::UdpSocket>();
    interchangeable::<UnixStream, std_unix::UnixStream>();
    interchangeable::<UnixListener, std_unix::UnixListener>();
    interchangeable::<UnixDatagram, std_unix::UnixDatagram>();
}
