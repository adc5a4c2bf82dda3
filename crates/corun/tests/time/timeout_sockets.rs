//! `timeout` around sockets: every operation that waits ends, none that has succeeded is lost.

use std::io::{self, ErrorKind, Read, Write};
use std::time::Duration;

use crate::common::{Place, everywhere, takes_at_least};
#[cfg(unix)]
use corun::net::unix::{UnixDatagram, UnixStream};
use corun::net::{TcpListener, TcpStream, UdpSocket};
use corun::timeout;

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(3600);

fn ends<T>(wait: impl FnOnce() -> T) {
    let result = takes_at_least(SHORT, || timeout(SHORT, wait));
    assert!(result.is_err());
}

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn accepting_reading_and_writing() {
    everywhere(|_| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        ends(|| listener.accept());
        let (mut a, mut b) = tcp_pair();
        ends(|| a.read(&mut [0; 8]));
        ends(|| a.write_all(&vec![0; 64 << 20]));
        // Both work on.
        b.write_all(b"more").unwrap();
        let mut buffer = [0; 4];
        assert!(timeout(LONG, || a.read_exact(&mut buffer)).unwrap().is_ok());
        assert_eq!(&buffer, b"more");
        assert!(TcpStream::connect(listener.local_addr().unwrap()).is_ok());
        assert!(timeout(LONG, || listener.accept()).unwrap().is_ok());
    });
}

#[cfg(unix)]
#[test]
fn datagrams_and_local_sockets() {
    everywhere(|_| {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        ends(|| udp.recv_from(&mut [0; 8]));
        let (mut a, _b) = UnixStream::pair().unwrap();
        ends(|| a.read(&mut [0; 8]));
        ends(|| a.write_all(&vec![0; 16 << 20]));
        let (c, _d) = UnixDatagram::pair().unwrap();
        ends(|| c.recv(&mut [0; 8]));
        ends(|| {
            loop {
                c.send(&[0; 1024]).unwrap();
            }
        });
    });
}

/// The pauses between attempts, where no event tells.
#[cfg(unix)]
#[test]
fn a_datagram_for_a_full_queue() {
    let folder = std::env::temp_dir().join(format!("corun-timeout-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("full");
    let receiver = UnixDatagram::bind(&path).unwrap();
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        let sender = UnixDatagram::unbound().unwrap();
        ends(|| -> io::Result<()> {
            loop {
                sender.send_to(&[0; 1024], &path)?;
            }
        });
    });
    drop(receiver);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// A timeout of the socket's own that is earlier is an error, as ever.
#[test]
fn the_sockets_own_timeout_comes_first() {
    everywhere(|_| {
        let (mut a, _b) = tcp_pair();
        a.set_read_timeout(Some(SHORT)).unwrap();
        let result = timeout(LONG, || a.read(&mut [0; 8])).unwrap();
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
        a.set_read_timeout(Some(LONG)).unwrap();
        ends(|| a.read(&mut [0; 8]));
    });
}

#[test]
fn becomes_an_error_of_the_right_kind() {
    everywhere(|_| {
        let (mut a, _b) = tcp_pair();
        let read = || -> io::Result<usize> { timeout(SHORT, || a.read(&mut [0; 8]))? };
        let mut read = read;
        assert_eq!(read().unwrap_err().kind(), ErrorKind::TimedOut);
    });
}

/// Every byte arrives once, however often a read is cut short.
#[test]
fn no_byte_is_lost() {
    const BYTES: usize = 2000;
    everywhere(|place: Place| {
        let (mut a, mut b) = tcp_pair();
        let writer = place.spawn(move || {
            for i in 0..BYTES {
                b.write_all(&[i as u8]).unwrap();
                if i % 7 == 0 {
                    corun::sleep(Duration::from_micros(70));
                }
            }
        });
        let mut got = 0;
        while got < BYTES {
            let mut byte = [0; 1];
            if let Ok(count) = timeout(Duration::from_micros(50), || a.read(&mut byte)) {
                assert_eq!(count.unwrap(), 1);
                assert_eq!(byte[0], got as u8);
                got += 1;
            }
        }
        writer.join();
    });
}
