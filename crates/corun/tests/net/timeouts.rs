//! Timeouts: never early, with std's error kinds, and none where none was set.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use crate::common::{everywhere, takes_at_least};
#[cfg(unix)]
use corun::net::UdpSocket;
#[cfg(unix)]
use corun::net::unix::{UnixDatagram, UnixStream};
use corun::net::{TcpListener, TcpStream};

const SHORT: Duration = Duration::from_millis(5);

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn a_read_gives_up_and_the_next_one_works() {
    everywhere(|_| {
        let (mut a, mut b) = tcp_pair();
        a.set_read_timeout(Some(SHORT)).unwrap();
        let mut buffer = [0; 4];
        for _ in 0..2 {
            let error = takes_at_least(SHORT, || a.read(&mut buffer)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        b.write_all(b"late").unwrap();
        a.set_read_timeout(None).unwrap();
        a.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"late");
    });
}

#[test]
fn a_write_to_a_peer_that_never_reads_gives_up() {
    everywhere(|_| {
        let (mut a, b) = tcp_pair();
        a.set_write_timeout(Some(SHORT)).unwrap();
        let error = takes_at_least(SHORT, || a.write_all(&vec![0; 64 << 20])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        drop(b);
    });
}

#[test]
fn clones_share_timeouts() {
    everywhere(|_| {
        let (a, _b) = tcp_pair();
        let mut clone = a.try_clone().unwrap();
        a.set_read_timeout(Some(SHORT)).unwrap();
        assert_eq!(
            clone.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        assert!(clone.read_timeout().unwrap().unwrap() >= SHORT);
        let mut early = a.try_clone().unwrap();
        assert_eq!(
            early.read(&mut [0]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
    });
}

#[test]
fn a_timeout_that_comes_from_std_holds() {
    everywhere(|_| {
        let (a, _b) = tcp_pair();
        let a = std::net::TcpStream::from(a);
        a.set_read_timeout(Some(SHORT)).unwrap();
        let mut a = TcpStream::from(a);
        let error = takes_at_least(SHORT, || a.read(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[cfg(unix)]
#[test]
fn datagram_sockets_give_up() {
    everywhere(|_| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(SHORT)).unwrap();
        let error = takes_at_least(SHORT, || socket.recv_from(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let error = takes_at_least(SHORT, || socket.peek_from(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);

        let (a, _b) = UnixDatagram::pair().unwrap();
        a.set_read_timeout(Some(SHORT)).unwrap();
        let error = takes_at_least(SHORT, || a.recv(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        a.set_write_timeout(Some(SHORT)).unwrap();
        let error = takes_at_least(SHORT, || {
            loop {
                if let Err(error) = a.send(&[0; 1000]) {
                    return error;
                }
            }
        });
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[cfg(unix)]
#[test]
fn local_connections_give_up() {
    everywhere(|_| {
        let (mut a, _b) = UnixStream::pair().unwrap();
        a.set_read_timeout(Some(SHORT)).unwrap();
        a.set_write_timeout(Some(SHORT)).unwrap();
        let error = takes_at_least(SHORT, || a.read(&mut [0])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let error = takes_at_least(SHORT, || a.write_all(&vec![0; 16 << 20])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn zero_is_no_timeout() {
    everywhere(|_| {
        let (a, _b) = tcp_pair();
        let zero = Some(Duration::ZERO);
        assert_eq!(
            a.set_read_timeout(zero).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        assert_eq!(
            a.set_write_timeout(zero).unwrap_err().kind(),
            ErrorKind::InvalidInput
        );
        let address = a.peer_addr().unwrap();
        let error = TcpStream::connect_timeout(&address, Duration::ZERO).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    });
}

#[test]
fn one_waiter_that_gives_up_does_not_disturb_another() {
    everywhere(|place| {
        let (a, mut b) = tcp_pair();
        let patient = a.try_clone().unwrap();
        let patient = place.spawn(move || {
            let mut byte = [0];
            let mut patient = patient;
            loop {
                // A clone, so it shares the timeout.
                match patient.read(&mut byte) {
                    Ok(n) => return (n, byte[0]),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
            }
        });
        a.set_read_timeout(Some(SHORT)).unwrap();
        for _ in 0..3 {
            let error = (&a).read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        }
        // In case it waits since before the timeout was set.
        b.write_all(b"x").unwrap();
        assert_eq!(patient.join(), (1, b'x'));
    });
}
