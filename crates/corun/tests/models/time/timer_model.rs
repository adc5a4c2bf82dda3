//! `time/timer.rs`: who waits learns of every change, a time is delivered once, and nobody touches a waiter that has gone.
//!
//! Here time does not pass: a deadline is due from the beginning, or never.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checker::thread;

use super::timer::Timer;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

const NEVER: Duration = Duration::from_secs(1 << 30);

/// A coroutine waits for a time that never comes, and another thread sets one that is there.
fn moved() {
    let timer = Arc::new(Timer::new(NEVER));
    let due = Instant::now();
    let other = thread::spawn({
        let timer = Arc::clone(&timer);
        move || assert!(timer.reset_at(due))
    });
    Worker::run(&Shared::new(), || {
        assert_eq!(timer.wait(), due);
        other.join().unwrap();
    });
}

/// As before, but the time is taken back in between; it may have been had by then.
fn stopped_and_set_again() {
    let due = Instant::now();
    let timer = Arc::new(Timer::at(due));
    let other = thread::spawn({
        let timer = Arc::clone(&timer);
        move || {
            if timer.stop() {
                assert!(!timer.reset_at(due));
            }
        }
    });
    Worker::run(&Shared::new(), || {
        timer.wait();
        other.join().unwrap();
    });
    assert_eq!(
        timer.deadline(),
        None,
        "delivered once, and set no more often"
    );
}

/// Two take what is there once.
fn shared() {
    let timer = Arc::new(Timer::new(Duration::ZERO));
    let other = thread::spawn({
        let timer = Arc::clone(&timer);
        move || timer.try_wait().is_some()
    });
    let here = timer.try_wait().is_some();
    assert!(here ^ other.join().unwrap());
}

#[test]
fn a_waiter_learns_of_a_change() {
    check(2, moved);
}

#[test]
fn a_time_that_is_taken_back_is_not_delivered() {
    check(2, stopped_and_set_again);
}

#[test]
fn a_time_is_delivered_to_one() {
    check(3, shared);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_a_waiter_is_touched_after_it_has_gone() {
    with_mistake(Mistake::Relaxed, || check(2, moved));
}

/// Loom alone does not find it (`blind_spot.rs`).
#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_loads_it_is_too() {
    with_mistake(Mistake::RelaxedLoads, || check(2, moved));
}
