//! `awaiting.rs`: a join handle that is polled, moved to another waker, joined or dropped, while its coroutine ends.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::checker::thread::{self, Thread};

use super::body::Plain;
use super::end::run;
use super::outcome::JoinRef;
use super::task::{MetaInit, TaskRef};
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::sync::Data;

/// A result that loom watches.
struct Outcome(Arc<Data>);

impl Drop for Outcome {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.add();
        }
    }
}

struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn end_against(handle: impl Fn(JoinRef<Outcome>) + Send + Sync + Copy + 'static) {
    check(3, move || {
        let drops = Arc::new(Data::default());
        let result = Outcome(Arc::clone(&drops));
        let site = MetaInit::Site(std::panic::Location::caller());
        let (task, join) = TaskRef::new(Plain(move || result), 1, site);
        let worker = thread::spawn(move || run(task));
        handle(join);
        task.release();
        worker.join().unwrap();
        assert_eq!(drops.get(), 1);
    });
}

fn poll(join: &mut JoinRef<Outcome>, waker: &Waker) -> bool {
    match join.poll(&mut Context::from_waker(waker)) {
        Poll::Ready(outcome) => {
            drop(outcome.expect("it did not panic"));
            true
        }
        Poll::Pending => false,
    }
}

/// First by somebody who goes away, then by this thread, which sleeps until it is woken.
fn awaited(mut join: JoinRef<Outcome>) {
    if poll(&mut join, Waker::noop()) {
        return;
    }
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    while !poll(&mut join, &waker) {
        thread::park();
    }
}

fn dropped(mut join: JoinRef<Outcome>) {
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    if !poll(&mut join, &waker) {
        drop(join.detach());
    }
    // Nobody has it any more, or the one who has is about to call it.
    drop(waker);
}

#[test]
fn the_last_waker_is_woken() {
    end_against(awaited);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_the_result_is_not_there_yet() {
    with_mistake(Mistake::Relaxed, || end_against(awaited));
}

#[test]
fn a_handle_dropped_after_its_poll_leaves_the_result_to_one() {
    end_against(dropped);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_is_dropped_in_part() {
    with_mistake(Mistake::Relaxed, || end_against(dropped));
}
