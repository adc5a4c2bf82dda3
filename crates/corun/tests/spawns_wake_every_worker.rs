//! Work that can be stolen wakes as many sleeping workers as it needs: no wake-up is lost between one who spawns and one who searches.

use std::sync::{Arc, Barrier};

/// Nobody gets past the barrier of std, which blocks the threads, before each worker runs one of the coroutines.
fn fill_all_workers(rounds: usize) {
    let workers = corun::runtime::Handle::try_current().unwrap().workers();
    for _ in 0..rounds {
        let barrier = Arc::new(Barrier::new(workers));
        let others: Vec<_> = (1..workers)
            .map(|_| {
                let barrier = barrier.clone();
                corun::spawn(move || {
                    barrier.wait();
                })
            })
            .collect();
        barrier.wait();
        for other in others {
            other.join().unwrap();
        }
    }
}

#[corun::test(workers = [1, 2, 3, 4, 8])]
fn from_a_coroutine() {
    fill_all_workers(2000);
}

#[test]
fn from_a_plain_thread() {
    let runtime = corun::Runtime::builder().workers(4).build().unwrap();
    let workers = runtime.handle().workers();
    for _ in 0..2000 {
        let barrier = Arc::new(Barrier::new(workers + 1));
        let all: Vec<_> = (0..workers)
            .map(|_| {
                let barrier = barrier.clone();
                runtime.spawn(move || {
                    barrier.wait();
                })
            })
            .collect();
        barrier.wait();
        for one in all {
            one.join().unwrap();
        }
    }
}
