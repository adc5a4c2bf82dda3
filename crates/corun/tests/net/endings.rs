//! How connections and listeners end: half-close, shut-down, reset, close.

use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Duration;

use crate::common::{everywhere, is_of_shut_down};
#[cfg(unix)]
use corun::net::UdpSocket;
#[cfg(unix)]
use corun::net::unix::{UnixDatagram, UnixListener, UnixStream};
use corun::net::{Shutdown, TcpListener, TcpStream};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn after_a_half_close_the_other_direction_goes_on() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let other = place.spawn(move || {
            let mut question = String::new();
            b.read_to_string(&mut question).unwrap();
            b.write_all(format!("{question}? yes").as_bytes()).unwrap();
        });
        a.write_all(b"really").unwrap();
        a.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        a.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "really? yes");
        assert!(is_of_shut_down(&a.write(b"more").unwrap_err()));
        other.join();
    });
}

#[test]
fn shutting_down_wakes_the_readers() {
    everywhere(|place| {
        let (a, _b) = tcp_pair();
        let a = Arc::new(a);
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let a = Arc::clone(&a);
                place.spawn(move || (&*a).read(&mut [0]).unwrap())
            })
            .collect();
        a.shutdown(Shutdown::Both).unwrap();
        for reader in readers {
            assert_eq!(reader.join(), 0);
        }
    });
}

#[test]
fn shutting_down_wakes_a_writer() {
    everywhere(|place| {
        let (a, b) = tcp_pair();
        let a = Arc::new(a);
        let writer = {
            let a = Arc::clone(&a);
            place.spawn(move || (&*a).write_all(&vec![0; 64 << 20]).unwrap_err())
        };
        // Something has arrived, so that the writer is at work.
        b.peek(&mut [0]).unwrap();
        a.shutdown(Shutdown::Both).unwrap();
        assert!(is_of_shut_down(&writer.join()));
    });
}

#[cfg(unix)]
#[test]
fn shutting_down_a_local_connection_wakes_its_reader() {
    everywhere(|place| {
        let (a, _b) = UnixStream::pair().unwrap();
        let a = Arc::new(a);
        let reader = {
            let a = Arc::clone(&a);
            place.spawn(move || (&*a).read(&mut [0]).unwrap())
        };
        a.shutdown(Shutdown::Both).unwrap();
        assert_eq!(reader.join(), 0);
    });
}

// Under Wine a reset looks like the end of the stream to who reads.
#[cfg(unix)]
#[test]
fn a_reset_reaches_reader_and_writer() {
    everywhere(|place| {
        let (a, b) = tcp_pair();
        let reader = a.try_clone().unwrap();
        let reader = place.spawn(move || (&reader).read(&mut [0]).unwrap_err().kind());
        socket2::SockRef::from(&b)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(b);
        assert_eq!(reader.join(), ErrorKind::ConnectionReset);
        let error = loop {
            if let Err(error) = (&a).write(b"x") {
                break error;
            }
        };
        assert!(matches!(
            error.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ));
    });
}

#[test]
fn a_reset_reaches_a_writer_that_waits() {
    everywhere(|place| {
        let (a, b) = tcp_pair();
        let writer = place.spawn(move || (&a).write_all(&vec![0; 64 << 20]).unwrap_err().kind());
        b.peek(&mut [0]).unwrap();
        socket2::SockRef::from(&b)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(b);
        assert!(matches!(
            writer.join(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ));
    });
}

#[test]
fn data_before_the_end_is_not_lost() {
    everywhere(|_| {
        let (mut a, mut b) = tcp_pair();
        // Wait once, so that the socket is registered.
        a.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        a.read(&mut [0]).unwrap_err();
        a.set_read_timeout(None).unwrap();
        b.write_all(&[7; 100_000]).unwrap();
        drop(b);
        let mut all = Vec::new();
        a.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), 100_000);
        assert_eq!(a.read(&mut [0]).unwrap(), 0);
    });
}

#[cfg(unix)]
#[test]
fn closing_a_listener_wakes_who_accepts() {
    everywhere(|place| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let clone = Arc::new(listener.try_clone().unwrap());
        let acceptors: Vec<_> = [&listener, &listener, &clone]
            .map(|listener| {
                let listener = Arc::clone(listener);
                place.spawn(move || listener.accept().unwrap_err().kind())
            })
            .into_iter()
            .collect();
        listener.close();
        for acceptor in acceptors {
            assert_eq!(acceptor.join(), ErrorKind::NotConnected);
        }
        assert_eq!(clone.accept().unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(
            TcpStream::connect(address).unwrap_err().kind(),
            ErrorKind::ConnectionRefused
        );
    });
}

#[cfg(unix)]
#[test]
fn closing_wakes_who_waits_on_other_sockets_without_connection() {
    everywhere(|place| {
        let path =
            std::env::temp_dir().join(format!("corun-endings-{}-{place:?}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = Arc::new(UnixListener::bind(&path).unwrap());
        std::fs::remove_file(&path).unwrap();
        let udp = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
        let datagram = Arc::new(UnixDatagram::unbound().unwrap());
        let waiting = [
            place.spawn({
                let listener = Arc::clone(&listener);
                move || listener.accept().unwrap_err().kind()
            }),
            place.spawn({
                let udp = Arc::clone(&udp);
                move || udp.recv_from(&mut [0]).unwrap_err().kind()
            }),
            place.spawn({
                let datagram = Arc::clone(&datagram);
                move || datagram.recv(&mut [0]).unwrap_err().kind()
            }),
        ];
        listener.close();
        udp.close();
        datagram.close();
        for task in waiting {
            assert_eq!(task.join(), ErrorKind::NotConnected);
        }
        assert_eq!(
            udp.send_to(b"x", "127.0.0.1:9").unwrap_err().kind(),
            ErrorKind::NotConnected
        );
    });
}
