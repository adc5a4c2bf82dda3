//! When many coroutines have ended and the worker is idle, the memory of their stacks goes back to the system.
#![cfg(target_os = "linux")]

mod child;

use std::time::{Duration, Instant};

use corun::runtime::Runtime;

/// Resident memory and page tables, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let field = |name| {
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit())
            .parse::<usize>()
            .unwrap()
            * 1024
    };
    field("VmRSS:") + field("VmPTE:")
}

#[test]
fn after_many_coroutines() {
    const COUNT: usize = 20_000;
    // An emulator has memory of its own beside that of the program.
    if child::is_emulated() {
        return;
    }
    let runtime = Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| ());
    let start = memory();
    let parked: Vec<_> = (0..COUNT).map(|_| runtime.spawn(corun::park)).collect();
    // They start in any order, and each takes its stack when it starts.
    let deadline = Instant::now() + Duration::from_secs(60);
    while memory().saturating_sub(start) < COUNT * 4096 {
        assert!(
            Instant::now() < deadline,
            "{} bytes",
            memory().saturating_sub(start)
        );
        runtime.block_on(corun::yield_now);
    }
    for coroutine in parked {
        coroutine.coroutine().unpark();
        coroutine.join().unwrap();
    }
    // The worker gives memory back once it was idle for a moment, on its own.
    let deadline = Instant::now() + Duration::from_secs(60);
    while memory().saturating_sub(start) > COUNT * 4096 / 5 {
        assert!(
            Instant::now() < deadline,
            "{} bytes are left",
            memory() - start
        );
        std::thread::yield_now();
    }
}
