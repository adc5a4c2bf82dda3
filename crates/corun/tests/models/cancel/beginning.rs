//! `nudge.rs`: a coroutine that is cancelled while it starts either finds that out itself or is nudged.

use crate::check;
use crate::checker::thread;
use crate::coroutine::body::Plain;
use crate::coroutine::task::{MetaInit, PLACE_RUNNING, TaskRef};
use crate::platform::fences;
use crate::primitive::atomic::Ordering;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::shared::Seat;

fn cancelled_while_it_starts() {
    check(3, || {
        let seat: &'static Seat = Box::leak(Box::new(Seat::new()));
        let site = MetaInit::Site(std::panic::Location::caller());
        let (task, mut join) = TaskRef::new(Plain(|| ()), 1, site);
        let starter = thread::spawn(move || {
            // As `Worker::begin`.
            let header = task.header();
            header.prev.store(
                std::ptr::from_ref(seat).cast_mut().cast(),
                Ordering::Relaxed,
            );
            header.place.store(PLACE_RUNNING, Ordering::Release);
            fences::light();
            task.is_cancelled()
        });
        task.cancel();
        let found = starter.join().unwrap();
        assert!(found || seat.nudges.are_posted());
        drop(join.detach());
        task.release();
        task.release();
    });
}

#[test]
fn a_coroutine_that_is_cancelled_while_it_starts_learns_of_it() {
    cancelled_while_it_starts();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "found")]
fn without_fences_it_may_not() {
    with_mistake(Mistake::NoFences, cancelled_while_it_starts);
}
