//! `block.rs` and what stands on it: whoever wants the outcome has it, all of it, once; and nobody touches what has gone.

use std::future::IntoFuture;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use crate::checker::thread::{self, Thread};

use super::{Future, Promise, Rejected, promise};
use crate::cancel::limit::with_deadline;
use crate::check;
use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};
use crate::sync::Data;

/// A value that loom watches: it must be complete when it is seen, and be dropped when nobody looks, once.
struct Value {
    data: Data,
    drops: Arc<Data>,
}

impl Drop for Value {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.data.add();
            self.drops.add();
        }
    }
}

fn value(drops: &Arc<Data>) -> Value {
    let data = Data::default();
    data.add();
    Value {
        data,
        drops: Arc::clone(drops),
    }
}

type Pair = (Promise<Value, u32>, Future<Value, u32>);

/// Wakes the thread that polls.
struct Unparks(Thread);

impl Wake for Unparks {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: IntoFuture>(future: F) -> F::Output {
    let mut future = pin!(future.into_future());
    let waker = Waker::from(Arc::new(Unparks(thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

#[derive(Clone, Copy)]
enum By {
    Coroutine,
    Thread,
    Task,
}

/// One resolves, and another waits.
fn resolved(by: By, kept: bool) {
    let drops = Arc::new(Data::default());
    let (promise, future): Pair = promise();
    // The resolver may be at it still when the coroutine goes on.
    let shared = Shared::new();
    let resolver = thread::spawn({
        let value = value(&drops);
        move || {
            if kept {
                promise.resolve(value);
            } else {
                std::mem::forget(promise);
            }
        }
    });
    let look = |value: Result<Value, Rejected<u32>>| {
        let value = value.unwrap_or_else(|_| panic!("it was resolved"));
        assert_eq!(value.data.get(), 1);
    };
    match by {
        By::Coroutine => Worker::run(&shared, || look(future.wait())),
        By::Thread => look(future.wait()),
        By::Task => look(block_on(future)),
    }
    resolver.join().unwrap();
    assert_eq!(drops.get(), 1);
}

#[test]
fn who_waits_gets_the_value() {
    for by in [By::Coroutine, By::Thread, By::Task] {
        check(2, move || resolved(by, true));
    }
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_promise_that_is_forgotten_is_waited_for() {
    check(2, || resolved(By::Thread, false));
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_the_value_is_seen_before_it_is_complete() {
    with_mistake(Mistake::Relaxed, || check(2, || resolved(By::Task, true)));
}

/// Several look at what one resolves; whoever is last drops it.
fn seen_by_two() {
    let drops = Arc::new(Data::default());
    let (promise, future): Pair = promise();
    let future = future.shared();
    let other = thread::spawn({
        let future = future.clone();
        move || {
            let seen = future.wait();
            assert!(seen.is_ok_and(|value| value.data.get() == 1));
        }
    });
    promise.resolve(value(&drops));
    drop(future);
    other.join().unwrap();
    assert_eq!(drops.get(), 1);
}

#[test]
fn the_last_one_drops_the_value() {
    check(3, seen_by_two);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn without_fences_it_is_dropped_under_the_eyes_of_another() {
    with_mistake(Mistake::NoFences, || check(3, seen_by_two));
}

/// A future that is polled goes, while the value comes.
#[test]
fn a_task_that_leaves_is_not_touched() {
    check(3, || {
        let drops = Arc::new(Data::default());
        let (promise, future): Pair = promise();
        let mut waiting = Box::pin(future.into_future());
        let mut context = Context::from_waker(Waker::noop());
        let polled = Pin::new(&mut waiting).poll(&mut context);
        assert!(polled.is_pending());
        let resolver = thread::spawn({
            let value = value(&drops);
            move || promise.try_resolve(value).is_err()
        });
        drop(waiting);
        resolver.join().unwrap();
        assert_eq!(drops.get(), 1, "given back, or dropped with the block");
    });
}

/// A deadline and the value at once.
#[test]
fn a_wait_that_is_given_up_takes_nothing() {
    check(2, || {
        let drops = Arc::new(Data::default());
        let (promise, future): Pair = promise();
        let shared = Arc::new(Shared::new());
        let resolver = thread::spawn({
            let value = value(&drops);
            move || promise.resolve(value)
        });
        let clock = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.fire()
        });
        // Shared, as a value that goes while the wait unwinds would not be counted.
        let future = future.shared();
        Worker::run(&shared, || {
            if let Some(outcome) = with_deadline(|| future.wait()) {
                assert!(outcome.is_ok_and(|value| value.data.get() == 1));
            }
        });
        drop(future);
        resolver.join().unwrap();
        clock.join().unwrap();
        assert_eq!(drops.get(), 1);
    });
}

/// One resolves and another cancels: one of them has its way, and all agree on which.
#[test]
fn a_future_has_one_outcome() {
    check(3, || {
        let drops = Arc::new(Data::default());
        let (promise, future): Pair = promise();
        let future = future.shared();
        let resolver = thread::spawn({
            let value = value(&drops);
            move || promise.try_resolve(value).is_ok()
        });
        let cancelled = future.cancel();
        assert_eq!(future.wait().is_err(), cancelled);
        assert_ne!(resolver.join().unwrap(), cancelled);
        drop(future);
        assert_eq!(drops.get(), 1);
    });
}

/// A callback is left while the promise is kept: it is called once, with the value, whoever calls it.
fn called_back(shared: bool) {
    let drops = Arc::new(Data::default());
    let calls = Arc::new(AtomicU32::new(0));
    let (promise, future): Pair = promise();
    let resolver = thread::spawn({
        let value = value(&drops);
        move || promise.resolve(value)
    });
    let called = Arc::clone(&calls);
    if shared {
        let future = future.shared();
        let called_again = Arc::clone(&calls);
        future.on_complete(move |outcome| {
            assert!(outcome.is_ok_and(|value| value.data.get() == 1));
            called.fetch_add(1, Ordering::Relaxed);
        });
        future.on_complete(move |_| {
            called_again.fetch_add(1, Ordering::Relaxed);
        });
    } else {
        future.on_complete(move |outcome| {
            assert!(outcome.is_ok_and(|value| value.data.get() == 1));
            called.fetch_add(2, Ordering::Relaxed);
        });
    }
    resolver.join().unwrap();
    assert_eq!(calls.load(Ordering::Relaxed), 2);
    assert_eq!(drops.get(), 1);
}

// A panic in a callback ends there: what they assert shows in the count.
#[test]
fn a_callback_is_called_once() {
    check(3, || called_back(false));
    check(2, || called_back(true));
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn with_relaxed_operations_it_sees_what_is_not_complete() {
    with_mistake(Mistake::Relaxed, || check(2, || called_back(false)));
}

/// A promise asks whether it is wanted while the last handle goes: what a callback has left is seen.
#[test]
fn what_leaves_a_callback_behind_is_wanted() {
    check(3, || {
        let drops = Arc::new(Data::default());
        let calls = Arc::new(AtomicU32::new(0));
        let (promise, future): Pair = promise();
        let leaver = thread::spawn({
            let calls = Arc::clone(&calls);
            move || {
                future.on_complete(move |outcome| {
                    drop(outcome);
                    calls.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        assert!(promise.is_wanted());
        assert!(promise.try_resolve(value(&drops)).is_ok());
        leaver.join().unwrap();
        assert_eq!(calls.load(Ordering::Relaxed), 1);
        assert_eq!(drops.get(), 1);
    });
}
