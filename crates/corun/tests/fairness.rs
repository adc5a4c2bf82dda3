//! Whatever keeps a worker busy, everything else that is ready has its turn after a bounded number of switches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use corun::Runtime;

/// So many rounds of a busy coroutine are more than any turn has to wait for.
const BOUND: usize = 100_000;

fn on_one_worker<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let result = runtime.block_on(body);
    runtime.shutdown(Duration::from_secs(20)).unwrap();
    result
}

/// Runs rounds of `busy` until `is_done`. `shift` puts the rounds at another phase of whatever the worker counts.
fn keep_busy(shift: usize, busy: impl Fn(), is_done: impl Fn() -> bool) -> usize {
    (0..shift).for_each(|_| corun::yield_now());
    let mut rounds = 0;
    while !is_done() {
        busy();
        rounds += 1;
        assert!(rounds < BOUND, "starved");
    }
    rounds
}

fn spawn_and_join() {
    corun::spawn(|| ()).join().unwrap();
}

#[test]
fn a_loop_of_spawns_and_joins_starves_no_started_coroutine() {
    for shift in 0..4 {
        on_one_worker(move || {
            let done = Arc::new(AtomicBool::new(false));
            let other = corun::spawn({
                let done = Arc::clone(&done);
                move || {
                    (0..10).for_each(|_| corun::yield_now());
                    done.store(true, Ordering::Relaxed);
                }
            });
            corun::yield_now();
            keep_busy(shift, spawn_and_join, || done.load(Ordering::Relaxed));
            other.join().unwrap();
        });
    }
}

#[test]
fn a_loop_of_spawns_and_joins_starves_no_fresh_coroutine() {
    for shift in 0..4 {
        on_one_worker(move || {
            let done = Arc::new(AtomicBool::new(false));
            let fresh = corun::spawn({
                let done = Arc::clone(&done);
                move || done.store(true, Ordering::Relaxed)
            });
            keep_busy(shift, spawn_and_join, || done.load(Ordering::Relaxed));
            fresh.join().unwrap();
        });
    }
}

#[test]
fn a_loop_of_spawns_and_joins_starves_no_wake_up_by_a_thread() {
    for shift in 0..4 {
        on_one_worker(move || {
            let done = Arc::new(AtomicBool::new(false));
            let sleeper = corun::spawn({
                let done = Arc::clone(&done);
                move || {
                    corun::park();
                    done.store(true, Ordering::Relaxed);
                }
            });
            while sleeper.coroutine().state() != corun::State::Suspended {
                corun::yield_now();
            }
            let coroutine = sleeper.coroutine().clone();
            std::thread::spawn(move || coroutine.unpark())
                .join()
                .unwrap();
            keep_busy(shift, spawn_and_join, || done.load(Ordering::Relaxed));
            sleeper.join().unwrap();
        });
    }
}

#[test]
fn a_loop_of_spawns_and_joins_starves_no_timer() {
    for shift in 0..4 {
        on_one_worker(move || {
            let done = Arc::new(AtomicBool::new(false));
            let sleeper = corun::spawn({
                let done = Arc::clone(&done);
                move || {
                    corun::sleep(Duration::from_micros(100));
                    done.store(true, Ordering::Relaxed);
                }
            });
            corun::yield_now();
            // The timer is due after the first rounds at the latest.
            std::thread::sleep(Duration::from_millis(1));
            keep_busy(shift, spawn_and_join, || done.load(Ordering::Relaxed));
            sleeper.join().unwrap();
        });
    }
}

#[test]
fn a_chain_of_local_spawns_starves_nobody() {
    fn link(done: Arc<AtomicBool>) {
        if !done.load(Ordering::Relaxed) {
            corun::spawn_local(move || link(done));
        }
    }
    on_one_worker(|| {
        let done = Arc::new(AtomicBool::new(false));
        link(Arc::clone(&done));
        // Not joined, as a joiner would start it at once.
        let other = corun::spawn({
            let done = Arc::clone(&done);
            move || done.store(true, Ordering::Relaxed)
        });
        keep_busy(0, corun::yield_now, || done.load(Ordering::Relaxed));
        other.join().unwrap();
    });
}

#[test]
fn coroutines_from_outside_start_while_all_workers_are_busy() {
    const COUNT: usize = 100;
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let handle = runtime.handle().clone();
    let started = Arc::new(AtomicUsize::new(0));
    let is_done = {
        let started = Arc::clone(&started);
        move || started.load(Ordering::Relaxed) == COUNT
    };
    let rounds = runtime.block_on(move || {
        // So that the run queue is never empty.
        let other = corun::spawn({
            let is_done = is_done.clone();
            move || {
                while !is_done() {
                    corun::yield_now()
                }
            }
        });
        corun::yield_now();
        std::thread::spawn(move || {
            for _ in 0..COUNT {
                let started = Arc::clone(&started);
                handle.spawn(move || started.fetch_add(1, Ordering::Relaxed));
            }
        })
        .join()
        .unwrap();
        let rounds = keep_busy(0, corun::yield_now, is_done);
        other.join().unwrap();
        rounds
    });
    assert!(
        rounds < COUNT * 1000,
        "{rounds} switches for {COUNT} coroutines"
    );
    runtime.shutdown(Duration::from_secs(20)).unwrap();
}
