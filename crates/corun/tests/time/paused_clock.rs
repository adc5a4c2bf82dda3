//! A paused clock: time jumps from deadline to deadline while everything waits, in order, on any number of workers, and stands still
//! while anything runs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::time::{advance, now, pause, resume};
use corun::{sleep, spawn, timeout};

const HOUR: Duration = Duration::from_secs(3600);

/// All of a test's virtual hours have to pass in far less real time.
fn in_no_time(body: impl FnOnce()) {
    let start = Instant::now();
    body();
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[corun::test(start_paused, workers = [1, 2, 8])]
fn a_sleep_takes_exactly_its_time() {
    in_no_time(|| {
        let start = now();
        assert_eq!(now(), start, "it stands still");
        // The first moments after the start are no exception.
        sleep(Duration::from_nanos(1));
        assert_eq!(now() - start, Duration::from_nanos(1));
        let start = now();
        sleep(HOUR);
        assert_eq!(now() - start, HOUR);
        sleep(Duration::from_nanos(1));
        assert_eq!(now() - start, HOUR + Duration::from_nanos(1));
        sleep(Duration::ZERO);
        corun::sleep_until(start);
        assert_eq!(now() - start, HOUR + Duration::from_nanos(1));
        corun::park_timeout(HOUR);
        assert_eq!(now() - start, 2 * HOUR + Duration::from_nanos(1));
    });
}

#[corun::test(start_paused = true, workers = [1, 2, 8])]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    in_no_time(|| {
        let order = std::sync::Arc::new(Mutex::new(Vec::new()));
        let start = now();
        let handles: Vec<_> = (0..200_u64)
            .map(|n| {
                let seconds = (n * 7919) % 1000;
                let order = order.clone();
                spawn(move || {
                    sleep(Duration::from_secs(seconds));
                    assert_eq!(now() - start, Duration::from_secs(seconds));
                    order.lock().unwrap().push(seconds);
                })
            })
            .collect();
        for handle in handles {
            handle.join().unwrap();
        }
        assert!(order.lock().unwrap().is_sorted());
    });
}

/// A computation, and a closure of `blocking`, take no time, however long they take.
#[corun::test(start_paused, workers = [1, 2, 8])]
fn it_stands_still_while_anything_runs() {
    let sleeper = spawn(|| {
        sleep(HOUR);
        now()
    });
    let start = now();
    let real = Instant::now();
    while real.elapsed() < Duration::from_millis(5) {
        corun::yield_now();
    }
    assert_eq!(now(), start);
    assert_eq!(
        corun::blocking(|| {
            std::thread::sleep(Duration::from_millis(5));
            7
        }),
        7
    );
    assert_eq!(now(), start);
    assert!(!sleeper.is_finished());
    assert_eq!(sleeper.join().unwrap() - start, HOUR);
}

#[corun::test(start_paused, workers = [1, 2, 8])]
fn timeouts_go_by_it() {
    in_no_time(|| {
        let start = now();
        assert!(timeout(HOUR, corun::park).is_err());
        assert_eq!(now() - start, HOUR);
        assert_eq!(timeout(2 * HOUR, || sleep(HOUR)), Ok(()));
        assert!(timeout(HOUR, || sleep(2 * HOUR)).is_err());
        assert_eq!(now() - start, 3 * HOUR);
    });
}

#[corun::test(start_paused, workers = [1, 2, 8])]
fn advancing_runs_what_has_become_due() {
    let done = std::sync::Arc::new(AtomicUsize::new(0));
    let start = now();
    for n in 1..=10 {
        let done = done.clone();
        drop(spawn(move || {
            sleep(n * HOUR);
            corun::yield_now();
            spawn(move || done.fetch_add(1, Ordering::Relaxed))
                .join()
                .unwrap();
        }));
    }
    for n in 1..=10 {
        advance(HOUR - Duration::from_nanos(1));
        assert_eq!(done.load(Ordering::Relaxed), n - 1);
        advance(Duration::from_nanos(1));
        assert_eq!(done.load(Ordering::Relaxed), n);
    }
    assert_eq!(now() - start, 10 * HOUR);
}

#[corun::test(workers = [1, 2, 8])]
fn pausing_and_going_on() {
    in_no_time(|| {
        let start = now();
        pause();
        pause();
        let paused = now();
        assert!(paused - start < HOUR);
        sleep(HOUR);
        assert_eq!(now() - paused, HOUR);
        resume();
        let real = Instant::now();
        let before = now();
        assert!(before - paused >= HOUR);
        sleep(Duration::from_millis(5));
        assert!(now() - before >= Duration::from_millis(5));
        assert!(real.elapsed() >= Duration::from_millis(5));
        // From where it stands by now.
        pause();
        let again = now();
        assert!(again >= before);
        sleep(HOUR);
        assert_eq!(now() - again, HOUR);
    });
}

/// Who sleeps in real time while the clock is stopped, and in stopped time while it goes on.
#[corun::test(workers = [1, 2, 8])]
fn sleepers_of_both_times() {
    in_no_time(|| {
        let (short, long) = (Duration::from_millis(20), HOUR);
        let (start, first) = (now(), spawn(move || sleep(long)));
        sleep(short);
        pause();
        first.join().unwrap();
        assert!(now() - start >= long);
        let second = spawn(move || sleep(short));
        corun::yield_now();
        resume();
        second.join().unwrap();
    });
}

#[corun::test]
#[should_panic(expected = "the clock is not paused")]
fn advancing_a_clock_that_goes() {
    advance(HOUR);
}

#[corun::test]
#[should_panic(expected = "the clock is not paused")]
fn resuming_a_clock_that_goes() {
    resume();
}

#[test]
#[should_panic(expected = "by a coroutine of its runtime")]
fn pausing_on_a_plain_thread() {
    pause();
}

#[test]
fn other_runtimes_and_threads_keep_their_time() {
    let paused = corun::Runtime::builder()
        .workers(1)
        .start_paused(true)
        .build()
        .unwrap();
    let going = corun::Runtime::builder().workers(1).build().unwrap();
    paused.block_on(|| sleep(HOUR));
    let start = now();
    assert!(going.block_on(now) - start < HOUR);
    assert!(paused.block_on(now) >= start);
    let real = Instant::now();
    going.block_on(|| sleep(Duration::from_millis(5)));
    assert!(real.elapsed() >= Duration::from_millis(5));
}

/// Many coroutines that sleep, wake each other and spawn on eight workers: no step is missed, else it would hang.
#[corun::test(start_paused, workers = [1, 2, 8])]
fn a_day_of_a_busy_world() {
    in_no_time(|| {
        let start = now();
        let worlds: Vec<_> = (1..=40_u32)
            .map(|n| {
                spawn(move || {
                    let end = now() + 24 * HOUR;
                    let mut rounds = 0;
                    while now() < end {
                        sleep(Duration::from_secs(u64::from(n) * 60));
                        let child = spawn(|| {
                            sleep(Duration::from_secs(1));
                            corun::park_timeout(Duration::from_millis(1));
                        });
                        assert!(timeout(Duration::from_millis(500), corun::park).is_err());
                        child.join().unwrap();
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        for (n, world) in (1..).zip(worlds) {
            let a_round = n * 60_000 + 1001;
            assert_eq!(
                world.join().unwrap(),
                (24 * 3_600_000_u32).div_ceil(a_round)
            );
        }
        assert!(now() - start >= 24 * HOUR);
    });
}
