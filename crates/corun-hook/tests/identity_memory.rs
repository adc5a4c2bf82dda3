//! Thread-locals of coroutines that have ended leave nothing behind. In a process of its own, whose memory is measured.
#![cfg(target_arch = "x86_64")]

use std::cell::RefCell;
use std::fs;
use std::thread;
use std::time::Duration;

thread_local! {
    static MADE: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// In KiB.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.expect("it is there").parse().expect("a number")
}

fn crowds(count: usize) {
    for _ in 0..count {
        let crowd: Vec<_> = (0..100)
            .map(|_| {
                corun::spawn(|| {
                    let use_some = || {
                        MADE.with_borrow_mut(|made| made.resize(100, 1));
                        let _ = thread::current().id();
                        thread::sleep(Duration::from_micros(10));
                    };
                    // SAFETY: nothing is returned.
                    unsafe { corun_hook::as_thread(use_some) }
                })
            })
            .collect();
        for one in crowd {
            one.join().expect("no panic");
        }
    }
}

#[test]
fn nothing_is_left_behind() {
    // SAFETY: nothing here relies on a thread that blocks.
    unsafe { corun_hook::install() };
    let runtime = corun::Runtime::builder().workers(1).build();
    runtime.expect("a runtime").block_on(|| {
        crowds(20);
        let before = resident();
        crowds(200);
        // 20,000 with more than 5 KiB each are 100 MiB.
        let grown = resident().saturating_sub(before);
        assert!(grown < 5_000, "{grown} KiB more");
    });
}
