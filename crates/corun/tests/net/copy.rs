//! `io::copy`: everything arrives, in order, whoever is slow, and it ends as its ends do.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use corun::io::{self, Stream};
#[cfg(unix)]
use corun::net::unix::UnixStream;
use corun::net::{Shutdown, TcpListener, TcpStream};

use crate::common::{everywhere, is_of_shut_down, takes_at_least};

const SHORT: Duration = Duration::from_millis(5);

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

/// Repeats itself only after a number of bytes that divides no buffer's.
fn bytes(count: usize) -> Vec<u8> {
    // Made once, as it takes seconds under an emulator to make megabytes one by one.
    let once: Vec<u8> = (0..65_521_usize)
        .map(|index| (index * 31 + index / 253) as u8)
        .collect();
    let mut all = once.repeat(count.div_ceil(once.len()));
    all.truncate(count);
    all
}

#[test]
fn a_message_at_a_time_there_and_back() {
    everywhere(|place| {
        let (mut client, echo) = tcp_pair();
        let server = place.spawn(move || io::copy(&echo, &echo).unwrap());
        for round in 0..200u8 {
            client.write_all(&[round, 1, 2, 3, 4, 5, 6, 7]).unwrap();
            let mut answer = [0; 8];
            client.read_exact(&mut answer).unwrap();
            assert_eq!(answer, [round, 1, 2, 3, 4, 5, 6, 7]);
        }
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(server.join(), 1600);
    });
}

/// From `near` through a copy from `from` to `to` to `far`, where nobody reads before the copy has to wait.
fn through<N, F, T, R>(place: crate::common::Place, near: N, from: F, to: T, mut far: R)
where
    N: Write + Send + 'static,
    F: Stream + Send + 'static,
    T: Stream + Send + 'static,
    R: Read,
{
    const COUNT: usize = 6 << 20;
    let mut near = near;
    let writer = place.spawn(move || near.write_all(&bytes(COUNT)).unwrap());
    let copier = place.spawn(move || io::copy(&from, &to).unwrap());
    let mut got = vec![0; COUNT];
    let (first, rest) = got.split_at_mut(1000);
    far.read_exact(first).unwrap();
    corun::sleep(SHORT);
    far.read_exact(rest).unwrap();
    assert!(got == bytes(COUNT));
    writer.join();
    assert_eq!(copier.join(), COUNT as u64);
    assert_eq!(far.read(&mut [0]).unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn megabytes_to_somebody_slow() {
    everywhere(|place| {
        let ((near, from), (to, far)) = (tcp_pair(), tcp_pair());
        through(place, near, from, to, far);
        let ((near, from), (to, far)) = (UnixStream::pair().unwrap(), tcp_pair());
        through(place, near, from, to, far);
        let ((near, from), (to, far)) = (tcp_pair(), UnixStream::pair().unwrap());
        through(place, near, from, to, far);
    });
}

#[test]
fn several_into_one_keep_their_order() {
    everywhere(|place| {
        let (to, mut far) = tcp_pair();
        let tasks: Vec<_> = (0..4u8)
            .map(|id| {
                let (mut near, from) = tcp_pair();
                let to = to.try_clone().unwrap();
                let copier = place.spawn(move || io::copy(&from, &to).unwrap());
                let writer = place.spawn(move || {
                    // The upper half of each byte says whose it is, the lower one counts.
                    let mine: Vec<_> = (0..100_000u32).map(|n| id << 4 | (n % 16) as u8).collect();
                    near.write_all(&mine).unwrap();
                });
                (copier, writer)
            })
            .collect();
        let mut got = vec![0; 400_000];
        far.read_exact(&mut got).unwrap();
        for (copier, writer) in tasks {
            writer.join();
            assert_eq!(copier.join(), 100_000);
        }
        let mut next = [0; 4];
        for byte in got {
            let next = &mut next[usize::from(byte >> 4)];
            assert_eq!(byte & 15, *next);
            *next = (*next + 1) % 16;
        }
    });
}

#[test]
fn a_writer_that_has_gone_is_an_error() {
    everywhere(|_| {
        let ((mut near, from), (to, far)) = (tcp_pair(), tcp_pair());
        near.write_all(b"for nobody").unwrap();
        to.shutdown(Shutdown::Write).unwrap();
        assert!(is_of_shut_down(&io::copy(&from, &to).unwrap_err()));
        drop(far);
    });
}

#[test]
fn a_reader_that_times_out_is_an_error_and_may_go_on() {
    everywhere(|_| {
        let ((mut near, from), (to, mut far)) = (tcp_pair(), tcp_pair());
        from.set_read_timeout(Some(SHORT)).unwrap();
        for _ in 0..2 {
            near.write_all(b"part").unwrap();
            let error = takes_at_least(SHORT, || io::copy(&from, &to)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            let mut part = [0; 4];
            far.read_exact(&mut part).unwrap();
            assert_eq!(&part, b"part");
        }
        drop(near);
        assert_eq!(io::copy(&from, &to).unwrap(), 0);
    });
}

#[test]
fn a_writer_that_times_out_is_an_error() {
    everywhere(|place| {
        let ((mut near, from), (to, far)) = (tcp_pair(), tcp_pair());
        to.set_write_timeout(Some(SHORT)).unwrap();
        let writer = place.spawn(move || near.write_all(&bytes(64 << 20)));
        assert_eq!(
            io::copy(&from, &to).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        drop((from, to, far));
        assert!(writer.join().is_err());
    });
}

#[test]
fn it_never_waits_in_non_blocking_mode() {
    everywhere(|_| {
        let ((mut near, from), (to, mut far)) = (tcp_pair(), tcp_pair());
        from.set_nonblocking(true).unwrap();
        let nothing = io::copy(&from, &to).unwrap_err();
        assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
        near.write_all(b"some").unwrap();
        // The loopback device delivers at once.
        let (reader, writer) = (&from, &to);
        let error = io::copy(&reader, &writer).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let mut some = [0; 4];
        far.read_exact(&mut some).unwrap();
        assert_eq!(&some, b"some");
    });
}

#[test]
fn a_time_limit_ends_it() {
    everywhere(|_| {
        let ((_near, from), (to, _far)) = (tcp_pair(), tcp_pair());
        takes_at_least(SHORT, || {
            corun::timeout(SHORT, || io::copy(&from, &to)).unwrap_err()
        });
    });
}
