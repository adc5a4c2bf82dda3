//! `park` and `unpark`: one token, as with std.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[corun::test(workers = [1, 2, 8])]
fn a_token_that_comes_first_is_kept() {
    corun::current().unpark();
    corun::park();
}

#[corun::test(workers = [1, 2, 8])]
fn there_is_one_token_at_the_most() {
    for _ in 0..5 {
        corun::current().unpark();
    }
    corun::park();
    // The second finds none, and so waits for its time.
    let start = Instant::now();
    corun::park_timeout(Duration::from_millis(10));
    assert!(start.elapsed() >= Duration::from_millis(10));
}

#[corun::test(workers = [1, 2, 8])]
fn unpark_wakes_from_anywhere() {
    let flag = Arc::new(AtomicBool::new(false));
    let parked = corun::spawn({
        let flag = flag.clone();
        move || {
            while !flag.load(Ordering::Acquire) {
                corun::park();
            }
        }
    });
    let handle = parked.coroutine().clone();
    corun::spawn(move || {
        flag.store(true, Ordering::Release);
        handle.unpark();
    });
    parked.join().unwrap();

    let parked = corun::spawn(corun::park);
    let handle = parked.coroutine().clone();
    std::thread::spawn(move || handle.unpark());
    parked.join().unwrap();
}

#[corun::test(workers = [1, 2, 8])]
fn a_plain_thread_parks_and_is_woken_by_a_coroutine() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let thread = std::thread::spawn(move || {
        sender.send(corun::current()).unwrap();
        corun::park();
        let start = Instant::now();
        corun::park_timeout(Duration::from_millis(3));
        assert!(start.elapsed() >= Duration::from_millis(3));
    });
    let handle = corun::blocking(move || receiver.recv().unwrap());
    handle.unpark();
    corun::blocking(move || thread.join().unwrap());
}

#[corun::test(workers = [1, 2, 8])]
fn a_timeout_is_never_early_and_a_token_ends_it() {
    for micros in [0, 1, 100, 2000] {
        let timeout = Duration::from_micros(micros);
        let start = Instant::now();
        corun::park_timeout(timeout);
        assert!(start.elapsed() >= timeout);
    }
    let start = Instant::now();
    corun::current().unpark();
    corun::park_timeout(Duration::from_secs(3600));
    let waker = corun::current();
    corun::spawn(move || waker.unpark());
    corun::park_timeout(Duration::from_secs(3600));
    corun::current().unpark();
    corun::park_timeout(Duration::MAX);
    assert!(start.elapsed() < Duration::from_secs(600));
}

#[corun::test(workers = [1, 2, 8])]
fn other_waits_leave_the_token_alone() {
    corun::current().unpark();
    corun::sleep(Duration::from_millis(1));
    corun::spawn(|| ()).join().unwrap();
    corun::blocking(|| ());
    corun::yield_now();
    // Still there.
    corun::park();
    // And a wake-up during another wait does not end that wait.
    let me = corun::current();
    let start = Instant::now();
    corun::spawn(move || me.unpark());
    corun::sleep(Duration::from_millis(5));
    assert!(start.elapsed() >= Duration::from_millis(5));
    corun::park();
}

#[corun::test(workers = [1, 2, 8])]
fn two_pass_the_turn_back_and_forth() {
    const ROUNDS: usize = 5000;
    let turn = Arc::new(AtomicUsize::new(0));
    let player =
        |side: usize, turn: Arc<AtomicUsize>, other: Arc<std::sync::OnceLock<corun::Coroutine>>| {
            move || {
                for round in 0..ROUNDS {
                    while turn.load(Ordering::Acquire) != 2 * round + side {
                        corun::park();
                    }
                    turn.fetch_add(1, Ordering::Release);
                    if let Some(other) = other.get() {
                        other.unpark();
                    }
                }
            }
        };
    let (to_first, to_second) = (
        Arc::new(std::sync::OnceLock::new()),
        Arc::new(std::sync::OnceLock::new()),
    );
    let first = corun::spawn(player(0, turn.clone(), to_second.clone()));
    let second = corun::spawn(player(1, turn.clone(), to_first.clone()));
    to_first.set(first.coroutine().clone()).unwrap();
    to_second.set(second.coroutine().clone()).unwrap();
    // Whatever was missed before the handles were there.
    first.coroutine().unpark();
    second.coroutine().unpark();
    first.join().unwrap();
    second.join().unwrap();
    assert_eq!(turn.load(Ordering::Relaxed), 2 * ROUNDS);
}

#[corun::test(workers = [1, 2, 8])]
fn wake_ups_race_with_timeouts_and_none_is_lost() {
    const ROUNDS: usize = 300;
    let done = Arc::new(AtomicUsize::new(0));
    let waiter = corun::spawn({
        let done = done.clone();
        move || {
            for round in 0..ROUNDS {
                while done.load(Ordering::Acquire) <= round {
                    corun::park_timeout(Duration::from_micros(20));
                }
            }
        }
    });
    let handle = waiter.coroutine().clone();
    let waker = std::thread::spawn(move || {
        for _ in 0..ROUNDS {
            done.fetch_add(1, Ordering::Release);
            handle.unpark();
            for _ in 0..500 {
                std::hint::spin_loop();
            }
        }
    });
    waiter.join().unwrap();
    corun::blocking(move || waker.join().unwrap());
}
