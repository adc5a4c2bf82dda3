//! When stalls are over the spare workers go, and an idle runtime does nothing at all.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How often each thread with our name has gone to sleep, by its number.
fn sleeps() -> BTreeMap<String, u64> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    threads
        .filter_map(|thread| {
            // A thread may end meanwhile.
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name))?;
                Some(line.split_whitespace().nth(1)?.to_owned())
            };
            field("Name:")?.starts_with("spared").then_some(())?;
            let count = field("voluntary_ctxt_switches:")?.parse().unwrap();
            Some((field("Pid:")?, count))
        })
        .collect()
}

/// Waits until something holds; how long that takes does not matter.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}

/// One test, as what it counts belongs to the process.
#[test]
fn spare_workers_end_and_idle_threads_sleep() {
    let runtime = corun::Runtime::builder()
        .workers(2)
        .thread_name("spared")
        .on_stall(|_| ())
        .build()
        .unwrap();
    until("two workers and a watch thread", || sleeps().len() == 3);

    let stop = Arc::new(AtomicBool::new(false));
    let spinners: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            runtime.spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    until("a spare worker for the third", || sleeps().len() > 3);
    stop.store(true, Ordering::Relaxed);
    for spinner in spinners {
        spinner.join().unwrap();
    }
    until("no spare worker", || sleeps().len() == 3);

    // Nobody wakes up for as long as this looks, which is many of the watch thread's samples.
    until("quiet", || {
        let before = sleeps();
        std::thread::sleep(Duration::from_millis(300));
        sleeps() == before
    });
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
