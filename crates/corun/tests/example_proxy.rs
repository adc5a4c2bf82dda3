//! The example `echo_proxy`: what a proxy has to get right beyond copying.

#[path = "../examples/echo_proxy.rs"]
#[allow(dead_code)]
mod echo_proxy;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

/// A proxy in front of a listener, and the two ends of a connection through it: both plain sockets, so that nothing hides on them.
fn connect() -> (TcpStream, TcpStream) {
    let upstream = TcpListener::bind("127.0.0.1:0").expect("bind");
    let proxy = start(upstream.local_addr().expect("bound"));
    let near = TcpStream::connect(proxy).expect("connect");
    let (far, _) = upstream.accept().expect("accept");
    (near, far)
}

fn start(upstream: SocketAddr) -> SocketAddr {
    let listener = corun::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    corun::spawn(move || echo_proxy::serve(&listener, upstream));
    addr
}

fn byte(index: usize) -> u8 {
    (index * 31 + index / 253) as u8
}

#[test]
fn a_fast_sender_waits_for_a_slow_reader() {
    let (mut near, mut far) = connect();
    // Nobody reads at the far end: the sender gets rid of what the sockets' buffers hold, then has to wait.
    near.set_write_timeout(Some(Duration::from_millis(500)))
        .expect("timeout");
    let mut sent = 0;
    let limit = 256 << 20;
    let chunk: Vec<u8> = (0..1 << 20).map(byte).collect();
    while sent < limit {
        match near.write(&chunk[sent % chunk.len()..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(
        sent < limit,
        "the proxy took all of {sent} bytes, though nobody read them"
    );
    // Once somebody reads, all of it arrives, in order.
    near.shutdown(Shutdown::Write).expect("shutdown");
    let mut received = Vec::new();
    far.read_to_end(&mut received).expect("read");
    assert_eq!(received.len(), sent);
    assert!(
        received
            .chunks(chunk.len())
            .all(|part| part == &chunk[..part.len()])
    );
}

#[test]
fn a_half_close_is_passed_on_and_the_other_half_goes_on() {
    let (mut near, mut far) = connect();
    near.write_all(b"the question").expect("write");
    near.shutdown(Shutdown::Write).expect("shutdown");
    let mut question = String::new();
    far.read_to_string(&mut question).expect("read");
    far.write_all(b"the answer").expect("write");
    drop(far);
    let mut answer = String::new();
    near.read_to_string(&mut answer).expect("read");
    assert_eq!(
        (question.as_str(), answer.as_str()),
        ("the question", "the answer")
    );
}

#[test]
fn an_upstream_that_goes_takes_the_client_with_it() {
    let (mut near, far) = connect();
    drop(far);
    assert_eq!(near.read(&mut [0; 1]).expect("an orderly end"), 0);
}

#[test]
fn without_an_upstream_the_client_is_closed() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .expect("bind")
        .local_addr()
        .expect("bound");
    let mut near = TcpStream::connect(start(nobody)).expect("connect");
    // An end or a reset, according to what the system makes of it.
    assert!(near.read(&mut [0; 1]).map_or(true, |n| n == 0));
}
