//! Many at once.

use corun::channel::{bounded, unbounded};

use crate::{runtime, spawn};

#[test]
fn a_hundred_thousand_wait_at_once() {
    // Under the emulator and under Wine, without light guards, 32,000 stacks are all there can be.
    let is_emulated =
        std::env::var_os("CORUN_TEST_RUNNER").is_some_and(|runner| !runner.is_empty());
    let count: usize = if is_emulated { 10_000 } else { 100_000 };
    for workers in [1, 2] {
        runtime(workers).block_on(|| {
            let (gate, closed) = bounded::<()>(0);
            let (here, arrivals) = unbounded();
            let all: Vec<_> = (0..count)
                .map(|n| {
                    let (closed, here) = (closed.clone(), here.clone());
                    spawn(move || {
                        here.send(()).unwrap();
                        closed.recv().unwrap_err();
                        n
                    })
                })
                .collect();
            drop(here);
            assert_eq!(arrivals.iter().take(count).count(), count);
            drop(gate);
            let sum: usize = all.into_iter().map(|one| one.join().unwrap()).sum();
            assert_eq!(sum, count * (count - 1) / 2);
        });
    }
}

#[test]
fn stacks_are_used_again() {
    for workers in [1, 8] {
        runtime(workers).block_on(|| {
            for round in 0..200 {
                let all: Vec<_> = (0..100)
                    .map(|n| {
                        spawn(move || {
                            let deep = [n as u8; 4096];
                            corun::yield_now();
                            deep.iter().map(|&n| usize::from(n)).sum::<usize>()
                        })
                    })
                    .collect();
                for (n, one) in all.into_iter().enumerate() {
                    assert_eq!(one.join().unwrap(), n * 4096, "in round {round}");
                }
            }
        });
    }
}
