//! `raw_mutex.rs`: one at a time has it, and who waits gets it, woken or handed over, whoever gives up in between.

use std::sync::Arc;

use crate::checker::thread;

use super::Data;
use super::patience::{set_exhausted, with_homes};
use super::raw_mutex::RawMutex;
use crate::cancel::limit::with_deadline;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

type Guarded = Arc<(RawMutex, Data)>;

fn lock_and_add(guarded: &Guarded) {
    guarded.0.lock();
    guarded.1.add();
    // SAFETY: locked above.
    unsafe { guarded.0.unlock() };
}

fn adds(guarded: &Guarded, times: usize) -> thread::JoinHandle<()> {
    let guarded = Arc::clone(guarded);
    thread::spawn(move || (0..times).for_each(|_| lock_and_add(&guarded)))
}

fn ends_with(guarded: &Guarded, sum: u32) {
    lock_and_add(guarded);
    assert_eq!(guarded.1.get(), sum + 1);
}

fn two_threads() {
    check(3, || {
        let guarded = Guarded::new((RawMutex::new(), Data::default()));
        let other = adds(&guarded, 1);
        lock_and_add(&guarded);
        other.join().unwrap();
        ends_with(&guarded, 2);
    });
}

#[test]
fn a_mutex_excludes_and_wakes() {
    two_threads();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn without_fences_a_wake_up_is_lost() {
    with_mistake(Mistake::NoFences, two_threads);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn without_the_second_look_a_wake_up_is_lost() {
    with_mistake(Mistake::OnePlace, two_threads);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_does_not_exclude() {
    with_mistake(Mistake::Relaxed, two_threads);
}

#[test]
fn a_coroutine_and_a_thread() {
    check(2, || {
        let guarded = Guarded::new((RawMutex::new(), Data::default()));
        let other = adds(&guarded, 1);
        Worker::run(&Shared::new(), || lock_and_add(&guarded));
        other.join().unwrap();
        ends_with(&guarded, 2);
    });
}

/// One that was woken and has lost against one that barged in: `starves` decides whether it is handed over then.
fn three_threads(starves: bool, switches: usize, times: u32) {
    check(switches, move || {
        set_exhausted(starves);
        let guarded = Guarded::new((RawMutex::new(), Data::default()));
        let others = [adds(&guarded, 1), adds(&guarded, 1)];
        (0..times).for_each(|_| lock_and_add(&guarded));
        for other in others {
            other.join().unwrap();
        }
        ends_with(&guarded, 2 + times);
        set_exhausted(false);
    });
}

#[test]
fn barging_leaves_nobody_behind() {
    three_threads(false, 2, 1);
}

#[test]
fn a_starving_mutex_is_handed_over() {
    three_threads(true, 2, 1);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_mutex_that_is_handed_over_by_relaxed_operations_does_not_exclude() {
    with_mistake(Mistake::Relaxed, || three_threads(true, 2, 1));
}

/// A waiter's deadline comes at any time: it has the mutex, or it has gone, and nobody else waits for ever.
fn given_up(starves: bool) {
    check(2, move || {
        set_exhausted(starves);
        let guarded = Guarded::new((RawMutex::new(), Data::default()));
        let shared = Arc::new(Shared::new());
        let clock = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.fire()
        });
        let impatient = thread::spawn({
            let (guarded, shared) = (Arc::clone(&guarded), Arc::clone(&shared));
            move || {
                let mut added = None;
                Worker::run(&shared, || added = with_deadline(|| lock_and_add(&guarded)));
                u32::from(added.is_some())
            }
        });
        lock_and_add(&guarded);
        lock_and_add(&guarded);
        clock.join().unwrap();
        let added = impatient.join().unwrap();
        ends_with(&guarded, 2 + added);
        set_exhausted(false);
    });
}

#[test]
fn a_wait_that_is_given_up_loses_nothing() {
    given_up(false);
}

#[test]
fn nor_does_one_for_a_starving_mutex() {
    given_up(true);
}

/// One thread is at home, and another one makes the mutex leave: before, while and after the first is inside.
fn left_by_another() {
    check(3, || {
        let guarded = Guarded::new((RawMutex::new(), Data::default()));
        let other = adds(&guarded, 1);
        lock_and_add(&guarded);
        lock_and_add(&guarded);
        other.join().unwrap();
        ends_with(&guarded, 3);
    });
}

#[test]
fn a_mutex_that_leaves_home_excludes_and_wakes() {
    with_homes(left_by_another);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn without_fences_two_are_inside() {
    with_homes(|| with_mistake(Mistake::NoFences, left_by_another));
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_two_are_inside() {
    with_homes(|| with_mistake(Mistake::Relaxed, left_by_another));
}

#[test]
fn three_threads_and_a_home() {
    with_homes(|| three_threads(false, 1, 2));
}

#[test]
fn three_threads_and_a_home_where_one_starves() {
    with_homes(|| three_threads(true, 1, 2));
}

#[test]
fn a_wait_for_a_mutex_with_a_home_that_is_given_up_loses_nothing() {
    with_homes(|| given_up(false));
}
