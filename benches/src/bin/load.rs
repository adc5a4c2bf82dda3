//! The load generator, the same for all servers: `load CONNECTIONS SECONDS`.
//!
//! One thread, one epoll loop. Each connection has one message of 8 bytes on its way at any time, and sends the next when
//! the answer is back. The generator also listens, and echoes what arrives there: it is the server behind a proxy under test,
//! so that a proxy has one core and everything around it the other. It prints `PORT n` of that listener, reads one line
//! `PORT PID` of the server to load from standard input, and prints its result.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::time::{Duration, Instant};

use corun_bench::epoll::{Epoll, accept, receive, send_all};
use corun_bench::{Args, MESSAGE, process, report, report_port};

/// How many connections are opened before all have answered once: fewer than any server's backlog.
const OPEN_AT_ONCE: usize = 64;
/// How long the load runs before it is measured.
const WARM_UP: Duration = Duration::from_millis(300);
/// How long nothing may happen before the server counts as stuck.
const STUCK: i32 = 10_000;
/// Set in the tokens of connections on which this process is the server.
const UPSTREAM: u64 = 1 << 32;
/// The token of the listener.
const LISTENER: u64 = 1 << 33;

fn main() -> io::Result<()> {
    let (connections, mut args) = Args::parse();
    let connections = connections.parse().expect("a number of connections");
    let window = Duration::from_secs_f64(args.next());

    let mut load = Load::new()?;
    let mut line = String::new();
    io::stdin().read_line(&mut line)?;
    let mut words = line
        .split_whitespace()
        .map(|word| word.parse::<u32>().expect("PORT PID"));
    let (port, pid) = (words.next().expect("PORT"), words.next().expect("PID"));

    while load.clients.len() < connections {
        let batch = OPEN_AT_ONCE.min(connections - load.clients.len());
        load.open(port as u16, batch)?;
    }
    load.run(WARM_UP)?;
    load.answers = 0;
    load.latencies = Histogram::new();
    let (server_before, own_before) = (process::cpu_time_of(pid), process::cpu_time());
    let elapsed = load.run(window)?.as_secs_f64();
    let server = (process::cpu_time_of(pid) - server_before).as_secs_f64();
    let own = (process::cpu_time() - own_before).as_secs_f64();

    report(&[
        ("krps", load.answers as f64 / elapsed / 1e3),
        ("p50_ms", load.latencies.quantile(0.5) / 1e6),
        ("p99_ms", load.latencies.quantile(0.99) / 1e6),
        ("cpu_us", server / load.answers as f64 * 1e6),
        ("server_busy", server / elapsed),
        ("load_busy", own / elapsed),
    ]);
    Ok(())
}

struct Load {
    epoll: Epoll,
    listener: TcpListener,
    origin: Instant,
    clients: Vec<Client>,
    answers: u64,
    latencies: Histogram,
}

struct Client {
    fd: RawFd,
    sent_at: u64,
}

impl Load {
    fn new() -> io::Result<Load> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        epoll.add(listener.as_raw_fd(), LISTENER)?;
        report_port(listener.local_addr()?.port());
        Ok(Load {
            epoll,
            listener,
            origin: Instant::now(),
            clients: Vec::new(),
            answers: 0,
            latencies: Histogram::new(),
        })
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64
    }

    /// Opens `count` connections, and waits until each has been answered (or others as often).
    fn open(&mut self, port: u16, count: usize) -> io::Result<()> {
        for _ in 0..count {
            let stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            let (fd, token) = (stream.into_raw_fd(), self.clients.len() as u64);
            self.epoll.add(fd, token)?;
            self.clients.push(Client { fd, sent_at: 0 });
            self.send(token as usize)?;
        }
        let enough = self.answers + 4 * count as u64;
        while self.answers < enough {
            self.turn()?;
        }
        Ok(())
    }

    fn run(&mut self, window: Duration) -> io::Result<Duration> {
        let start = Instant::now();
        while start.elapsed() < window {
            self.turn()?;
        }
        Ok(start.elapsed())
    }

    /// Waits for events and answers them.
    fn turn(&mut self) -> io::Result<()> {
        let ready = self.epoll.wait(STUCK)?;
        if ready == 0 {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the server is stuck",
            ));
        }
        let mut buffer = [0; MESSAGE];
        for index in 0..ready {
            let token = self.epoll.token(index);
            if token == LISTENER {
                while let Ok(fd) = accept(self.listener.as_raw_fd()) {
                    self.epoll.add(fd, UPSTREAM | fd as u64)?;
                }
                continue;
            }
            let upstream = token & UPSTREAM != 0;
            let fd = if upstream {
                (token ^ UPSTREAM) as RawFd
            } else {
                self.clients[token as usize].fd
            };
            match receive(fd, &mut buffer) {
                Ok(MESSAGE) if upstream => send_all(fd, &buffer)?,
                Ok(MESSAGE) => self.answer(token as usize, u64::from_ne_bytes(buffer))?,
                Ok(length) => return Err(io::Error::other(format!("a message of {length} bytes"))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn answer(&mut self, client: usize, content: u64) -> io::Result<()> {
        let sent_at = self.clients[client].sent_at;
        assert_eq!(content, sent_at, "the answer is not what was sent");
        let now = self.now();
        self.latencies.add(now - sent_at);
        self.answers += 1;
        self.send_at(client, now)
    }

    fn send(&mut self, client: usize) -> io::Result<()> {
        self.send_at(client, self.now())
    }

    fn send_at(&mut self, client: usize, now: u64) -> io::Result<()> {
        let client = &mut self.clients[client];
        client.sent_at = now;
        send_all(client.fd, &now.to_ne_bytes())
    }
}

/// Counts of durations in buckets at most 1.6 % wide.
struct Histogram(Vec<u32>);

impl Histogram {
    const STEPS: u64 = 64;

    fn new() -> Histogram {
        Histogram(vec![0; 64 * Histogram::STEPS as usize])
    }

    fn add(&mut self, nanoseconds: u64) {
        let value = nanoseconds.max(Histogram::STEPS);
        let exponent = value.ilog2() - Histogram::STEPS.ilog2();
        let bucket =
            u64::from(exponent) * Histogram::STEPS + (value >> exponent) - Histogram::STEPS;
        self.0[bucket as usize] += 1;
    }

    /// The lower end of the bucket in which the quantile lies, in nanoseconds.
    fn quantile(&self, quantile: f64) -> f64 {
        let total: u64 = self.0.iter().map(|&count| u64::from(count)).sum();
        let mut left = (total as f64 * quantile) as u64;
        for (bucket, &count) in self.0.iter().enumerate() {
            if u64::from(count) > left {
                let (exponent, step) = (
                    bucket as u64 / Histogram::STEPS,
                    bucket as u64 % Histogram::STEPS,
                );
                return ((step + Histogram::STEPS) << exponent) as f64;
            }
            left -= u64::from(count);
        }
        0.0
    }
}
