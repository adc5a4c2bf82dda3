//! Several users of one socket at once, reading and writing.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::everywhere;
use corun::net::{Shutdown, TcpListener, TcpStream, UdpSocket};

fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (client, listener.accept().unwrap().0)
}

#[test]
fn many_readers_and_writers_on_one_connection() {
    everywhere(|place| {
        const TASKS: usize = 8;
        const BYTES: usize = 20_000;
        let (a, b) = tcp_pair();
        let (a, b) = (Arc::new(a), Arc::new(b));
        let read = Arc::new(AtomicUsize::new(0));
        let mut writers = Vec::new();
        let mut readers = Vec::new();
        for end in [&a, &b] {
            for _ in 0..TASKS {
                let (stream, read) = (Arc::clone(end), Arc::clone(&read));
                readers.push(place.spawn(move || {
                    let mut buffer = [0; 100];
                    loop {
                        match (&*stream).read(&mut buffer).unwrap() {
                            0 => return,
                            n => read.fetch_add(n, Ordering::Relaxed),
                        };
                    }
                }));
                let stream = Arc::clone(end);
                writers.push(place.spawn(move || {
                    for _ in 0..BYTES / 50 {
                        (&*stream).write_all(&[1; 50]).unwrap();
                    }
                }));
            }
        }
        writers.into_iter().for_each(|task| task.join());
        a.shutdown(Shutdown::Write).unwrap();
        b.shutdown(Shutdown::Write).unwrap();
        readers.into_iter().for_each(|task| task.join());
        assert_eq!(read.load(Ordering::Relaxed), 2 * TASKS * BYTES);
    });
}

#[test]
fn every_acceptor_of_a_listener_is_served() {
    everywhere(|place| {
        const ACCEPTORS: usize = 6;
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        let acceptors: Vec<_> = (0..ACCEPTORS)
            .map(|_| {
                let listener = Arc::clone(&listener);
                place.spawn(move || {
                    for _ in 0..20 {
                        let (mut stream, _) = listener.accept().unwrap();
                        stream.write_all(b"x").unwrap();
                    }
                })
            })
            .collect();
        for _ in 0..ACCEPTORS * 20 {
            let mut answer = String::new();
            TcpStream::connect(address)
                .unwrap()
                .read_to_string(&mut answer)
                .unwrap();
            assert_eq!(answer, "x");
        }
        acceptors.into_iter().for_each(|task| task.join());
    });
}

#[test]
fn a_thread_and_a_coroutine_share_a_socket() {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap();
    let runtime = corun::Runtime::builder().workers(2).build().unwrap();
    let receive = |socket: Arc<UdpSocket>| {
        move || {
            let mut count = 0;
            let mut buffer = [0; 8];
            while socket.recv(&mut buffer).unwrap() != 0 {
                count += 1;
            }
            count
        }
    };
    let coroutine = runtime.spawn(receive(Arc::clone(&socket)));
    let thread = std::thread::spawn(receive(socket));
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.connect(address).unwrap();
    for _ in 0..100 {
        sender.send(b"datagram").unwrap();
    }
    // One empty datagram for each ends it.
    sender.send(b"").unwrap();
    sender.send(b"").unwrap();
    assert_eq!(coroutine.join().unwrap() + thread.join().unwrap(), 100);
}

#[test]
fn a_socket_outlives_the_runtime_that_waited_on_it() {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap();
    for round in 0..3u8 {
        let runtime = corun::Runtime::builder().workers(1).build().unwrap();
        let socket = Arc::clone(&socket);
        runtime.block_on(move || {
            // With one worker the receiver waits before the sender runs.
            let receiver = corun::spawn(move || {
                let mut byte = [0];
                assert_eq!(socket.recv(&mut byte).unwrap(), 1);
                byte[0]
            });
            corun::yield_now();
            UdpSocket::bind("127.0.0.1:0")
                .unwrap()
                .send_to(&[round], address)
                .unwrap();
            assert_eq!(receiver.join().unwrap(), round);
        });
    }
}

#[test]
fn a_wait_moves_to_its_own_runtime_when_that_of_the_first_waiter_ends() {
    let socket = Arc::new(UdpSocket::bind("127.0.0.1:0").unwrap());
    let address = socket.local_addr().unwrap();
    let lasting = corun::Runtime::builder().workers(1).build().unwrap();
    let first = corun::Runtime::builder().workers(1).build().unwrap();
    // The first wait registers the socket with a reactor that ends before the second wait does.
    socket
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    {
        let socket = Arc::clone(&socket);
        first.block_on(move || socket.recv(&mut [0]).unwrap_err());
    }
    socket.set_read_timeout(None).unwrap();
    let receiver = lasting.spawn(move || socket.recv(&mut [0]).unwrap());
    // With one worker the receiver waits when this has run.
    lasting.block_on(corun::yield_now);
    drop(first);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"x", address).unwrap();
    assert_eq!(receiver.join().unwrap(), 1);
}
