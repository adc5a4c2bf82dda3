//! A runtime that has ended gives back its threads, descriptors and memory, however it ended.
#![cfg(target_os = "linux")]

mod child;

use std::time::{Duration, Instant};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

/// Resident memory in KiB.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn live(runtime: &corun::Runtime) {
    runtime.block_on(|| {
        let handles: Vec<_> = (0..50)
            .map(|n| corun::spawn(move || corun::blocking(|| n)))
            .collect();
        assert_eq!(
            handles
                .into_iter()
                .map(|handle| handle.join().unwrap())
                .sum::<u32>(),
            1225
        );
        corun::sleep(Duration::from_micros(10));
    });
}

/// One test, as what it counts belongs to the process.
#[test]
fn threads_descriptors_and_memory() {
    // An emulator keeps memory of its own for each thread that has been.
    if child::is_emulated() {
        return;
    }
    let one_life = |shut_down: bool| {
        let runtime = corun::Runtime::builder()
            .workers(3)
            .max_blocking_threads(4)
            .build()
            .unwrap();
        live(&runtime);
        if shut_down {
            runtime.shutdown(Duration::from_secs(60)).unwrap();
        }
    };
    let settle = |before: (usize, usize)| {
        // A dropped runtime ends by itself; the last steps of a thread come after it has said that it has ended.
        let start = Instant::now();
        while threads() > before.1 || descriptors() > before.0 {
            assert!(
                start.elapsed() < Duration::from_secs(60),
                "{} threads, {} descriptors, before {before:?}",
                threads(),
                descriptors()
            );
            std::thread::yield_now();
        }
    };
    let before = (descriptors(), threads());
    for shut_down in [true, false] {
        for _ in 0..20 {
            one_life(shut_down);
        }
        settle(before);
        let memory = resident();
        for _ in 0..200 {
            one_life(shut_down);
        }
        settle(before);
        let grown = resident().saturating_sub(memory);
        assert!(grown < 2048, "{grown} KiB more after 200 runtimes");
    }
}
