//! The example `graceful_server` ends under load: whatever request it has accepted is answered, completely.

#[path = "../../crates/corun/examples/graceful_server.rs"]
#[allow(dead_code)]
mod graceful_server;

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};

const CLIENTS: usize = 200;
/// After so many answers the server is told to end.
const ENOUGH: usize = 5_000;

#[derive(Default)]
struct Seen {
    answers: AtomicUsize,
    /// An answer that broke off.
    partial: AtomicUsize,
    /// A request to which nothing came: its connection stood in the queue of a socket that was being closed.
    nothing: AtomicUsize,
}

/// Asks until nobody listens any more.
fn ask(addr: SocketAddr, seen: &Seen) {
    while let Ok(mut stream) = TcpStream::connect(addr) {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("not zero");
        while stream
            .write_all(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            .is_ok()
        {
            let mut answer = Vec::new();
            let mut chunk = [0; 512];
            while !answer.ends_with(b"hello\n") {
                match stream.read(&mut chunk) {
                    Ok(count @ 1..) => answer.extend_from_slice(&chunk[..count]),
                    Ok(0) | Err(_) => break,
                }
            }
            let count = match answer.len() {
                0 => &seen.nothing,
                _ if answer.ends_with(b"hello\n") => &seen.answers,
                _ => &seen.partial,
            };
            count.fetch_add(1, Ordering::SeqCst);
            let text = String::from_utf8_lossy(&answer);
            if !text.contains("connection: keep-alive") {
                break;
            }
        }
    }
}

#[test]
fn no_accepted_request_is_lost() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
    let addr = listener.local_addr().expect("bound");
    let server = std::thread::spawn(move || graceful_server::run(listener));
    let seen = Arc::new(Seen::default());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let seen = Arc::clone(&seen);
            corun::spawn(move || ask(addr, &seen))
        })
        .collect();
    while seen.answers.load(Ordering::SeqCst) < ENOUGH {
        std::thread::sleep(Duration::from_millis(1));
    }
    // It listens for signals since before the first answer.
    // SAFETY: no preconditions.
    assert_eq!(unsafe { libc::kill(libc::getpid(), libc::SIGTERM) }, 0);
    let report = server.join().expect("no panic").expect("in time");
    for client in clients {
        client.join().expect("no panic");
    }
    let answers = seen.answers.load(Ordering::SeqCst);
    assert!(answers >= ENOUGH);
    let all = graceful_server::Report {
        accepted: answers,
        answered: answers,
    };
    assert_eq!(report, all);
    assert_eq!(seen.partial.load(Ordering::SeqCst), 0);
    let nothing = seen.nothing.load(Ordering::SeqCst);
    assert!(nothing <= CLIENTS, "{nothing} of {answers}");
    println!("{answers} answers; {nothing} connections were too late");
}
