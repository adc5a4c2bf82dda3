//! Soak: spawns, cancellations and time limits over and over, in flat memory.
//!
//! `CORUN_SOAK_CYCLES` says how many; 10,000,000 take some minutes in an optimised build.
#![cfg(target_os = "linux")]

mod child;

use std::time::Duration;
use std::{env, fs};

use corun::{CancelToken, Cancelled, Runtime};

const DRIVERS: usize = 64;

/// Kilobytes that the process has in memory.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .parse()
        .unwrap()
}

/// A value that must be dropped wherever it was.
struct Held(#[allow(dead_code, reason = "takes memory")] Box<[u8; 64]>);

fn cycle(number: usize) {
    let held = Held(Box::new([1; 64]));
    match number % 8 {
        0 => {
            let child = corun::spawn(move || {
                let _held = held;
                corun::park();
            });
            corun::yield_now();
            child.cancel();
            assert!(child.join().unwrap_err().is::<Cancelled>());
        }
        1 => {
            // Most likely it has not started.
            let child = corun::spawn(move || {
                let _held = held;
                corun::park();
            });
            child.cancel();
            assert!(child.join().unwrap_err().is::<Cancelled>());
        }
        2 => {
            let late = corun::timeout(Duration::from_micros(20), || {
                let _held = held;
                corun::park();
            });
            assert!(late.is_err());
        }
        3 => {
            let in_time = corun::timeout(Duration::from_secs(60), || {
                corun::spawn(move || drop(held)).join()
            });
            in_time.unwrap().unwrap();
        }
        4 => {
            let token = CancelToken::new();
            let child = token.child();
            let other = corun::spawn(move || token.cancel());
            let outcome = child.run(|| {
                let _held = held;
                corun::park();
            });
            assert!(outcome.is_err());
            other.join().unwrap();
        }
        5 => {
            let late = corun::timeout(Duration::from_micros(20), || {
                corun::scope(|scope| {
                    scope.spawn(move || {
                        let _held = held;
                        corun::park();
                    });
                });
            });
            assert!(late.is_err());
        }
        6 => {
            let (sender, receiver) = corun::channel::bounded::<Held>(1);
            let child = corun::spawn(move || receiver.iter().for_each(drop));
            sender.send(held).unwrap();
            child.cancel();
            let _ = child.join();
        }
        _ => {
            let task = corun::spawn_async(async move {
                let _held = held;
                std::future::pending::<()>().await;
            });
            task.cancel();
            assert!(task.join().is_err());
        }
    }
}

fn cycles(runtime: &Runtime, count: usize) {
    runtime.block_on(|| {
        corun::scope(|scope| {
            for driver in 0..DRIVERS {
                scope.spawn(move || {
                    for number in 0..count / DRIVERS {
                        cycle(number + driver);
                    }
                });
            }
        });
    });
}

#[test]
fn memory_stays_flat() {
    // What an emulator keeps of the code that it has translated would be counted as well.
    let (least, slack) = if child::is_emulated() {
        (4_000, usize::MAX / 2)
    } else {
        (40_000, 4096)
    };
    let count = env::var("CORUN_SOAK_CYCLES").map_or(least, |count| count.parse().unwrap());
    let runtime = Runtime::builder().workers(2).build().unwrap();
    // All that is kept for the next one is there after this.
    cycles(&runtime, (count / 10).max(least / 2));
    let before = resident();
    for tenth in 1..=10 {
        cycles(&runtime, count / 10);
        println!("{tenth}/10 of {count} cycles: {} KiB", resident());
    }
    let after = resident();
    runtime.shutdown(Duration::from_secs(60)).unwrap();
    assert!(after < before + slack, "{before} KiB became {after} KiB");
}
