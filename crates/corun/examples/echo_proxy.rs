//! A TCP proxy: passes both directions on, keeps a fast sender from running ahead of a slow reader, and passes a half-close on.
//!
//! ```text
//! cargo run --release --example echo_server 127.0.0.1:7000
//! cargo run --release --example echo_proxy 127.0.0.1:7001 127.0.0.1:7000
//! ```
//!
//! Back-pressure needs no code of its own: a direction reads only after everything it read before has been written. While its reader
//! is slow, the coroutine is parked in `copy`, the kernel's buffers fill up, and TCP tells the sender to wait.

use std::io;
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::process::exit;
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};

#[corun::main]
fn main() -> io::Result<()> {
    let (Some(listen), Some(upstream)) = (std::env::args().nth(1), std::env::args().nth(2)) else {
        eprintln!(
            "usage: echo_proxy LISTEN UPSTREAM        for instance: echo_proxy 127.0.0.1:7001 127.0.0.1:7000"
        );
        exit(2);
    };
    let Some(upstream) = upstream.to_socket_addrs()?.next() else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{upstream} has no address"),
        ));
    };
    let listener = TcpListener::bind(listen)?;
    println!("passing {} on to {upstream}", listener.local_addr()?);
    serve(&listener, upstream);
    Ok(())
}

/// Passes everyone who connects on to `upstream`, for as long as the program lives.
pub fn serve(listener: &TcpListener, upstream: SocketAddr) {
    for client in listener.incoming() {
        match client {
            Ok(client) => drop(corun::spawn(move || proxy(&client, upstream))),
            Err(error) => {
                eprintln!("accept: {error}");
                corun::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// The same for the first `connections` that connect, and returns when all of them have ended.
pub fn serve_some(listener: &TcpListener, upstream: SocketAddr, connections: usize) {
    let clients = listener.incoming().take(connections).filter_map(Result::ok);
    let all: Vec<_> = clients
        .map(|client| corun::spawn(move || proxy(&client, upstream)))
        .collect();
    for connection in all {
        // Whatever ended a connection, its client knows.
        let _ = connection.join();
    }
}

/// Connects `client` with `upstream` until both directions have ended.
fn proxy(client: &TcpStream, upstream: SocketAddr) -> io::Result<()> {
    let server = &TcpStream::connect(upstream)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    corun::scope(|scope| {
        scope.spawn(|| relay(server, client));
        relay(client, server);
    });
    Ok(())
}

/// One direction. An end of the stream is passed on as such, and the other direction goes on; an error ends both.
fn relay(from: &TcpStream, to: &TcpStream) {
    let end = match corun::io::copy(from, to) {
        Ok(_) => to.shutdown(Shutdown::Write),
        Err(error) => Err(error),
    };
    if end.is_err() {
        // Wakes the other direction, wherever it waits. Either side may be gone already; that is no news.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
    }
}
