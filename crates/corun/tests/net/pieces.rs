//! Partial reads: peeking, vectored calls, urgent data, buffers of every size.

use std::io::{IoSlice, IoSliceMut, Read, Write};
#[cfg(unix)]
use std::os::fd::AsRawFd;

use crate::common::everywhere;
use corun::net::{TcpListener, TcpStream};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn peeking_leaves_the_bytes() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let writer = place.spawn(move || {
            b.write_all(b"once").unwrap();
            b
        });
        let mut buffer = [0; 8];
        for _ in 0..3 {
            assert_eq!(a.peek(&mut buffer).unwrap(), 4);
        }
        assert_eq!(a.read(&mut buffer).unwrap(), 4);
        assert_eq!(&buffer[..4], b"once");
        drop(writer.join());
        assert_eq!(a.peek(&mut buffer).unwrap(), 0);
    });
}

#[test]
fn several_buffers_in_one_call() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let reader = place.spawn(move || {
            let (mut first, mut second) = ([0; 3], [0; 5]);
            let mut bufs = [IoSliceMut::new(&mut first), IoSliceMut::new(&mut second)];
            assert_eq!(b.read_vectored(&mut bufs).unwrap(), 8);
            (first, second)
        });
        let bufs = [
            IoSlice::new(b"abc"),
            IoSlice::new(b""),
            IoSlice::new(b"defgh"),
        ];
        assert_eq!(a.write_vectored(&bufs).unwrap(), 8);
        assert_eq!(reader.join(), (*b"abc", *b"defgh"));
    });
}

// Wine, which has the limit of the system below it, says that it is a wrong size.
#[cfg(unix)]
#[test]
fn more_buffers_than_the_system_takes_at_once() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let reader = place.spawn(move || {
            let mut all = Vec::new();
            b.read_to_end(&mut all).unwrap();
            all.len()
        });
        let piece = [1; 10];
        let bufs = vec![IoSlice::new(&piece); 3000];
        let mut left = &bufs[..];
        while !left.is_empty() {
            let written = a.write_vectored(left).unwrap();
            assert!(written > 0 && written % 10 == 0);
            left = &left[written / 10..];
        }
        drop(a);
        assert_eq!(reader.join(), 30_000);
    });
}

#[test]
fn buffers_of_every_size_around_the_message() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let writer = place.spawn(move || {
            let mut ack = [0];
            for _ in 1..=40 {
                b.write_all(&[9; 20]).unwrap();
                b.read_exact(&mut ack).unwrap();
            }
        });
        for size in 1..=40 {
            let mut buffer = vec![0; size];
            let mut got = 0;
            while got < 20 {
                got += a.read(&mut buffer).unwrap();
            }
            assert_eq!(got, 20);
            a.write_all(&[1]).unwrap();
        }
        writer.join();
    });
}

#[cfg(unix)]
#[test]
fn urgent_data_stops_a_read_short_but_not_the_reader() {
    everywhere(|place| {
        let (mut a, mut b) = tcp_pair();
        let writer = place.spawn(move || {
            let mut ack = [0];
            for _ in 0..20 {
                b.write_all(b"before").unwrap();
                // SAFETY: sends one byte of a live buffer on an open socket.
                let sent =
                    unsafe { libc::send(b.as_raw_fd(), b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
                assert_eq!(sent, 1);
                b.write_all(b"after").unwrap();
                b.read_exact(&mut ack).unwrap();
            }
        });
        for _ in 0..20 {
            let mut text = Vec::new();
            while text.len() < 11 {
                let mut buffer = [0; 64];
                let n = a.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..n]);
            }
            assert_eq!(text, b"beforeafter");
            a.write_all(&[1]).unwrap();
        }
        writer.join();
    });
}
