//! `condvar.rs` and `notify.rs`: what is notified after a look is not missed.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use crate::checker::sync::atomic::{AtomicBool, Ordering};
use crate::checker::thread;

use super::condvar::Condvar;
use super::mutex::Mutex;
use super::notify::Notify;
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::{Shared, Worker};

/// `under_lock`: whether the condition changes under the mutex, as it has to.
fn wait_for_a_flag(under_lock: bool) {
    check(2, move || {
        let shared = Arc::new((Mutex::new(()), Condvar::new(), AtomicBool::new(false)));
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                let guard = under_lock.then(|| shared.0.lock().unwrap());
                shared.2.store(true, Ordering::Relaxed);
                drop(guard);
                shared.1.notify_one();
            }
        });
        let mut guard = shared.0.lock().unwrap();
        while !shared.2.load(Ordering::Relaxed) {
            guard = shared.1.wait(guard).unwrap();
        }
        drop(guard);
        notifier.join().unwrap();
    });
}

#[test]
fn a_condition_is_not_missed() {
    wait_for_a_flag(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn one_that_changes_without_the_mutex_is() {
    wait_for_a_flag(false);
}

/// Notified, or given up, or both at once.
#[test]
fn a_wait_with_a_deadline_ends_once() {
    check(2, || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let worker = Arc::new(Shared::new());
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                *shared.0.lock().unwrap() = true;
                shared.1.notify_all();
            }
        });
        let clock = thread::spawn({
            let worker = Arc::clone(&worker);
            move || worker.fire()
        });
        Worker::run(&worker, || {
            let guard = shared.0.lock().unwrap();
            if !*guard {
                let (guard, result) = shared.1.wait_timeout(guard, Duration::ZERO).unwrap();
                assert!(*guard || result.timed_out());
            }
        });
        notifier.join().unwrap();
        clock.join().unwrap();
    });
}

fn wait_for_a_message(stored: bool) {
    check(2, move || {
        let shared = Arc::new((super::Data::default(), Notify::new()));
        let notifier = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.0.add();
                if stored {
                    shared.1.notify_one();
                } else {
                    shared.1.notify_waiters();
                }
            }
        });
        shared.1.wait();
        assert_eq!(shared.0.get(), 1);
        notifier.join().unwrap();
    });
}

#[test]
fn a_notification_is_stored_until_somebody_waits() {
    wait_for_a_message(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn one_for_those_who_wait_is_not() {
    wait_for_a_message(false);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_notification_of_relaxed_operations_brings_nothing() {
    with_mistake(Mistake::Relaxed, || wait_for_a_message(true));
}

/// A future is dropped while it is notified, and somebody else waits for that notification.
fn passed_on(dropped: bool) {
    check(2, move || {
        let notify = Arc::new(Notify::new());
        let notifier = thread::spawn({
            let notify = Arc::clone(&notify);
            move || notify.notify_one()
        });
        let mut future = Box::pin(notify.notified());
        let ready = Pin::new(&mut future)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready();
        if dropped || ready {
            drop(future);
            if !ready {
                notify.wait();
            }
            notifier.join().unwrap();
        } else {
            // It keeps what it has got, and the waiter waits in vain.
            notify.wait();
            drop(future);
        }
    });
}

#[test]
fn what_a_dropped_future_has_got_is_passed_on() {
    passed_on(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn what_a_kept_future_has_got_is_not() {
    passed_on(false);
}
