//! A TCP echo server: one coroutine for each connection, written as if it had a thread of its own.
//!
//! ```text
//! cargo run --release --example echo_server 127.0.0.1:7000
//! ```

use std::io::{self, Read, Write};
use std::process::exit;
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};

#[corun::main]
fn main() -> io::Result<()> {
    let Some(addr) = std::env::args().nth(1) else {
        eprintln!("usage: echo_server ADDR        for instance: echo_server 127.0.0.1:7000");
        exit(2);
    };
    let listener = TcpListener::bind(addr)?;
    println!("echoing on {}", listener.local_addr()?);
    serve(&listener);
    Ok(())
}

/// Echoes to everyone who connects, for as long as the program lives.
pub fn serve(listener: &TcpListener) {
    for stream in listener.incoming() {
        match stream {
            // One that fails concerns nobody but its peer, who has gone.
            Ok(stream) => drop(corun::spawn(move || echo(stream))),
            // Descriptors have run out, for instance: those who are connected go on, and will free some.
            Err(error) => {
                eprintln!("accept: {error}");
                corun::sleep(Duration::from_millis(50));
            }
        }
    }
}

/// Sends back what arrives, until the peer closes its side.
pub fn echo(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 2048];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}
