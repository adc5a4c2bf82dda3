//! `timeout` ends every kind of wait, on plain threads and on 1, 2 and 8 workers, never early; and what is done in time is returned.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::common::{everywhere, takes_at_least};
use corun::time::{Elapsed, now};
use corun::{timeout, timeout_at};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(3600);

/// The wait takes its time and no longer, and nothing behind it runs.
fn ends<T>(wait: impl FnOnce() -> T) {
    let went_on = Cell::new(false);
    let result = takes_at_least(SHORT, || {
        timeout(SHORT, || {
            wait();
            went_on.set(true);
        })
    });
    assert!(result.is_err());
    assert!(!went_on.get());
}

#[test]
fn sleeps() {
    everywhere(|_| {
        ends(|| corun::sleep(LONG));
        ends(|| corun::sleep(Duration::MAX));
        ends(|| corun::sleep_until(now() + LONG));
    });
}

#[test]
fn parking() {
    everywhere(|_| {
        ends(corun::park);
        ends(|| corun::park_timeout(LONG));
        ends(|| corun::park_timeout(Duration::MAX));
    });
}

#[test]
fn a_token_that_came_too_late_is_kept() {
    everywhere(|place| {
        ends(corun::park);
        let me = corun::current();
        place.spawn(move || me.unpark()).join();
        assert_eq!(timeout(LONG, corun::park), Ok(()));
    });
}

#[test]
fn a_join_is_given_up_and_the_coroutine_goes_on() {
    everywhere(|_| {
        let (finish, wait) = mpsc::channel::<()>();
        let (done, is_done) = mpsc::channel();
        let handle = corun::spawn(move || {
            while wait.try_recv() == Err(mpsc::TryRecvError::Empty) {
                corun::sleep(Duration::from_micros(100));
            }
            done.send("done").unwrap();
        });
        ends(|| handle.join());
        finish.send(()).unwrap();
        assert_eq!(corun::blocking(move || is_done.recv()), Ok("done"));
    });
}

#[test]
fn a_join_in_time_has_the_result() {
    everywhere(|_| {
        // Not started, running or ended when it is joined.
        let fresh = corun::spawn(|| 1);
        assert_eq!(timeout(LONG, || fresh.join().unwrap()), Ok(1));
        let sleeper = corun::spawn(|| {
            corun::sleep(SHORT);
            2
        });
        assert_eq!(timeout(LONG, || sleeper.join().unwrap()), Ok(2));
        let ended = corun::spawn(|| 3);
        while !ended.is_finished() {
            corun::yield_now();
        }
        assert_eq!(timeout(Duration::ZERO, || ended.join().unwrap()), Ok(3));
        let failing = corun::spawn(|| std::panic::resume_unwind(Box::new("its own panic")));
        let outcome: Result<std::thread::Result<()>, Elapsed> = timeout(LONG, || failing.join());
        let payload = outcome.unwrap().unwrap_err();
        assert_eq!(payload.downcast_ref(), Some(&"its own panic"));
    });
}

/// Of joins that end when their time does, each has the value or has given up.
#[test]
fn joins_that_end_together_with_their_time() {
    everywhere(|_| {
        let mut outcomes = [0; 2];
        for round in 0..300 {
            let time = Duration::from_micros(round % 150);
            let child = corun::spawn(move || {
                corun::sleep(time);
                round
            });
            match timeout(time, || child.join().unwrap()) {
                Ok(value) => {
                    assert_eq!(value, round);
                    outcomes[0] += 1;
                }
                Err(_) => outcomes[1] += 1,
            }
        }
        assert_eq!(outcomes.iter().sum::<u32>(), 300);
    });
}

#[test]
fn a_loop_that_only_yields() {
    everywhere(|_| {
        ends(|| {
            loop {
                corun::yield_now();
            }
        });
    });
}

#[test]
fn a_loop_with_checkpoints() {
    everywhere(|_| {
        ends(|| {
            loop {
                corun::checkpoint();
            }
        });
    });
}

#[test]
fn blocking_work_is_waited_for_as_it_may_borrow() {
    everywhere(|_| {
        // However slow the machine is, there is a time in which a thread of the pool comes to it.
        let mut limit = SHORT;
        loop {
            let (began, ran) = (AtomicBool::new(false), AtomicBool::new(false));
            let deadline = now() + limit;
            let result = timeout_at(deadline, || {
                corun::blocking(|| {
                    began.store(true, Ordering::Relaxed);
                    while Instant::now() < deadline {
                        std::thread::yield_now();
                    }
                    ran.store(true, Ordering::Relaxed);
                });
            });
            assert!(result.is_err());
            assert!(now() >= deadline);
            if began.load(Ordering::Relaxed) {
                assert!(ran.load(Ordering::Relaxed), "it was left behind");
                break;
            }
            // It has left the queue.
            limit *= 2;
            assert!(limit < LONG, "no thread comes to it");
        }
        // The time is up already: not even begun.
        let result = timeout(Duration::ZERO, || corun::blocking(|| panic!("it began")));
        assert!(result.is_err());
        assert_eq!(timeout(LONG, || corun::blocking(|| 5)), Ok(5));
    });
}

#[test]
fn what_does_not_wait_is_not_cut_short() {
    everywhere(|_| {
        let result = timeout(SHORT, || {
            let start = now();
            while now() - start < 2 * SHORT {}
            "a value"
        });
        assert_eq!(result, Ok("a value"));
        assert_eq!(timeout(Duration::ZERO, || "at once"), Ok("at once"));
    });
}

#[test]
fn the_operations_own_deadline_is_its_own() {
    everywhere(|_| {
        let result = timeout(LONG, || {
            corun::sleep(SHORT);
            corun::park_timeout(SHORT);
            corun::sleep_until(now() + SHORT);
            "went on"
        });
        assert_eq!(result, Ok("went on"));
    });
}

#[test]
fn afterwards_waits_are_as_before() {
    everywhere(|_| {
        ends(|| corun::sleep(LONG));
        takes_at_least(SHORT, || corun::sleep(SHORT));
        assert_eq!(timeout(LONG, || 1), Ok(1));
        takes_at_least(SHORT, || corun::park_timeout(SHORT));
    });
}

#[test]
#[should_panic(expected = "an ordinary panic")]
fn a_panic_goes_through() {
    let _ = timeout(LONG, || panic!("an ordinary panic"));
}
