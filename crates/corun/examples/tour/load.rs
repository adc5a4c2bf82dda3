//! The clients of the measurement: one thread, many connections, one message under way on each.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use crate::epoll::{ByDescriptor, Epoll, prepare, put};

/// The length of a message, as in the survey.
pub const MESSAGE: usize = 8;

/// What one client of many connections saw.
pub struct Load {
    pub requests: u64,
    pub seconds: f64,
    /// Messages that were sent and did not come back.
    pub lost: u64,
}

/// Sends a message on each of `connections` connections, and the next as soon as the first is back, for as long as `time` says.
/// `started` is called when all of them have had an answer, `done` when the time is up.
pub fn load(
    addr: SocketAddr,
    connections: usize,
    time: Duration,
    started: impl FnOnce(),
    done: impl FnOnce(),
) -> io::Result<Load> {
    let mut epoll = Epoll::new()?;
    let mut streams: ByDescriptor<(TcpStream, u64)> = ByDescriptor::new();
    for index in 0..connections as u64 {
        let mut stream = TcpStream::connect(addr)?;
        // A first round trip each, so that connecting is over on every side.
        let (message, mut answer) = (index.to_le_bytes(), [0; MESSAGE]);
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        assert_eq!(message, answer);
        prepare(&stream)?;
        epoll.add(&stream)?;
        put(&mut streams, stream.as_raw_fd(), (stream, index << 32));
    }
    started();
    for (stream, number) in streams.iter_mut().flatten() {
        stream.write_all(&number.to_le_bytes())?;
    }
    let (mut requests, mut waiting, start) = (0, connections as u64, Instant::now());
    let mut ready = Vec::new();
    let mut end = None;
    let mut done = Some(done);
    while waiting > 0 {
        epoll.wait(&mut ready, 1000)?;
        if ready.is_empty() {
            break;
        }
        if end.is_none() && start.elapsed() >= time {
            end = Some(start.elapsed());
            done.take().expect("once")();
        }
        for &fd in &ready {
            let (stream, number) = streams[fd as usize].as_mut().expect("one of ours");
            let mut answer = [0; MESSAGE];
            match stream.read(&mut answer)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                n => assert_eq!(
                    (n, answer),
                    (MESSAGE, number.to_le_bytes()),
                    "the answer is the message"
                ),
            }
            if end.is_some() {
                waiting -= 1;
                continue;
            }
            requests += 1;
            *number += 1;
            stream.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(Load {
        requests,
        seconds: end.unwrap_or(start.elapsed()).as_secs_f64(),
        lost: waiting,
    })
}
