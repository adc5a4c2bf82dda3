//! The limit: an echo server and a proxy that are nothing but one thread and one epoll loop.
//!
//! A read that does not fill the buffer has drained the socket, so that each message costs one recv, one send and its share
//! of an epoll_wait. A full socket buffer blocks the whole loop, which the workloads here never bring about.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};

use corun_bench::epoll::{Epoll, accept, close, receive, send_all};
use corun_bench::{Args, BUFFER, report_port};

fn main() -> io::Result<()> {
    let (workload, mut args) = Args::parse();
    match workload.as_str() {
        "echo" => serve(None),
        "proxy" => serve(Some(args.next())),
        other => panic!("no such workload: {other}"),
    }
}

/// Sends what arrives on a connection to its partner: itself, or its connection to the upstream port.
fn serve(upstream: Option<u16>) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    report_port(listener.local_addr()?.port());
    let listener = listener.as_raw_fd();

    let mut epoll = Epoll::new()?;
    epoll.add(listener, listener as u64)?;
    let mut partners: Vec<RawFd> = vec![-1; 65_536];
    let mut buffer = [0; BUFFER];
    loop {
        for index in 0..epoll.wait(-1)? {
            let fd = epoll.token(index) as RawFd;
            if fd == listener {
                while let Ok(client) = accept(listener) {
                    let partner = match upstream {
                        None => client,
                        Some(port) => connect(port)?,
                    };
                    partners[client as usize] = partner;
                    partners[partner as usize] = client;
                    epoll.add(client, client as u64)?;
                    if partner != client {
                        epoll.add(partner, partner as u64)?;
                    }
                }
                continue;
            }
            let partner = partners[fd as usize];
            if partner >= 0 && forward(fd, partner, &mut buffer).is_err() {
                partners[fd as usize] = -1;
                close(fd);
                if partner != fd {
                    partners[partner as usize] = -1;
                    close(partner);
                }
            }
        }
    }
}

/// Forwards until the socket is drained. An end of the stream counts as an error.
#[inline]
fn forward(from: RawFd, to: RawFd, buffer: &mut [u8]) -> io::Result<()> {
    loop {
        match receive(from, buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                send_all(to, &buffer[..length])?;
                if length < buffer.len() {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

fn connect(port: u16) -> io::Result<RawFd> {
    let stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    Ok(stream.into_raw_fd())
}
