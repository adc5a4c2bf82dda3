//! Spare workers come when all others are stalled, and their threads end when the stalls are over.
#![cfg(target_os = "linux")]

mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use threads::{sleeps, until};

/// One test, as what it counts belongs to the process.
#[test]
fn spare_workers_come_and_go() {
    let runtime = corun::Runtime::builder()
        .workers(2)
        .thread_name("spared")
        .on_stall(|_| ())
        .build()
        .unwrap();
    until("two workers and a watch thread", || {
        sleeps("spared").len() == 3
    });

    let stop = Arc::new(AtomicBool::new(false));
    let spinners: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            runtime.spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    until("a spare worker for the third", || {
        sleeps("spared").len() > 3
    });
    stop.store(true, Ordering::Relaxed);
    for spinner in spinners {
        spinner.join().unwrap();
    }
    until("no spare worker", || sleeps("spared").len() == 3);
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
