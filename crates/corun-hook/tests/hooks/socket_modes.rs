//! Time limits and modes of sockets are the program's.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::common::{check, connection, let_others_wait, on_one_worker, takes_at_least};

const TIME: Duration = Duration::from_millis(30);

fn kernel_says_nonblocking(socket: &impl AsRawFd) -> bool {
    // SAFETY: no pointers.
    unsafe { libc::fcntl(socket.as_raw_fd(), libc::F_GETFL) & libc::O_NONBLOCK != 0 }
}

#[test]
fn the_time_to_read_is_limited() {
    on_one_worker(|| {
        let (mut client, mut server) = connection();
        let time = Duration::from_millis(100);
        client.set_read_timeout(Some(time)).unwrap();
        let start = Instant::now();
        let readers: Vec<_> = (0..10)
            .map(|_| {
                let mut client = client.try_clone().unwrap();
                corun::spawn(move || client.read(&mut [0; 10]).unwrap_err().kind())
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.join().unwrap(), ErrorKind::WouldBlock);
        }
        assert!(start.elapsed() >= time);
        assert!(start.elapsed() < 8 * time, "one after the other");
        // What comes later is still there to be read.
        server.write_all(b"late").unwrap();
        assert_eq!(client.read(&mut [0; 10]).unwrap(), 4);
        // And without a limit it waits again.
        client.set_read_timeout(None).unwrap();
        let reader = corun::spawn(move || client.read(&mut [0; 10]).unwrap());
        let_others_wait();
        server.write_all(b"later").unwrap();
        assert_eq!(reader.join().unwrap(), 5);
    });
}

#[test]
fn the_time_to_write_is_limited_and_what_was_written_is_told() {
    on_one_worker(|| {
        let (client, _server) = connection();
        client.set_write_timeout(Some(TIME)).unwrap();
        let much = vec![0u8; 64 << 20];
        // SAFETY: the buffer is as long as it says.
        let write =
            || check(unsafe { libc::write(client.as_raw_fd(), much.as_ptr().cast(), much.len()) });
        let some = takes_at_least(TIME, write).unwrap();
        assert!(some > 0 && some < much.len());
        let failed = takes_at_least(TIME, || {
            loop {
                match write() {
                    Ok(_) => {}
                    Err(failed) => break failed,
                }
            }
        });
        assert_eq!(failed.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn the_time_to_accept_is_limited() {
    on_one_worker(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let time = libc::timeval {
            tv_sec: 0,
            tv_usec: 30_000,
        };
        // SAFETY: the value is as long as it says.
        let set = unsafe {
            libc::setsockopt(
                listener.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_RCVTIMEO,
                (&raw const time).cast(),
                size_of::<libc::timeval>() as u32,
            )
        };
        assert_eq!(set, 0);
        let failed = takes_at_least(TIME, || listener.accept().unwrap_err());
        assert_eq!(failed.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn connecting_in_limited_time() {
    on_one_worker(|| {
        // A listener whose queue is full: the third handshake is not answered.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // SAFETY: a socket.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let address = listener.local_addr().unwrap();
        let mut connected = Vec::new();
        let failed = loop {
            match TcpStream::connect_timeout(&address, TIME) {
                Ok(stream) => connected.push(stream),
                Err(failed) => break failed,
            }
        };
        assert_eq!(failed.kind(), ErrorKind::TimedOut);
        assert!(connected.len() < 10);
    });
}

#[test]
fn non_blocking_stays_non_blocking() {
    on_one_worker(|| {
        let (mut client, mut server) = connection();
        client.set_nonblocking(true).unwrap();
        assert_eq!(
            client.read(&mut [0; 10]).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        let much = vec![0u8; 64 << 20];
        let count = client.write(&much).unwrap();
        assert!(count < much.len());
        assert_eq!(
            client.write(&much).unwrap_err().kind(),
            ErrorKind::WouldBlock
        );
        server.write_all(b"x").unwrap();
        while client.read(&mut [0; 10]).is_err() {
            corun::yield_now();
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
        // Back again.
        client.set_nonblocking(false).unwrap();
        let reader = corun::spawn(move || client.read(&mut [0; 10]).unwrap());
        let_others_wait();
        server.write_all(b"yz").unwrap();
        assert_eq!(reader.join().unwrap(), 2);
    });
}

#[test]
fn the_kernels_flag_is_left_as_it_was() {
    on_one_worker(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = corun::spawn(move || {
            let accepted = listener.accept().unwrap().0;
            assert!(!kernel_says_nonblocking(&listener));
            accepted
        });
        let_others_wait();
        let mut client = TcpStream::connect(address).unwrap();
        let mut server = acceptor.join().unwrap();
        for socket in [&client, &server] {
            assert!(!kernel_says_nonblocking(socket));
        }
        let reader = corun::spawn(move || {
            client.read_exact(&mut [0; 10]).unwrap();
            client
        });
        let_others_wait();
        assert!(!kernel_says_nonblocking(&server));
        server.write_all(&[0; 10]).unwrap();
        assert!(!kernel_says_nonblocking(&reader.join().unwrap()));
    });
}

#[test]
fn a_call_may_ask_not_to_wait() {
    on_one_worker(|| {
        let (client, _server) = connection();
        // SAFETY: the buffer is as long as it says.
        let result = check(unsafe {
            libc::recv(
                client.as_raw_fd(),
                [0u8; 10].as_mut_ptr().cast(),
                10,
                libc::MSG_DONTWAIT,
            )
        });
        assert_eq!(result.unwrap_err().kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn descriptors_that_were_there_before_the_hooks_and_copies_of_them() {
    let (client, mut server) = connection();
    on_one_worker(move || {
        // SAFETY: an open descriptor; the copies are closed by nobody else.
        let copies = unsafe {
            let fd = client.as_raw_fd();
            [
                libc::dup(fd),
                libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, 0),
                libc::dup2(fd, libc::dup(fd)),
            ]
        };
        for copy in copies {
            // SAFETY: the buffer is as long as it says.
            let reader = corun::spawn(move || {
                // SAFETY: the arguments are what the call wants, and as long as they say.
                check(unsafe { libc::read(copy, [0u8; 9].as_mut_ptr().cast(), 9) }).unwrap()
            });
            let_others_wait();
            server.write_all(b"x").unwrap();
            assert_eq!(reader.join().unwrap(), 1);
            // SAFETY: as above.
            assert_eq!(unsafe { libc::close(copy) }, 0);
        }
    });
}

#[test]
fn a_datagram_that_does_not_come() {
    on_one_worker(|| {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(TIME)).unwrap();
        let failed = takes_at_least(TIME, || socket.recv_from(&mut [0; 10]).unwrap_err());
        assert_eq!(failed.kind(), ErrorKind::WouldBlock);
    });
}

#[test]
fn outside_of_coroutines_nothing_changes() {
    // SAFETY: nothing in these tests relies on a thread that blocks.
    unsafe {
        corun_hook::install();
        corun_hook::install();
    }
    let (mut client, mut server) = connection();
    client.set_read_timeout(Some(TIME)).unwrap();
    let failed = takes_at_least(TIME, || client.read(&mut [0; 10]).unwrap_err());
    assert_eq!(failed.kind(), ErrorKind::WouldBlock);
    server.write_all(b"x").unwrap();
    assert_eq!(client.read(&mut [0; 10]).unwrap(), 1);
}
