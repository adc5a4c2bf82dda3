//! `outcome.rs`: the end of a coroutine against its handle, joined or dropped: the result is dropped once, by who may, and the block is freed once,
//! by the last.

use std::cell::Cell;
use std::sync::Arc;

use crate::checker::cell::UnsafeCell;
use crate::checker::thread;

use super::body::Plain;
use super::joiner::LimitedJoiner;
use super::local_map::LocalMap;
use super::outcome::JoinRef;
use super::task::{Control, MetaInit, TaskRef};
use crate::cancel::levels::Innermost;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::signal::Signal;

/// A result, whose destructor and readers loom watches.
struct Outcome(Arc<Drops>);

struct Drops(UnsafeCell<u32>);
// SAFETY: whether it is used by one at a time is what loom finds out.
unsafe impl Sync for Drops {}

impl Drop for Outcome {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: loom checks that nobody else has access.
            self.0.0.with_mut(|drops| unsafe { *drops += 1 });
        }
    }
}

pub fn run(task: TaskRef) {
    let control = Control {
        task: Cell::new(Some(task)),
        stack: Cell::new(None),
        locals: LocalMap,
        innermost: Innermost,
        callbacks: Cell::new(std::ptr::null()),
    };
    // SAFETY: it has not started, and is in no list.
    unsafe { task.run(&control) };
}

fn wait(task: TaskRef) {
    if task.ended().is_some() {
        return;
    }
    let joiner = LimitedJoiner::new();
    if task.set_limited_joiner(&joiner) {
        joiner.signal.wait();
        assert!(joiner.settle(task, true));
    }
}

fn end_against(handle: impl Fn(TaskRef, JoinRef<Outcome>) + Send + Sync + Copy + 'static) {
    check(3, move || {
        let drops = Arc::new(Drops(UnsafeCell::new(0)));
        let result = Outcome(Arc::clone(&drops));
        let site = MetaInit::Site(std::panic::Location::caller());
        let (task, join) = TaskRef::new(Plain(move || result), 1, site);
        let worker = thread::spawn(move || run(task));
        handle(task, join);
        task.release();
        worker.join().unwrap();
        // SAFETY: as above.
        assert_eq!(drops.0.with(|drops| unsafe { *drops }), 1);
    });
}

fn joined(task: TaskRef, mut join: JoinRef<Outcome>) {
    wait(task);
    drop(join.take().expect("it has ended"));
    assert!(join.take().is_none(), "the result is taken once");
}

/// The time of the joiner is up at any moment.
fn joined_in_time(task: TaskRef, mut join: JoinRef<Outcome>) {
    let joiner = Arc::new(LimitedJoiner::new());
    let ended = !task.set_limited_joiner(&joiner) || {
        let clock = thread::spawn({
            let joiner = Arc::clone(&joiner);
            // SAFETY: it is counted.
            move || unsafe { Signal::expire(&raw const joiner.signal) }
        });
        joiner.signal.wait();
        let ended = joiner.settle(task, joiner.signal.is_notified());
        clock.join().unwrap();
        ended
    };
    // Nobody uses it any more, whoever came first: loom sees the end of its atomics.
    drop(Arc::into_inner(joiner).expect("the clock is done with it"));
    if ended {
        drop(join.take().expect("it has ended"));
    } else {
        drop(join.detach());
    }
}

fn detached(_: TaskRef, mut join: JoinRef<Outcome>) {
    drop(join.detach());
}

/// A third one has a mere handle, gives it up at any time, and may be the last.
fn detached_with_a_watcher(task: TaskRef, mut join: JoinRef<Outcome>) {
    task.retain();
    let watcher = thread::spawn(move || {
        task.ended();
        task.release();
    });
    drop(join.detach());
    watcher.join().unwrap();
}

#[test]
fn a_joiner_gets_the_result() {
    end_against(joined);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_joiner_with_relaxed_operations_does_not() {
    with_mistake(Mistake::Relaxed, || end_against(joined));
}

#[test]
fn a_joiner_that_gives_up_is_left_alone() {
    end_against(joined_in_time);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_is_used_after_it_has_gone() {
    with_mistake(Mistake::Relaxed, || end_against(joined_in_time));
}

#[test]
fn a_result_that_nobody_wants_is_dropped_once() {
    end_against(detached);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_is_dropped_by_two_or_none() {
    with_mistake(Mistake::Relaxed, || end_against(detached));
}

#[test]
fn the_last_of_three_frees_the_block() {
    end_against(detached_with_a_watcher);
}
