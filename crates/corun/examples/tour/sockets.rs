//! The chapter on real sockets: clients, a proxy and a server, all of them coroutines, and every byte checked.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use corun::net::{TcpListener, TcpStream};

use crate::{echo_proxy, echo_server};

/// Starts the echo server and, in front of it, the proxy; returns where they listen.
pub fn start_servers() -> io::Result<(SocketAddr, SocketAddr)> {
    let (server, proxy) = (
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    );
    let (server_addr, proxy_addr) = (server.local_addr()?, proxy.local_addr()?);
    // They serve until the program ends: returning from main does not wait for them.
    corun::spawn(move || echo_server::serve(&server));
    corun::spawn(move || echo_proxy::serve(&proxy, server_addr));
    Ok((server_addr, proxy_addr))
}

/// `clients` coroutines connect at once and exchange `messages` messages each.
pub fn clients(addr: SocketAddr, clients: u64, messages: u64) -> io::Result<Duration> {
    let start = Instant::now();
    let all: Vec<_> = (0..clients)
        .map(|client| {
            corun::spawn(move || -> io::Result<()> {
                let mut stream = TcpStream::connect(addr)?;
                stream.set_nodelay(true)?;
                for message in 0..messages {
                    let text = [client.to_le_bytes(), message.to_le_bytes()].concat();
                    let mut echo = [0; 16];
                    stream.write_all(&text)?;
                    stream.read_exact(&mut echo)?;
                    assert_eq!(text, echo, "client {client}, message {message}");
                }
                Ok(())
            })
        })
        .collect();
    for client in all {
        client.join().expect("no panic")?;
    }
    Ok(start.elapsed())
}
