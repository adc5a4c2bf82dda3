//! `std::net` and `std::os::unix::net` themselves.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use blocking_world::{DELAY, SlowServer, WORKERS, alone, both, both_of, coroutines};

use crate::{CROWD, LIMIT};

/// Asks by hand, as a program that was written for threads would.
fn get(server: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(server).expect("a connection");
    stream
        .set_read_timeout(Some(Duration::from_secs(60)))
        .expect("a socket");
    write!(stream, "GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n").expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn a_thousand_requests_wait_together() {
    let _alone = alone();
    let server = SlowServer::start(1);
    let address = server.address();
    both("std::net", CROWD, LIMIT, move |number| {
        get(address, &format!("/{number}"))
    });
}

/// Nobody is answered before all have asked: 1,000 waits on 2 threads, whatever the machine has to do.
#[test]
fn none_of_a_thousand_can_go_on_before_all_wait() {
    let _alone = alone();
    let server = SlowServer::start(CROWD);
    let address = server.address();
    both("all at once", CROWD, LIMIT, move |number| {
        get(address, &format!("/meet/{number}"))
    });
    assert_eq!(server.most_at_once(), CROWD);
}

/// Two threads in corners would come to know it: a server whose connections are coroutines, and clients that are coroutines beside them.
#[test]
fn servers_and_clients_are_coroutines_of_the_same_workers() {
    let _alone = alone();
    both_of("server and clients", 2 * 200, LIMIT, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("it is bound");
        move |number| {
            if number % 2 == 0 {
                let (stream, _) = listener.accept().expect("a client");
                let mut lines = BufReader::new(&stream);
                for _ in 0..10 {
                    let mut line = String::new();
                    lines.read_line(&mut line).expect("a line");
                    (&stream)
                        .write_all(line.to_uppercase().as_bytes())
                        .expect("a client");
                }
                String::new()
            } else {
                let mut stream = TcpStream::connect(address).expect("a server");
                let mut lines = BufReader::new(stream.try_clone().expect("a descriptor"));
                let mut all = String::new();
                for round in 0..10 {
                    writeln!(stream, "line {round} of {number}").expect("a server");
                    lines.read_line(&mut all).expect("a line");
                }
                all
            }
        }
    });
}

/// More than any buffer holds, both ways at once on one socket: every send is partial, and is completed.
#[test]
fn megabytes_pass_both_ways_at_once() {
    let _alone = alone();
    const BYTES: usize = 1 << 20;
    let byte = |index: usize, salt: usize| (index.wrapping_mul(31).wrapping_add(salt) >> 3) as u8;
    both_of("megabytes", 8, Duration::from_secs(60), || {
        let pairs: Vec<_> = (0..4)
            .map(|_| {
                let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
                let one = TcpStream::connect(listener.local_addr().expect("it is bound"));
                (one.expect("a connection"), listener.accept().expect("it").0)
            })
            .collect();
        move |number| {
            let (one, other) = &pairs[number / 2];
            let (mut mine, salt, their_salt) = match number % 2 {
                0 => (one, number, number + 1),
                _ => (other, number, number - 1),
            };
            let mut reading = mine.try_clone().expect("a descriptor");
            thread::scope(|scope| {
                // It reads on a thread of the system's, whatever else this is: threads and coroutines share sockets.
                let reader = scope.spawn(move || {
                    let mut seen = vec![0; BYTES];
                    reading.read_exact(&mut seen).expect("all of it");
                    seen.iter()
                        .enumerate()
                        .all(|(index, &seen)| seen == byte(index, their_salt))
                });
                let sent: Vec<_> = (0..BYTES).map(|index| byte(index, salt)).collect();
                mine.write_all(&sent).expect("it is sent");
                reader.join().expect("no panic")
            })
        }
    });
}

#[test]
fn timeouts_are_those_of_a_thread() {
    let _alone = alone();
    both_of("read timeouts", CROWD, LIMIT, || {
        let pairs: Vec<_> = (0..CROWD)
            .map(|_| UnixStream::pair().expect("descriptors"))
            .collect();
        move |number| {
            let mut stream = &pairs[number].0;
            stream.set_read_timeout(Some(DELAY)).expect("a socket");
            let began = Instant::now();
            let error = stream.read(&mut [0; 8]).expect_err("nothing comes");
            assert!(began.elapsed() >= DELAY, "{:?}", began.elapsed());
            (error.kind(), error.raw_os_error())
        }
    });
}

#[test]
fn a_socket_that_may_not_block_does_not() {
    let _alone = alone();
    both("O_NONBLOCK", 16, LIMIT, |_| {
        let (mut one, mut other) = UnixStream::pair().expect("descriptors");
        one.set_nonblocking(true).expect("a socket");
        let empty = one.read(&mut [0; 8]).expect_err("nothing has come").kind();
        let mut sent = 0;
        let full = loop {
            match one.write(&[7; 4096]) {
                Ok(count) => sent += count,
                Err(error) => break error.kind(),
            }
        };
        one.shutdown(Shutdown::Write).expect("a socket");
        let mut all = Vec::new();
        other.read_to_end(&mut all).expect("all of it");
        one.set_nonblocking(false).expect("a socket");
        let late = thread::spawn(move || {
            thread::sleep(Duration::from_millis(5));
            other.write_all(b"late").expect("it is open");
        });
        let mut answer = String::new();
        one.read_to_string(&mut answer).expect("it blocks again");
        late.join().expect("no panic");
        (empty, full, sent == all.len(), answer)
    });
}

#[test]
fn errors_are_those_of_a_thread() {
    let _alone = alone();
    let closed = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let closed = closed.expect("a port");
    let server = SlowServer::start(1);
    let address = server.address();
    both("errors", 100, LIMIT, move |number| {
        let refused = TcpStream::connect(closed).expect_err("nobody listens");
        let limit = Duration::from_secs(5);
        let refused_too = TcpStream::connect_timeout(&closed, limit).expect_err("nobody listens");
        let unknown = TcpStream::connect("-no-such-name:80").expect_err("no such name");
        let half = get(address, &format!("/torn/{number}"));
        let (mut one, other) = UnixStream::pair().expect("descriptors");
        drop(other);
        let broken = one.write_all(b"to nobody").expect_err("nobody is there");
        let ended = one.read(&mut [0; 8]).expect("the end");
        (
            (refused.kind(), refused_too.kind(), unknown.kind()),
            (half, broken.kind(), ended),
        )
    });
}

#[test]
fn datagrams_and_names() {
    let _alone = alone();
    both("UDP", 200, LIMIT, |number| {
        let one = UdpSocket::bind("localhost:0").expect("a port");
        let other = UdpSocket::bind("localhost:0").expect("a port");
        let text = format!("datagram {number}");
        one.send_to(text.as_bytes(), other.local_addr().expect("it is bound"))
            .expect("it is sent");
        let mut buffer = [0; 64];
        let (count, from) = other.recv_from(&mut buffer).expect("it comes");
        assert_eq!(from, one.local_addr().expect("it is bound"));
        one.set_read_timeout(Some(Duration::from_millis(20)))
            .expect("a socket");
        let nothing = one.recv(&mut buffer).expect_err("nothing comes").kind();
        assert!(matches!(
            nothing,
            ErrorKind::WouldBlock | ErrorKind::TimedOut
        ));
        String::from_utf8_lossy(&buffer[..count]).into_owned()
    });
}

/// A call that was not hooked would show here: two such calls block both workers, and no timer of a third would be on time.
#[test]
fn sleeping_blocks_no_worker() {
    let _alone = alone();
    let crowd = coroutines(CROWD, |_| {
        let began = Instant::now();
        thread::sleep(DELAY);
        assert!(began.elapsed() >= DELAY);
    });
    assert!(crowd.took < LIMIT, "{:?} on {WORKERS} workers", crowd.took);
}
