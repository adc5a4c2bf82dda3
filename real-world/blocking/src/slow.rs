//! A server that keeps everybody waiting, to show who can wait together.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

/// How long the server takes for each answer.
pub const DELAY: Duration = Duration::from_millis(100);

/// What the server answers to a request for this path: some lines, as many as the path has bytes, that only it has.
pub fn body_for(path: &str) -> String {
    format!("the answer to {path}\n").repeat(path.len())
}

/// An HTTP server whose every answer takes a while. It is a program with a thread for each connection, in this process.
///
/// - `/meet/...` is answered when as many such requests are there at once as [`SlowServer::start`] was told.
/// - `/torn/...` is answered by half an answer and the end of the connection.
/// - `/never/...` is not answered.
/// - Every other path is answered after [`DELAY`], with [`body_for`] it.
pub struct SlowServer {
    address: SocketAddr,
    state: Arc<State>,
}

struct State {
    meeting: Barrier,
    closing: AtomicBool,
    waiting: AtomicUsize,
    most: AtomicUsize,
}

impl SlowServer {
    /// Starts one, where `meeting` requests for `/meet/...` have to meet.
    ///
    /// # Panics
    /// If there is no port.
    pub fn start(meeting: usize) -> SlowServer {
        SlowServer::start_with(meeting, Ok)
    }

    /// Starts one that speaks through what `wrap` makes of a connection, such as TLS.
    ///
    /// # Panics
    /// If there is no port.
    pub fn start_with<S, W>(meeting: usize, wrap: W) -> SlowServer
    where
        S: Read + Write,
        W: Fn(TcpStream) -> io::Result<S> + Send + Sync + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        // The 128 of std are too few for 1,000 clients at once: those left out would ask again only after a second.
        // SAFETY: the descriptor is a listener's, and no memory is involved.
        unsafe { libc::listen(std::os::fd::AsRawFd::as_raw_fd(&listener), 4096) };
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State {
            meeting: Barrier::new(meeting),
            closing: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
            most: AtomicUsize::new(0),
        });
        let wrap = Arc::new(wrap);
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.closing.load(Ordering::Relaxed) {
                    break;
                }
                let (state, wrap) = (Arc::clone(&shared), Arc::clone(&wrap));
                let stream = stream.expect("a connection");
                let thread = thread::Builder::new().stack_size(1 << 18);
                // A client that goes away ends its thread, and nothing else.
                let serve = move || drop(wrap(stream).and_then(|stream| state.serve(stream)));
                thread.spawn(serve).expect("a thread");
            }
        });
        SlowServer { address, state }
    }

    /// Where it listens, on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many requests have waited for their answers at once, at most, since this was asked last.
    pub fn most_at_once(&self) -> usize {
        self.state.most.swap(0, Ordering::Relaxed)
    }
}

impl State {
    fn serve(&self, stream: impl Read + Write) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                if stream.read_line(&mut head)? == 0 {
                    return Ok(());
                }
            }
            let path = head.split(' ').nth(1).unwrap_or_default();
            let waiting = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(waiting, Ordering::Relaxed);
            if path.starts_with("/meet/") {
                self.meeting.wait();
            } else if path.starts_with("/never/") {
                // Until the client gives it up.
                return io::copy(&mut stream, &mut io::sink()).map(drop);
            } else {
                thread::sleep(DELAY);
            }
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            let body = body_for(path);
            let close = head.to_ascii_lowercase().contains("connection: close");
            let torn = path.starts_with("/torn/");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{}\r\n{}",
                body.len(),
                if close { "Connection: close\r\n" } else { "" },
                if torn { &body[..body.len() / 2] } else { &body }
            );
            stream.get_mut().write_all(answer.as_bytes())?;
            stream.get_mut().flush()?;
            if close || torn {
                return Ok(());
            }
        }
    }
}

impl Drop for SlowServer {
    fn drop(&mut self) {
        self.state.closing.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}
