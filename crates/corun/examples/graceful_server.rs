//! A server that ends in good order: at ctrl-C or SIGTERM it takes no more connections, answers every request that has begun to arrive, and says how
//! that went. What has not ended after the time of grace is cancelled, and named.
//!
//! ```text
//! cargo run --release --example graceful_server 127.0.0.1:8080
//! curl http://127.0.0.1:8080/
//! ```

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::net::{TcpListener, TcpStream};
use corun::signal::{SignalKind, Signals};
use corun::{CancelToken, Runtime};

/// How long requests may take to finish once the server was asked to end.
const GRACE: Duration = Duration::from_secs(5);
/// How long a connection without a request is kept open then: one may be on its way.
const LINGER: Duration = Duration::from_millis(250);
/// What each request takes: a question to a database, say.
const WORK: Duration = Duration::from_millis(5);

fn main() -> io::Result<()> {
    let Some(addr) = std::env::args().nth(1) else {
        eprintln!(
            "usage: graceful_server ADDR        for instance: graceful_server 127.0.0.1:8080"
        );
        exit(2);
    };
    let listener = TcpListener::bind(addr)?;
    println!("hello on http://{}/", listener.local_addr()?);
    match run(listener) {
        Ok(report) => println!(
            "{} requests came, {} were answered",
            report.accepted, report.answered
        ),
        Err(late) => {
            eprintln!("{late}");
            exit(1);
        }
    }
    Ok(())
}

/// What became of the requests.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// How many began to arrive.
    pub accepted: usize,
    /// How many were answered.
    pub answered: usize,
}

#[derive(Default)]
struct Server {
    stop: CancelToken,
    accepted: AtomicUsize,
    answered: AtomicUsize,
}

/// Serves until the process is asked to end.
pub fn run(listener: TcpListener) -> io::Result<Report> {
    // Before there is anything to lose.
    let signals = Signals::new([SignalKind::INTERRUPT, SignalKind::TERMINATE])?;
    let runtime = Runtime::new()?;
    let server = Arc::new(Server::default());
    let accepting = Arc::clone(&server);
    runtime.spawn(move || accept(&listener, &accepting));

    let signal = signals.recv();
    // A second one does what it always does: it ends the process at once.
    drop(signals);
    println!("{signal}: finishing");
    server.stop.cancel();
    runtime.shutdown(GRACE).map_err(io::Error::other)?;
    Ok(Report {
        accepted: server.accepted.load(Ordering::Relaxed),
        answered: server.answered.load(Ordering::Relaxed),
    })
}

fn accept(listener: &TcpListener, server: &Arc<Server>) {
    let begin = |stream| {
        let server = Arc::clone(server);
        corun::spawn(move || converse(stream, &server));
    };
    // The wait for the next connection is what ends; a connection that was accepted is not lost.
    let _ = server.stop.run(|| {
        for stream in listener.incoming() {
            match stream {
                Ok(stream) => begin(stream),
                Err(error) => {
                    eprintln!("accept: {error}");
                    corun::sleep(Duration::from_millis(50));
                }
            }
        }
    });
    // Those that the system has taken meanwhile.
    let _ = listener.set_nonblocking(true);
    while let Ok((stream, _)) = listener.accept() {
        begin(stream);
    }
}

/// One connection.
fn converse(mut stream: TcpStream, server: &Server) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut input = Vec::new();
    loop {
        if input.is_empty() && !next_request(&mut stream, &mut input, server)? {
            return Ok(());
        }
        // A request has begun to arrive. From here on nothing but the end of the grace disturbs it.
        server.accepted.fetch_add(1, Ordering::Relaxed);
        let head = read_head(&mut stream, &mut input)?;
        input.drain(..head);
        corun::sleep(WORK);
        let last = server.stop.is_cancelled();
        let connection = if last { "close" } else { "keep-alive" };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: {connection}\r\n\r\nhello\n"
        )?;
        server.answered.fetch_add(1, Ordering::Relaxed);
        if last {
            // Tells the peer that this was all, then lets it finish: closing with unread input would destroy the answer on its way.
            stream.shutdown(Shutdown::Write)?;
            return io::copy(&mut stream.take(1 << 20), &mut io::sink()).map(drop);
        }
    }
}

/// Waits for the beginning of a request; `false` if there will be none. Here, and only here, may a connection be left when the server ends.
fn next_request(stream: &mut TcpStream, input: &mut Vec<u8>, server: &Server) -> io::Result<bool> {
    let mut chunk = [0; 2048];
    let count = match server.stop.run(|| stream.read(&mut chunk)) {
        Ok(count) => count?,
        Err(_) => corun::timeout(LINGER, || stream.read(&mut chunk)).unwrap_or(Ok(0))?,
    };
    input.extend_from_slice(&chunk[..count]);
    Ok(count != 0)
}

/// Reads the rest of a head; returns its length. This server knows no bodies.
fn read_head(stream: &mut TcpStream, input: &mut Vec<u8>) -> io::Result<usize> {
    let mut chunk = [0; 2048];
    loop {
        if let Some(end) = input.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            return Ok(end + 4);
        }
        match stream.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            _ if input.len() > 8 * 1024 => return Err(io::ErrorKind::InvalidData.into()),
            count => input.extend_from_slice(&chunk[..count]),
        }
    }
}
