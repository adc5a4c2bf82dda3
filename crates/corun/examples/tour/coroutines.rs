//! The chapters without sockets: a crowd that parks, a scope that borrows, a storm of timers, the price of a switch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::system;

/// What a crowd of parked coroutines cost.
pub struct Crowd {
    /// From the first spawn until all are parked, for each.
    pub create: Duration,
    /// From the first unpark until all are joined, for each.
    pub wake: Duration,
    /// Growth of the process for each, page tables and join handles included.
    pub bytes: u64,
}

struct Gate {
    arrived: AtomicUsize,
    open: AtomicBool,
    keeper: corun::Coroutine,
}

/// Creates `n` coroutines, waits until all are parked, wakes each, joins each. Tells `progress` every second how many are parked.
pub fn crowd(n: usize, progress: impl Fn(usize)) -> Crowd {
    let gate = Arc::new(Gate {
        arrived: AtomicUsize::new(0),
        open: AtomicBool::new(false),
        keeper: corun::current(),
    });
    let (memory, start) = (system::memory(), Instant::now());
    let mut handles = Vec::with_capacity(n);
    for index in 0..n {
        let gate = Arc::clone(&gate);
        handles.push(corun::spawn(move || {
            if gate.arrived.fetch_add(1, SeqCst) + 1 == n {
                gate.keeper.unpark();
            }
            while !gate.open.load(SeqCst) {
                corun::park();
            }
            index
        }));
    }
    let mut told = start;
    while gate.arrived.load(SeqCst) < n {
        corun::park_timeout(Duration::from_secs(1));
        if told.elapsed() >= Duration::from_secs(1) {
            progress(gate.arrived.load(SeqCst));
            told = Instant::now();
        }
    }
    let (create, bytes) = (start.elapsed(), system::memory().saturating_sub(memory));

    let start = Instant::now();
    gate.open.store(true, SeqCst);
    for handle in &handles {
        handle.coroutine().unpark();
    }
    let sum: usize = handles
        .into_iter()
        .map(|handle| handle.join().expect("no panic"))
        .sum();
    assert_eq!(sum, n * (n - 1) / 2, "each has come back, once");
    let each = |time: Duration| Duration::from_nanos((time.as_nanos() / n as u128) as u64);
    Crowd {
        create: each(create),
        wake: each(start.elapsed()),
        bytes: bytes / n as u64,
    }
}

/// Adds up a table by eight coroutines that borrow it, each writing to a place of its own on this stack.
pub fn borrow() -> u64 {
    let table: Vec<u64> = (1..=1_000_000).collect();
    let mut sums = [0; 8];
    corun::scope(|scope| {
        for (part, sum) in table.chunks(table.len() / 8).zip(&mut sums) {
            scope.spawn(move || *sum = part.iter().sum());
        }
    });
    sums.iter().sum()
}

/// How late the timers of a storm were.
pub struct Storm {
    pub median: Duration,
    pub worst: Duration,
    pub early: usize,
}

/// `n` coroutines sleep until moments spread over a second.
pub fn storm(n: u64) -> Storm {
    let start = Instant::now() + Duration::from_millis(500);
    let sleepers: Vec<_> = (0..n)
        .map(|index| {
            // A permutation of the moments, so that neighbours in the crowd are no neighbours in time.
            let deadline = start + Duration::from_nanos(index * 7_919 % n * (1_000_000_000 / n));
            corun::spawn(move || {
                corun::sleep_until(deadline);
                let now = Instant::now();
                (now.saturating_duration_since(deadline), now < deadline)
            })
        })
        .collect();
    let mut lateness: Vec<_> = sleepers
        .into_iter()
        .map(|sleeper| sleeper.join().expect("no panic"))
        .collect();
    lateness.sort();
    Storm {
        median: lateness[lateness.len() / 2].0,
        worst: lateness[lateness.len() - 1].0,
        early: lateness.iter().filter(|(_, early)| *early).count(),
    }
}

/// The time of one switch when `n` coroutines of one worker do nothing but give way. Runs on a plain thread.
pub fn switch(n: u32) -> std::io::Result<Duration> {
    const TURNS: u32 = 2_000;
    let runtime = corun::Runtime::builder().workers(1).build()?;
    Ok(runtime.block_on(move || {
        let start = Instant::now();
        let turn = || (0..TURNS).for_each(|_| corun::yield_now());
        let crowd: Vec<_> = (0..n).map(|_| corun::spawn_local(turn)).collect();
        crowd
            .into_iter()
            .for_each(|one| one.join().expect("no panic"));
        start.elapsed() / (n * TURNS)
    }))
}
