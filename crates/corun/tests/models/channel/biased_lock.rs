//! `lock.rs`: nobody ever has the lock at the same time as somebody else, whoever owns it, becomes its owner or revokes the ownership.

use std::sync::Arc;

use crate::checker::cell::UnsafeCell;
use crate::checker::thread;

use super::lock::Lock;
use crate::check;
use crate::checker::check_within;
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::as_worker;

/// A counter that loom watches.
fn add_one(lock: &Lock<UnsafeCell<u32>>) {
    // SAFETY: the lock is what the model is about; loom checks that nobody else is there.
    lock.lock().with_mut(|count| unsafe { *count += 1 });
}

/// One worker uses the lock so often that it becomes the owner; another one, or a plain thread, comes meanwhile.
fn an_owner_and_another(other: usize) {
    check(3, move || {
        let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
        let owner = {
            let lock = Arc::clone(&lock);
            thread::spawn(move || as_worker(64, || (0..3).for_each(|_| add_one(&lock))))
        };
        as_worker(other, || (0..2).for_each(|_| add_one(&lock)));
        owner.join().unwrap();
        // SAFETY: nobody else is left.
        lock.lock().with(|count| assert_eq!(unsafe { *count }, 5));
    });
}

/// As above, but it is the owner already when the other one comes.
fn an_owner_of_old_and_another() {
    check(3, || {
        let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
        as_worker(64, || {
            (0..3).for_each(|_| add_one(&lock));
            let other = {
                let lock = Arc::clone(&lock);
                thread::spawn(move || add_one(&lock))
            };
            (0..2).for_each(|_| add_one(&lock));
            other.join().unwrap();
        });
        // SAFETY: nobody else is left.
        lock.lock().with(|count| assert_eq!(unsafe { *count }, 6));
    });
}

#[test]
fn an_owner_and_a_thread_exclude_each_other() {
    an_owner_and_another(0);
}

#[test]
fn two_workers_exclude_each_other() {
    an_owner_and_another(128);
}

#[test]
fn an_owner_of_old_and_a_thread_exclude_each_other() {
    an_owner_of_old_and_another();
}

#[test]
fn two_who_revoke_at_once_exclude_each_other() {
    // With more, those who wait for the revocation and for the lock wait in turns, for longer than loom goes on.
    check_within(
        2,
        |_| 1,
        || {
            let lock = Arc::new(Lock::new(UnsafeCell::new(0)));
            as_worker(64, || (0..2).for_each(|_| add_one(&lock)));
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let lock = Arc::clone(&lock);
                    thread::spawn(move || add_one(&lock))
                })
                .collect();
            as_worker(64, || add_one(&lock));
            for other in others {
                other.join().unwrap();
            }
            // SAFETY: nobody else is left.
            lock.lock().with(|count| assert_eq!(unsafe { *count }, 5));
        },
    );
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Concurrent")]
fn missing_fences_are_found() {
    with_mistake(Mistake::NoFences, an_owner_of_old_and_another);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Concurrent")]
fn relaxed_operations_are_found() {
    with_mistake(Mistake::Relaxed, an_owner_of_old_and_another);
}
