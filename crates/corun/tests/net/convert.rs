//! From and into the types of std, and descriptors.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};

use crate::common::everywhere;
use corun::net::unix::{UnixDatagram, UnixListener, UnixStream};
use corun::net::{TcpListener, TcpStream, UdpSocket};

fn is_nonblocking(socket: &impl AsRawFd) -> bool {
    // SAFETY: the socket is open.
    unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

#[test]
fn std_gets_blocking_sockets_back() {
    everywhere(|_| {
        let listener = TcpListener::from(std::net::TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let client = TcpStream::from(std::net::TcpStream::connect(address).unwrap());
        let (server, _) = listener.accept().unwrap();
        let client = std::net::TcpStream::from(client);
        assert!(!is_nonblocking(&client));
        assert!(!is_nonblocking(&std::net::TcpListener::from(listener)));
        let mut client = TcpStream::from(client);
        (&server).write_all(b"x").unwrap();
        client.read_exact(&mut [0]).unwrap();

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(!is_nonblocking(&std::net::UdpSocket::from(udp)));
        let (a, b) = UnixStream::pair().unwrap();
        assert!(!is_nonblocking(&std::os::unix::net::UnixStream::from(a)));
        assert!(!is_nonblocking(&OwnedFd::from(b)));
        let (a, _) = UnixDatagram::pair().unwrap();
        assert!(!is_nonblocking(&std::os::unix::net::UnixDatagram::from(a)));
    });
}

#[test]
fn a_socket_that_was_registered_can_leave_and_come_back() {
    everywhere(|place| {
        let (a, mut b) = UnixStream::pair().unwrap();
        let mut a = a;
        for round in 0..20u8 {
            let writer = place.spawn(move || {
                b.write_all(&[round]).unwrap();
                b
            });
            let mut byte = [0];
            a.read_exact(&mut byte).unwrap();
            assert_eq!(byte, [round]);
            b = writer.join();
            // SAFETY: the descriptor is given away by one and taken over by the other.
            a = unsafe { UnixStream::from_raw_fd(a.into_raw_fd()) };
        }
    });
}

#[test]
fn descriptors_pass_through_unchanged() {
    let (a, _b) = UnixStream::pair().unwrap();
    let number = a.as_raw_fd();
    assert_eq!(a.as_fd().as_raw_fd(), number);
    let owned = OwnedFd::from(a);
    assert_eq!(owned.as_raw_fd(), number);
    assert_eq!(UnixStream::from(owned).into_raw_fd(), number);
    // SAFETY: given away just now.
    drop(unsafe { OwnedFd::from_raw_fd(number) });
}

#[test]
fn a_clone_works_after_the_original_has_gone() {
    everywhere(|place| {
        let (a, mut b) = UnixStream::pair().unwrap();
        let mut clone = a.try_clone().unwrap();
        let reader = place.spawn(move || {
            let mut byte = [0];
            clone.read_exact(&mut byte).unwrap();
            byte[0]
        });
        drop(a);
        b.write_all(b"x").unwrap();
        assert_eq!(reader.join(), b'x');
    });
}

#[test]
fn nonblocking_mode_is_the_users() {
    everywhere(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        listener.set_nonblocking(false).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        client.set_nonblocking(true).unwrap();
        let clone = client.try_clone().unwrap();
        assert_eq!(
            (&clone).read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert_eq!(
            client.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        server.write_all(b"x").unwrap();
        while let Err(error) = client.read(&mut [0]) {
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        let client = std::net::TcpStream::from(client);
        assert!(is_nonblocking(&client));

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.set_nonblocking(true).unwrap();
        assert_eq!(
            udp.recv(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn they_print_as_those_of_std() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (local, _peer) = UnixStream::pair().unwrap();
    let printed = format!("{local:?}");
    assert_eq!(
        printed,
        format!("{:?}", std::os::unix::net::UnixStream::from(local))
    );
    let printed = format!("{udp:?}");
    assert_eq!(printed, format!("{:?}", std::net::UdpSocket::from(udp)));
    let printed = format!("{stream:?}");
    assert_eq!(printed, format!("{:?}", std::net::TcpStream::from(stream)));
    let printed = format!("{listener:?}");
    assert_eq!(
        printed,
        format!("{:?}", std::net::TcpListener::from(listener))
    );
}

#[test]
fn local_listeners_iterate() {
    everywhere(|place| {
        let path = std::env::temp_dir().join(format!("corun-iterate-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let client = {
            let path = path.clone();
            place.spawn(move || {
                for _ in 0..3 {
                    UnixStream::connect(&path).unwrap().write_all(b"x").unwrap();
                }
            })
        };
        for stream in (&listener).into_iter().take(3) {
            let mut text = String::new();
            stream.unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, "x");
        }
        client.join();
        std::fs::remove_file(&path).unwrap();
    });
}
