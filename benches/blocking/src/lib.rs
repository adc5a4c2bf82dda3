//! The client that all contestants run, and what is measured of it. Each contestant has a binary of its own: `NAME CLIENT COUNT ROUNDS`, where the
//! client is `std` or `ureq`, and COUNT of them ask ROUNDS times each, on connections that stay. One line is printed, `RESULT key=value ...`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long the server takes for each answer.
pub const DELAY: Duration = Duration::from_millis(100);

/// The answer to every request.
pub const ANSWER: &str = "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\nHello, world\n";

/// A client that blocks, with a connection of its own.
pub enum Client {
    /// By hand, as plain as can be.
    Std(u16, Option<TcpStream>),
    /// The crate.
    Ureq(u16, ureq::Agent),
}

impl Client {
    /// Asks, and waits for the answer.
    ///
    /// # Panics
    /// If there is none, or a wrong one.
    pub fn ask(&mut self) {
        match self {
            Client::Std(port, stream) => {
                let stream = stream.get_or_insert_with(|| {
                    TcpStream::connect(("127.0.0.1", *port)).expect("a connection")
                });
                let sent = stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                sent.expect("it is sent");
                let mut answer = [0; ANSWER.len()];
                stream.read_exact(&mut answer).expect("an answer");
                assert_eq!(answer, ANSWER.as_bytes());
            }
            Client::Ureq(port, agent) => {
                let url = format!("http://127.0.0.1:{port}/");
                let answer = agent.get(url).call().expect("an answer");
                let body = answer.into_body().read_to_string();
                assert_eq!(body.expect("a body"), "Hello, world\n");
            }
        }
    }
}

/// The server's process, and what has been measured so far.
pub struct Load {
    server: Child,
    port: u16,
    ureq: bool,
    /// How many clients there are.
    pub count: usize,
    /// How often each of them asks.
    pub rounds: usize,
    latencies: Vec<AtomicU64>,
    next: AtomicU64,
    began: Instant,
    cpu: Duration,
    memory: u64,
}

impl Load {
    /// Starts the server, as the command line has it.
    ///
    /// # Panics
    /// If the command line is malformed, and if the server cannot be started.
    pub fn start() -> Load {
        raise_descriptor_limit();
        let words: Vec<_> = std::env::args().skip(1).collect();
        let [client, count, rounds, ..] = words.as_slice() else {
            panic!("usage: std|ureq COUNT ROUNDS");
        };
        let (count, rounds) = (
            count.parse().expect("a number"),
            rounds.parse().expect("a number"),
        );
        let own = std::env::current_exe().expect("/proc is mounted");
        let mut server = Command::new(own.with_file_name("blocking_server"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let output = server.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        // Written to, so that it is in memory before that is counted.
        let latencies = (0..count * rounds).map(|_| AtomicU64::new(1)).collect();
        Load {
            server,
            port: line.trim().parse().expect("a port"),
            ureq: client == "ureq",
            count,
            rounds,
            latencies,
            next: AtomicU64::new(0),
            began: Instant::now(),
            cpu: cpu_time(),
            memory: status("VmRSS:"),
        }
    }

    /// A client that has not connected yet.
    pub fn client(&self) -> Client {
        match self.ureq {
            true => Client::Ureq(self.port, ureq::Agent::new_with_defaults()),
            false => Client::Std(self.port, None),
        }
    }

    /// A request was wished for at this time, and has just been answered.
    pub fn answered(&self, since: Instant) {
        let slot = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        let nanos = since.elapsed().as_nanos() as u64;
        self.latencies[slot].store(nanos, Ordering::Relaxed);
    }

    /// Asks as often as a client does, where the client is never moved.
    pub fn run_client(&self) {
        let mut client = self.client();
        for _ in 0..self.rounds {
            let since = Instant::now();
            client.ask();
            self.answered(since);
        }
    }

    /// Prints the line, once all have been answered.
    ///
    /// # Panics
    /// If they have not.
    pub fn report(mut self) {
        let took = self.began.elapsed();
        let cpu = cpu_time() - self.cpu;
        let peak = status("VmHWM:") - self.memory + status("VmPTE:");
        let _ = self.server.kill();
        let _ = self.server.wait();
        let mut latencies: Vec<_> = self
            .latencies
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .collect();
        latencies.sort_unstable();
        let requests = latencies.len();
        assert_eq!(self.next.load(Ordering::Relaxed), requests as u64);
        let millis = |percent: usize| latencies[(requests - 1) * percent / 100] as f64 / 1e6;
        println!(
            "RESULT seconds={:.3} mib={:.2} cpu_us={:.2} p50_ms={:.2} p99_ms={:.2} max_ms={:.2}",
            took.as_secs_f64(),
            peak as f64 / 1024.0,
            cpu.as_nanos() as f64 / 1e3 / requests as f64,
            millis(50),
            millis(99),
            millis(100)
        );
    }
}

/// Raises the limit on descriptors as far as the system allows.
pub fn raise_descriptor_limit() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls are given a valid structure.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
    }
}

/// User and system time of this process so far.
fn cpu_time() -> Duration {
    // SAFETY: rusage is plain numbers, for which zero is a value, and the pointer is to a live one.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &mut usage);
        usage
    };
    let of = |t: libc::timeval| Duration::new(t.tv_sec as u64, t.tv_usec as u32 * 1000);
    of(usage.ru_utime) + of(usage.ru_stime)
}

/// A line of /proc/self/status, in KiB.
fn status(name: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|line| line.split_whitespace().next());
    word.and_then(|word| word.parse().ok())
        .expect("a kernel that reports it")
}
