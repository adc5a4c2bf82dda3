//! Sockets in the shape of `std::net`.
//!
//! Each type has the name, the methods, the traits and the error kinds of its counterpart in [`std::net`] (or, in [`unix`], in
//! `std::os::unix::net`), so that a program moves by changing its imports, and everything that is generic over
//! [`Read`](std::io::Read) and [`Write`](std::io::Write) works unchanged. The difference: an operation that has to wait parks the
//! calling coroutine, not its thread. On a plain OS thread the same types block the thread, as those of std do.
//!
//! ```
//! use std::io::{Read, Write};
//! use corun::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let mut client = TcpStream::connect(listener.local_addr()?)?;
//! let (mut server, _peer) = listener.accept()?;
//!
//! client.write_all(b"ping")?;
//! let mut buffer = [0; 4];
//! server.read_exact(&mut buffer)?;
//! assert_eq!(&buffer, b"ping");
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # What std leaves open
//! - Any number of coroutines and threads may use one socket at once, through `&self`. Those that wait to read (or accept) are served
//!   in the order in which they came, and so are those that wait to write; reading and writing do not disturb each other.
//! - A timeout that was never set means for ever. One that passes gives [`WouldBlock`](std::io::ErrorKind::WouldBlock), as std's do on Unix.
//! - Shutting a connection down, from any thread, wakes all who wait on it; so does [`TcpListener::close`] for a listener,
//!   [`UdpSocket::close`] for a socket without connections.
//! - Names are resolved by [`ToSocketAddrs`] on a thread of the blocking pool; literal addresses are not sent there.
//! - Converting from and into the type of std, or a descriptor, takes no copy. The result of a conversion from std waits, whatever
//!   mode the original was in; the result of one into std is in blocking mode, unless `set_nonblocking(true)` was called here.
//!   The mode belongs to the socket, not to the handle: do not convert one clone into std while others are in use here.
//!
//! # In async code
//! Each operation that may wait has a twin whose name ends in `_async`, and which is a future: [`TcpStream::connect_async`],
//! [`TcpListener::accept_async`], [`UdpSocket::recv_from_async`] and so on. With the feature `futures-io`, streams implement that crate's
//! `AsyncRead` and `AsyncWrite` too, by value and by reference. All of them work in async tasks of corun, in [`block_on`](crate::block_on) and
//! on any other executor; on a thread that is no worker of corun's they are woken by the global runtime.
//! - Coroutines, threads and tasks may use one socket at once. The futures stand in the same line as blocking calls. Tasks that poll through
//!   a trait (`AsyncRead`, `IncomingAsync`) have no place in it: they are called when nobody stands there.
//! - A future that is dropped before it has completed has done nothing. One that waits must be polled or dropped, not put aside: when its turn
//!   has come, those behind it wait for it.
//! - Timeouts and `set_nonblocking` concern blocking calls only: whoever awaits limits the time himself.
//! - Shutting down and closing wake tasks too.
//!
//! # What is not stable in std is not here
//! `linger`, `into_incoming`, `peer_cred` and ancillary data. They are to be had through the `socket2` crate, whose `SockRef::from(&socket)`
//! takes these types too.

mod addr;
mod asynchronous;
#[cfg_attr(
    not(unix),
    allow(dead_code, reason = "for sockets that have names in the file system")
)]
pub(crate) mod backoff;
mod connect;
mod convert;
pub(crate) mod copy;
#[cfg(feature = "futures-io")]
mod futures_io;
mod socket;
mod tcp_listener;
mod tcp_stream;
mod udp;
#[cfg(unix)]
pub mod unix;

pub use std::net::{
    AddrParseError, IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, SocketAddrV4, SocketAddrV6,
};

pub use addr::ToSocketAddrs;
pub use asynchronous::IncomingAsync;
pub use tcp_listener::{Incoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp::UdpSocket;
