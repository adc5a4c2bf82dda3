//! A runtime whose coroutines all wait does nothing at all: neither its workers nor the thread that watches them wake up.
#![cfg(target_os = "linux")]

mod threads;

use std::time::Duration;

/// One test, as what it counts belongs to the process.
#[test]
fn nobody_wakes_up_while_everybody_waits() {
    let runtime = corun::Runtime::builder()
        .workers(2)
        .thread_name("quiet")
        .build()
        .unwrap();
    let waiting: Vec<_> = (0..1000).map(|_| runtime.spawn(corun::park)).collect();
    threads::until("two workers and a watch thread", || {
        threads::sleeps("quiet").len() == 3
    });
    // Unused stacks are given back first, and the watch thread takes a few samples. Then there is silence for as long as this looks, which
    // is thirty times the interval of those samples.
    threads::until("quiet", || {
        let before = threads::sleeps("quiet");
        std::thread::sleep(Duration::from_millis(300));
        threads::sleeps("quiet") == before
    });
    for one in waiting {
        one.coroutine().unpark();
        one.join().unwrap();
    }
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
