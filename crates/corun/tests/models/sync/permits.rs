//! `semaphore.rs`: permits are neither lost nor made, whoever gives up.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use crate::checker::thread;

use super::Data;
use super::semaphore::Semaphore;
use crate::cancel::limit::with_deadline;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

/// With one permit a semaphore is a mutex.
fn exclusion(gives_back: bool) {
    check(3, move || {
        let shared = Arc::new((Semaphore::new(1), Data::default()));
        let add = move |shared: &(Semaphore, Data)| {
            let permit = shared.0.acquire().unwrap();
            shared.1.add();
            if gives_back {
                drop(permit);
            } else {
                permit.forget();
            }
        };
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || add(&shared)
        });
        add(&shared);
        other.join().unwrap();
        assert_eq!(shared.1.get(), 2);
        assert_eq!(shared.0.available_permits(), 1);
    });
}

#[test]
fn a_semaphore_of_one_excludes() {
    exclusion(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_permit_that_is_not_given_back_is_waited_for() {
    exclusion(false);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_semaphore_of_relaxed_operations_does_not_exclude() {
    with_mistake(Mistake::Relaxed, || exclusion(true));
}

/// Loom alone does not find it (`blind_spot.rs`).
#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn nor_does_one_of_relaxed_loads() {
    with_mistake(Mistake::RelaxedLoads, || exclusion(true));
}

/// A future that wants two is dropped, while one of them comes, for which somebody waits behind it.
fn dropped_in_front(dropped: bool) {
    check(2, move || {
        let semaphore = Arc::new(Semaphore::new(0));
        let mut greedy = Box::pin(semaphore.acquire_many_async(2));
        let polled = Pin::new(&mut greedy).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let modest = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || {
                semaphore.add_permits(1);
                semaphore.acquire().unwrap().forget();
            }
        });
        if dropped {
            drop(greedy);
            modest.join().unwrap();
        } else {
            modest.join().unwrap();
            drop(greedy);
        }
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn a_future_that_is_dropped_stands_in_nobodys_way() {
    dropped_in_front(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn one_that_is_kept_does() {
    dropped_in_front(false);
}

/// A deadline and a permit at once: the permit was taken, or is there.
#[test]
fn a_wait_that_is_given_up_takes_no_permit() {
    check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let shared = Arc::new(Shared::new());
        let giver = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.add_permits(1)
        });
        let clock = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.fire()
        });
        let mut taken = None;
        Worker::run(&shared, || {
            taken = with_deadline(|| semaphore.acquire().unwrap().forget());
        });
        giver.join().unwrap();
        clock.join().unwrap();
        let left = usize::from(taken.is_none());
        assert_eq!(semaphore.available_permits(), left);
    });
}

#[test]
fn closing_ends_every_wait() {
    check(2, || {
        let semaphore = Arc::new(Semaphore::new(0));
        let waiter = thread::spawn({
            let semaphore = Arc::clone(&semaphore);
            move || semaphore.acquire().is_err()
        });
        semaphore.close();
        assert!(waiter.join().unwrap());
    });
}
