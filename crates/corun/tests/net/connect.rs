//! Connecting: refused, timed out, several addresses, names.

use std::io::ErrorKind;
#[cfg(unix)]
use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::common::everywhere;
#[cfg(unix)]
use crate::common::takes_at_least;
#[cfg(unix)]
use corun::net::unix::{UnixListener, UnixStream};
use corun::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};

/// An address of this host on which nobody listens.
fn dead_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

#[test]
fn nobody_listens() {
    everywhere(|_| {
        let address = dead_address();
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
        let error = TcpStream::connect_timeout(&address, Duration::from_secs(60)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    });
}

#[test]
fn the_first_address_that_answers_is_taken() {
    everywhere(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let addresses = [dead_address(), address, dead_address()];
        let stream = TcpStream::connect(&addresses[..]).unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert_eq!(listener.accept().unwrap().1, stream.local_addr().unwrap());
    });
}

#[test]
fn no_address_at_all() {
    everywhere(|_| {
        let none: &[SocketAddr] = &[];
        assert_eq!(
            TcpStream::connect(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            TcpListener::bind(none).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            TcpStream::connect("no port").unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
    });
}

#[test]
fn names_are_resolved() {
    everywhere(|_| {
        for address in ("localhost", 7).to_socket_addrs().unwrap() {
            assert!(address.ip().is_loopback() && address.port() == 7);
        }
        let listener = TcpListener::bind("localhost:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        TcpStream::connect(("localhost", port)).unwrap();
        TcpStream::connect(format!("localhost:{port}")).unwrap();
        TcpStream::connect((String::from("localhost"), port)).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn a_listener_that_is_overrun_lets_connects_time_out() {
    everywhere(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // SAFETY: listening again only sets the length of the queue.
        let result = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(result, 0);
        let timeout = Duration::from_millis(20);
        let mut waiting = Vec::new();
        let error = loop {
            assert!(waiting.len() < 100, "the queue has no end");
            match TcpStream::connect_timeout(&address, timeout) {
                Ok(stream) => waiting.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        let error = takes_at_least(timeout, || TcpStream::connect_timeout(&address, timeout));
        assert_eq!(error.unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

#[cfg(unix)]
#[test]
fn a_local_listener_that_is_overrun_makes_connects_wait() {
    everywhere(|place| {
        let path = std::env::temp_dir().join(format!("corun-overrun-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: listening again only sets the length of the queue.
        let result = unsafe { libc::listen(listener.as_raw_fd(), 0) };
        assert_eq!(result, 0);
        const CLIENTS: usize = 8;
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let path = path.clone();
                place.spawn(move || UnixStream::connect(path).unwrap())
            })
            .collect();
        for _ in 0..CLIENTS {
            listener.accept().unwrap();
        }
        clients.into_iter().for_each(|client| drop(client.join()));
        std::fs::remove_file(&path).unwrap();
    });
}

#[cfg(unix)]
#[test]
fn abstract_and_missing_local_addresses() {
    everywhere(|_| {
        let error = UnixStream::connect("/no/such/socket").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        #[cfg(target_os = "linux")]
        {
            use corun::net::unix::SocketAddr;
            use std::os::linux::net::SocketAddrExt;
            let name = format!("corun-abstract-{}", std::process::id());
            let address = SocketAddr::from_abstract_name(&name).unwrap();
            let listener = UnixListener::bind_addr(&address).unwrap();
            let stream = UnixStream::connect_addr(&address).unwrap();
            listener.accept().unwrap();
            assert_eq!(
                stream.peer_addr().unwrap().as_abstract_name(),
                Some(name.as_bytes())
            );
        }
    });
}
