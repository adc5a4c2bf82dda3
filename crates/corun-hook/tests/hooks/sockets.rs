//! Sockets of std, between coroutines of one worker.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread;
use std::time::Duration;

use crate::common::{check, connection, let_others_wait, on_one_worker, on_workers};

#[test]
fn both_ends_of_a_connection_on_one_worker() {
    on_one_worker(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = corun::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(b"pong").unwrap();
            request
        });
        let_others_wait();
        let mut client = TcpStream::connect(address).unwrap();
        let_others_wait();
        client.write_all(b"ping").unwrap();
        let mut answer = [0; 4];
        client.read_exact(&mut answer).unwrap();
        assert_eq!((&answer, &server.join().unwrap()), (b"pong", b"ping"));
    });
}

#[test]
fn a_thousand_connections() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = corun::spawn(move || {
                for _ in 0..1000 {
                    let (stream, _) = listener.accept().unwrap();
                    corun::spawn(move || {
                        io::copy(&mut &stream, &mut stream.try_clone().unwrap()).unwrap()
                    });
                }
            });
            let clients: Vec<_> = (0..1000u32)
                .map(|number| {
                    corun::spawn(move || {
                        let mut stream = TcpStream::connect(address).unwrap();
                        for round in 0..5u32 {
                            let message = (number * 10 + round).to_be_bytes();
                            stream.write_all(&message).unwrap();
                            let mut answer = [0; 4];
                            stream.read_exact(&mut answer).unwrap();
                            assert_eq!(answer, message);
                        }
                    })
                })
                .collect();
            for client in clients {
                client.join().unwrap();
            }
            server.join().unwrap();
        });
    }
}

#[test]
fn more_than_the_buffers_hold_goes_through() {
    on_one_worker(|| {
        let (mut client, mut server) = connection();
        let sent: Vec<u8> = (0..8_000_000u32).map(|n| (n % 251) as u8).collect();
        let expected = sent.clone();
        let writer = corun::spawn(move || {
            // In one call: it goes on until all is sent.
            // SAFETY: the buffer is as long as it says.
            let count = check(unsafe {
                libc::send(client.as_raw_fd(), sent.as_ptr().cast(), sent.len(), 0)
            });
            assert_eq!(count.unwrap(), sent.len());
            client.flush().unwrap();
        });
        let mut got = Vec::new();
        server.read_to_end(&mut got).unwrap();
        writer.join().unwrap();
        assert!(got == expected);
    });
}

#[test]
fn shutting_down_wakes_who_waits() {
    on_one_worker(|| {
        let (client, _server) = connection();
        let mut reading = client.try_clone().unwrap();
        let reader = corun::spawn(move || reading.read(&mut [0; 10]).unwrap());
        let_others_wait();
        client.shutdown(Shutdown::Read).unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    });
}

#[test]
fn closing_wakes_who_waits_and_frees_the_number() {
    on_one_worker(|| {
        let (client, mut server) = connection();
        let fd = client.into_raw_fd();
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                corun::spawn(move || {
                    // SAFETY: the buffer is as long as it says.
                    let result =
                        check(unsafe { libc::recv(fd, [0u8; 10].as_mut_ptr().cast(), 10, 0) });
                    result.unwrap_err().raw_os_error()
                })
            })
            .collect();
        let_others_wait();
        // SAFETY: nobody else owns it.
        assert_eq!(unsafe { libc::close(fd) }, 0);
        // The peer learns of it although nobody has run yet.
        assert_eq!(server.read(&mut [0; 10]).unwrap(), 0);
        // The number serves again before they have run.
        let (again, mut other) = connection();
        for waiter in waiters {
            assert_eq!(waiter.join().unwrap(), Some(libc::EBADF));
        }
        let mut again = again;
        let reader = corun::spawn(move || {
            let mut byte = [0];
            again.read_exact(&mut byte).unwrap();
            byte
        });
        let_others_wait();
        other.write_all(&[7]).unwrap();
        assert_eq!(reader.join().unwrap(), [7]);
    });
}

#[test]
fn closing_while_others_begin_to_wait_and_use_the_number_again() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let tasks: Vec<_> = (0..16)
                .map(|_| {
                    corun::spawn(|| {
                        for round in 0..60 {
                            let (one, mut other) = UnixStream::pair().unwrap();
                            let fd = one.into_raw_fd();
                            let waiters: Vec<_> = (0..2)
                                .map(|_| {
                                    corun::spawn(move || {
                                        let mut byte = 0u8;
                                        // SAFETY: one byte. The number may be another socket's by then, as in any program that does this.
                                        check(unsafe {
                                            libc::recv(
                                                fd,
                                                (&raw mut byte).cast(),
                                                1,
                                                libc::MSG_PEEK,
                                            )
                                        })
                                    })
                                })
                                .collect();
                            for _ in 0..round % 5 {
                                thread::yield_now();
                            }
                            if round % 3 == 0 {
                                other.write_all(b"x").unwrap();
                            }
                            // SAFETY: nobody else owns it.
                            assert_eq!(unsafe { libc::close(fd) }, 0);
                            // Those who come too late meet a number that is another's, or nobody's. The end of all others lets them go.
                            drop((other, waiters));
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join().unwrap();
            }
            there_and_back(100);
        });
    }
}

/// Connections whose numbers have been used before.
fn there_and_back(count: usize) {
    let tasks: Vec<_> = (0..count)
        .map(|_| {
            corun::spawn(|| {
                let (mut one, mut other) = UnixStream::pair().unwrap();
                let echo = corun::spawn(move || {
                    let mut byte = [0];
                    other.read_exact(&mut byte).unwrap();
                    other.write_all(&byte).unwrap();
                });
                corun::yield_now();
                one.write_all(b"x").unwrap();
                one.read_exact(&mut [0]).unwrap();
                echo.join().unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.join().unwrap();
    }
}

#[test]
fn closing_by_dup2_wakes_who_waits() {
    on_one_worker(|| {
        let (client, _server) = connection();
        let (other, mut peer) = connection();
        let fd = client.as_raw_fd();
        // SAFETY: the buffer is as long as it says.
        let waiter = corun::spawn(move || {
            // SAFETY: the arguments are what the call wants, and as long as they say.
            check(unsafe { libc::read(fd, [0u8; 10].as_mut_ptr().cast(), 10) })
        });
        let_others_wait();
        // SAFETY: both are open.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), fd) }, fd);
        let result = waiter.join().unwrap();
        assert_eq!(result.unwrap_err().raw_os_error(), Some(libc::EBADF));
        peer.write_all(b"x").unwrap();
        assert_eq!((&client).read(&mut [0; 10]).unwrap(), 1);
    });
}

#[test]
fn a_connection_is_refused() {
    on_one_worker(|| {
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        for _ in 0..100 {
            let failed = TcpStream::connect(address).unwrap_err();
            assert_eq!(failed.kind(), ErrorKind::ConnectionRefused);
        }
    });
}

#[test]
fn a_server_that_dies_in_mid_answer() {
    on_one_worker(|| {
        let (mut client, mut server) = connection();
        let reader = corun::spawn(move || {
            let mut all = Vec::new();
            client.write_all(b"request").unwrap();
            let result = client.read_to_end(&mut all);
            (all, result.map_err(|failed| failed.kind()))
        });
        let_others_wait();
        server.write_all(b"half an ans").unwrap();
        let_others_wait();
        // What was not read makes it a reset.
        drop(server);
        let (all, result) = reader.join().unwrap();
        assert_eq!(all, b"half an ans");
        assert_eq!(result, Err(ErrorKind::ConnectionReset));
    });
}

#[test]
fn a_peer_that_is_gone_is_an_error_and_no_signal() {
    on_one_worker(|| {
        let (mut client, server) = connection();
        drop(server);
        let failed = loop {
            // The first one is answered by a reset.
            if let Err(failed) = client.write_all(&[0; 100]) {
                break failed;
            }
            thread::sleep(Duration::from_millis(1));
        };
        assert!(matches!(
            failed.kind(),
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset
        ));
    });
}

#[test]
fn datagrams() {
    on_one_worker(|| {
        let [one, two] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
        let to = two.local_addr().unwrap();
        let receiver = corun::spawn(move || {
            let mut buffer = [0; 100];
            let (count, from) = two.recv_from(&mut buffer).unwrap();
            two.connect(from).unwrap();
            two.send(&buffer[..count]).unwrap();
        });
        let_others_wait();
        one.send_to(b"there and back", to).unwrap();
        let mut buffer = [0; 100];
        assert_eq!(one.recv(&mut buffer).unwrap(), 14);
        receiver.join().unwrap();
    });
}

#[test]
fn local_sockets_also_when_the_listener_has_no_room() {
    on_one_worker(|| {
        let path = std::env::temp_dir().join(format!("corun-hook-{}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        // SAFETY: a socket; room for one connection that is not accepted.
        assert_eq!(unsafe { libc::listen(listener.as_raw_fd(), 0) }, 0);
        let clients: Vec<_> = (0..10)
            .map(|_| {
                let path = path.clone();
                corun::spawn(move || {
                    let mut stream = UnixStream::connect(path).unwrap();
                    let mut byte = [0];
                    stream.read_exact(&mut byte).unwrap();
                })
            })
            .collect();
        let_others_wait();
        for _ in 0..10 {
            listener.accept().unwrap().0.write_all(b"x").unwrap();
        }
        for client in clients {
            client.join().unwrap();
        }
        std::fs::remove_file(path).unwrap();
    });
}

/// Each by a descriptor of its own, as after `dup`: what is done to one concerns all.
#[test]
fn threads_and_coroutines_accept_side_by_side() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let serve = |listener: TcpListener| {
                move || {
                    for _ in 0..100 {
                        listener.accept().unwrap().0.write_all(b"x").unwrap();
                    }
                }
            };
            let threads: Vec<_> = (0..2)
                .map(|_| thread::spawn(serve(listener.try_clone().unwrap())))
                .collect();
            let coroutines: Vec<_> = (0..4)
                .map(|_| corun::spawn(serve(listener.try_clone().unwrap())))
                .collect();
            for _ in 0..600 {
                let mut byte = [0];
                TcpStream::connect(address)
                    .unwrap()
                    .read_exact(&mut byte)
                    .unwrap();
            }
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
            for thread in threads {
                thread.join().unwrap();
            }
            // SAFETY: no pointers.
            let flags = unsafe { libc::fcntl(listener.as_raw_fd(), libc::F_GETFL) };
            assert_eq!(flags & libc::O_NONBLOCK, 0, "left in the wrong mode");
        });
    }
}
