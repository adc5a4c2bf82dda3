//! Looking at the threads of this process by their names.
#![allow(dead_code, reason = "each test uses a part")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

/// How often each thread whose name begins so has gone to sleep, by its number.
pub fn sleeps(name: &str) -> BTreeMap<i32, u64> {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    threads
        .filter_map(|thread| {
            // A thread may end meanwhile.
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find(|line| line.starts_with(name))?;
                Some(line.split_whitespace().nth(1)?.to_owned())
            };
            field("Name:")?.starts_with(name).then_some(())?;
            let count = field("voluntary_ctxt_switches:")?.parse().ok()?;
            Some((field("Pid:")?.parse().ok()?, count))
        })
        .collect()
}

/// Waits until something holds; how long that takes does not matter.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::yield_now();
    }
}
