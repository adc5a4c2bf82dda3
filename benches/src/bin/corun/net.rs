//! The servers.

use std::io::{Read, Write};
use std::net::Shutdown;

use corun::net::{TcpListener, TcpStream};
use corun::spawn;
use corun_bench::{BUFFER, report_port};

pub fn echo() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (mut stream, _) = listener.accept().expect("a connection");
        spawn(move || {
            let _ = stream.set_nodelay(true);
            let mut buffer = [0; BUFFER];
            while let Ok(length @ 1..) = stream.read(&mut buffer) {
                if stream.write_all(&buffer[..length]).is_err() {
                    return;
                }
            }
        });
    }
}

pub fn proxy(upstream: u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    report_port(listener.local_addr().expect("bound").port());
    loop {
        let (client, _) = listener.accept().expect("a connection");
        spawn(move || {
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else {
                return;
            };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            corun::scope(|scope| {
                scope.spawn(|| pump(&client, &server));
                pump(&server, &client);
            });
        });
    }
}

/// Copies one direction until it ends.
fn pump(from: &TcpStream, to: &TcpStream) {
    let _ = corun::io::copy(from, to);
    let _ = to.shutdown(Shutdown::Write);
}
