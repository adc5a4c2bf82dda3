//! Local sockets in the shape of `std::os::unix::net`.
//!
//! All that is said in [`corun::net`](crate::net) holds here.
//!
//! ```
//! use std::io::{Read, Write};
//! use corun::net::unix::UnixStream;
//!
//! let (mut here, mut there) = UnixStream::pair()?;
//! here.write_all(b"hello")?;
//! drop(here);
//! let mut got = String::new();
//! there.read_to_string(&mut got)?;
//! assert_eq!(got, "hello");
//! # Ok::<(), std::io::Error>(())
//! ```

mod asynchronous;
mod datagram;
mod listener;
mod stream;

pub use std::os::unix::net::SocketAddr;

pub use asynchronous::IncomingAsync;
pub use datagram::UnixDatagram;
pub use listener::{Incoming, UnixListener};
pub use stream::UnixStream;
