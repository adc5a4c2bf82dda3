//! What the workloads of all runtimes share: how they take their arguments, measure themselves and report.
//!
//! Each runtime has a binary of its own, which runs one workload per process and prints one line, `RESULT key=value ...`.
//! The driver starts them in turn and compares. Servers print `PORT n` instead, and serve until they are killed.

use std::io::Write;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub mod channels;
pub mod epoll;
pub mod process;
pub mod tasks;

/// How many bytes a server reads at once, the same in every runtime.
pub const BUFFER: usize = 1024;

/// The size of the message that load generator and servers exchange.
pub const MESSAGE: usize = 8;

/// The arguments after the name of the workload, in order.
pub struct Args(std::vec::IntoIter<String>);

impl Args {
    /// Splits the command line into the workload's name and its arguments.
    ///
    /// # Panics
    /// If there is no workload.
    pub fn parse() -> (String, Args) {
        let mut words = std::env::args().skip(1).collect::<Vec<_>>().into_iter();
        let name = words.next().expect("usage: WORKLOAD [ARGUMENTS]");
        (name, Args(words))
    }

    /// The next argument.
    ///
    /// # Panics
    /// If it is missing or malformed.
    #[allow(clippy::should_implement_trait)]
    pub fn next<T: FromStr>(&mut self) -> T {
        let word = self.0.next().expect("an argument is missing");
        match word.parse() {
            Ok(value) => value,
            Err(_) => panic!("malformed argument: {word}"),
        }
    }
}

/// Prints the one line that the driver reads. Without pairs it says that the runtime has no such thing.
pub fn report(pairs: &[(&str, f64)]) {
    let mut line = String::from("RESULT");
    for (key, value) in pairs {
        line.push_str(&format!(" {key}={value:.4}"));
    }
    println!("{line}");
    std::io::stdout().flush().expect("stdout is open");
}

/// Tells the driver which port a server listens on.
pub fn report_port(port: u16) {
    println!("PORT {port}");
    std::io::stdout().flush().expect("stdout is open");
}

/// Prints the line of a workload that did `count` operations within `elapsed`.
pub fn report_per_operation(elapsed: Duration, count: u64) {
    report(&[("ns", elapsed.as_nanos() as f64 / count as f64)]);
}

/// How long each of many cancelled tasks took to end; those that waited without a deadline, and those that slept.
#[derive(Default)]
pub struct Reactions([Vec<Duration>; 2]);

impl Reactions {
    /// The task was cancelled at this time, and has just been found ended.
    pub fn ended(&mut self, asleep: bool, cancelled: Instant) {
        self.0[usize::from(asleep)].push(cancelled.elapsed());
    }

    /// Reports the medians, and what one in a hundred exceeds.
    ///
    /// # Panics
    /// If there are none.
    pub fn report(mut self) {
        for times in &mut self.0 {
            times.sort_unstable();
        }
        let micros = |asleep: usize, percent: usize| {
            let times = &self.0[asleep];
            times[times.len() * percent / 100].as_nanos() as f64 / 1e3
        };
        report(&[
            ("parked_us", micros(0, 50)),
            ("asleep_us", micros(1, 50)),
            ("p99", micros(0, 99)),
        ]);
    }
}

/// A stretch of time that begins when the first of many tasks enters it and ends when the last one leaves it. The tasks gather
/// in front of it, so that what it costs to start them is not counted, in whatever order the runtime starts them.
pub struct Stretch {
    origin: Instant,
    tasks: u64,
    here: AtomicU64,
    begun: AtomicU64,
    ended: AtomicU64,
    running: AtomicU64,
}

impl Stretch {
    /// For `tasks` tasks.
    pub fn new(tasks: u64) -> Stretch {
        Stretch {
            origin: Instant::now(),
            tasks,
            here: AtomicU64::new(0),
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
            running: AtomicU64::new(tasks),
        }
    }

    fn now(&self) -> u64 {
        self.origin.elapsed().as_nanos() as u64 + 1
    }

    /// A task has started. It then gives way until all are here.
    pub fn arrive(&self) {
        self.here.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether all have started.
    pub fn all_here(&self) -> bool {
        self.here.load(Ordering::Relaxed) == self.tasks
    }

    /// A task enters.
    pub fn enter(&self) {
        if self.begun.load(Ordering::Relaxed) == 0 {
            let _ =
                self.begun
                    .compare_exchange(0, self.now(), Ordering::Relaxed, Ordering::Relaxed);
        }
    }

    /// A task leaves.
    pub fn leave(&self) {
        if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.ended.store(self.now(), Ordering::Release);
        }
    }

    /// From the first arrival to the last departure, once all have left.
    pub fn elapsed(&self) -> Duration {
        Duration::from_nanos(
            self.ended.load(Ordering::Acquire) - self.begun.load(Ordering::Relaxed),
        )
    }
}

/// The delays of `count` timers spread evenly over one second, in an order that is shuffled but always the same.
pub fn timer_delays(count: u64) -> Vec<Duration> {
    let mut delays: Vec<_> = (0..count)
        .map(|i| Duration::from_nanos(i * 1_000_000_000 / count))
        .collect();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for i in (1..delays.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        delays.swap(i, (state % (i as u64 + 1)) as usize);
    }
    delays
}

/// Collects how late each timer of a storm fires.
pub struct Lateness {
    slots: Vec<AtomicU64>,
    next: AtomicU64,
    cpu: Duration,
}

impl Lateness {
    /// For `count` timers. CPU time is counted from here.
    pub fn new(count: u64) -> Lateness {
        let slots = (0..count).map(|_| AtomicU64::new(0)).collect();
        Lateness {
            slots,
            next: AtomicU64::new(0),
            cpu: process::cpu_time(),
        }
    }

    /// A timer fired that was due at `due`.
    ///
    /// # Panics
    /// If it fired early.
    pub fn record(&self, due: Instant) {
        let late = Instant::now()
            .checked_duration_since(due)
            .expect("a timer fired early");
        let slot = self.next.fetch_add(1, Ordering::Relaxed) as usize;
        self.slots[slot].store(late.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Prints the line, once all have fired.
    pub fn report(self) {
        let cpu = process::cpu_time() - self.cpu;
        let mut late: Vec<_> = self
            .slots
            .iter()
            .map(|slot| slot.load(Ordering::Relaxed))
            .collect();
        late.sort_unstable();
        let micros = |rank: usize| late[rank] as f64 / 1e3;
        report(&[
            ("cpu_s", cpu.as_secs_f64()),
            ("late_us", micros(late.len() / 2)),
            ("late_p99_us", micros(late.len() * 99 / 100)),
        ]);
    }
}

/// Measures what a crowd of parked tasks costs: memory while parked, time to create, time to wake and finish.
pub struct Crowd {
    count: u64,
    before: u64,
    created_from: Instant,
    created: Duration,
    bytes: u64,
    woken_from: Instant,
}

impl Crowd {
    /// Call when everything that is not to be counted has been allocated and touched.
    pub fn begin(count: u64) -> Crowd {
        let now = Instant::now();
        let before = process::memory();
        Crowd {
            count,
            before,
            created_from: Instant::now(),
            created: Duration::ZERO,
            bytes: 0,
            woken_from: now,
        }
    }

    /// Call when all are parked, right before they are woken.
    pub fn parked(&mut self) {
        self.created = self.created_from.elapsed();
        self.bytes = process::memory() - self.before;
        self.woken_from = Instant::now();
    }

    /// Call when all have finished.
    pub fn finished(self) {
        let each = |total: Duration| total.as_nanos() as f64 / self.count as f64;
        report(&[
            ("bytes", self.bytes as f64 / self.count as f64),
            ("create_ns", each(self.created)),
            ("wake_ns", each(self.woken_from.elapsed())),
        ]);
    }
}
