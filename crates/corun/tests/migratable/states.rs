//! What a coroutine says of its own state: it runs, on whichever worker it has come to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::State;

use crate::{everywhere, runtime, spawn, thread_id};

#[track_caller]
fn assert_running() {
    assert_eq!(corun::current().state(), State::Running);
}

#[test]
fn who_asks_for_its_own_state_runs() {
    everywhere(|| {
        let all: Vec<_> = (0..16)
            .map(|_| {
                spawn(|| {
                    assert_running();
                    for round in 0..50 {
                        corun::yield_now();
                        assert_running();
                        if round % 10 == 0 {
                            corun::sleep(Duration::from_micros(50));
                            assert_running();
                        }
                    }
                    let (give, take) = corun::channel::bounded(0);
                    let giver = spawn(move || give.send(()).unwrap());
                    take.recv().unwrap();
                    assert_running();
                    giver.join().unwrap();
                    assert_running();
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

/// The same where it is known to have changed its thread.
#[test]
fn who_has_moved_runs_as_well() {
    static MOVED: AtomicUsize = AtomicUsize::new(0);
    for workers in [2, 8] {
        MOVED.store(0, Ordering::Relaxed);
        runtime(workers).block_on(|| {
            while MOVED.load(Ordering::Relaxed) < 20 {
                let all: Vec<_> = (0..32)
                    .map(|_| {
                        spawn(|| {
                            let first = thread_id();
                            for _ in 0..20 {
                                corun::yield_now();
                                assert_running();
                                if thread_id() != first {
                                    MOVED.fetch_add(1, Ordering::Relaxed);
                                    return;
                                }
                            }
                        })
                    })
                    .collect();
                all.into_iter().for_each(|one| one.join().unwrap());
            }
        });
    }
}
