//! `park.rs`: the token is never lost, and brings what was done before it.

use std::sync::Arc;

use crate::checker::cell::UnsafeCell;
use crate::checker::thread;

use super::body::for_thread;
use super::handle::enter;
use super::park::park;
use super::task::MetaInit;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

struct Data(UnsafeCell<u32>);
// SAFETY: whether it is used by one at a time is what loom finds out.
unsafe impl Sync for Data {}

fn body() {
    let task = for_thread(1, MetaInit::Site(std::panic::Location::caller()));
    enter(task);
    let data = Arc::new(Data(UnsafeCell::new(0)));
    task.retain();
    let waker = thread::spawn({
        let data = Arc::clone(&data);
        move || {
            // SAFETY: loom checks that nobody else has access.
            data.0.with_mut(|value| unsafe { *value = 1 });
            task.header().parker.unpark();
            task.release();
        }
    });
    park();
    // SAFETY: as above.
    assert_eq!(data.0.with(|value| unsafe { *value }), 1);
    task.release();
    waker.join().unwrap();
}

#[test]
fn a_thread_gets_the_token() {
    check(3, body);
}

#[test]
fn a_coroutine_gets_the_token() {
    check(2, || Worker::run(&Shared::new(), body));
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_token_of_relaxed_operations_brings_nothing() {
    with_mistake(Mistake::Relaxed, || check(3, body));
}
