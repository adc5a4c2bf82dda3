//! While a coroutine waits for a blocking call, its worker runs others; and the pool grows to what is needed at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};

#[corun::test(workers = [1, 2, 8])]
fn many_calls_run_at_the_same_time() {
    const CALLS: usize = 40;
    // Nobody passes before all have arrived.
    let barrier = Barrier::new(CALLS);
    let leaders = AtomicUsize::new(0);
    corun::scope(|scope| {
        for _ in 0..CALLS {
            scope.spawn(|| {
                if corun::blocking(|| barrier.wait().is_leader()) {
                    leaders.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(leaders.into_inner(), 1);
}

#[corun::test(workers = [1, 2, 8])]
fn the_blocked_call_can_be_released_by_another_coroutine_of_the_worker() {
    let (sender, receiver) = mpsc::channel();
    let waiting = corun::spawn(move || corun::blocking(move || receiver.recv().unwrap()));
    let other = corun::spawn(move || sender.send(42).unwrap());
    other.join().unwrap();
    assert_eq!(waiting.join().unwrap(), 42);
}

#[test]
fn past_the_limit_calls_wait_for_their_turn() {
    const LIMIT: usize = 2;
    let runtime = corun::Runtime::builder()
        .workers(2)
        .max_blocking_threads(LIMIT)
        .build()
        .unwrap();
    let (running, most, done) = (
        AtomicUsize::new(0),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    // A call ends only when the limit was reached once, or all others are done: so the limit is reached.
    let barrier = Barrier::new(LIMIT);
    let (running, most, done, barrier) = (&running, &most, &done, &barrier);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            runtime.block_on(move || {
                corun::scope(|scope| {
                    for _ in 0..100 {
                        scope.spawn(|| {
                            corun::blocking(|| {
                                most.fetch_max(
                                    running.fetch_add(1, Ordering::SeqCst) + 1,
                                    Ordering::SeqCst,
                                );
                                barrier.wait();
                                running.fetch_sub(1, Ordering::SeqCst);
                            });
                            done.fetch_add(1, Ordering::Relaxed);
                        });
                    }
                });
            });
        });
    });
    assert_eq!(
        (most.load(Ordering::Relaxed), done.load(Ordering::Relaxed)),
        (LIMIT, 100)
    );
}
