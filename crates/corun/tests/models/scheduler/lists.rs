//! `lock.rs` and `spawn_list.rs`: each unstarted coroutine is taken by one, whether popped, stolen or taken out of the middle.

use std::sync::Arc;

use crate::checker::cell::UnsafeCell;
use crate::checker::thread;

use super::lock::SpinLock;
use super::spawn_list::SpawnList;
use crate::check;
use crate::coroutine::body::Plain;
use crate::coroutine::outcome::JoinRef;
use crate::coroutine::task::{MetaInit, TaskRef};
use crate::primitive::{Mistake, with_mistake};

fn lock_excludes() {
    check(3, || {
        let lock = Arc::new(SpinLock::new(UnsafeCell::new(0)));
        let add = |lock: &SpinLock<UnsafeCell<u32>>| {
            let guard = lock.lock();
            // SAFETY: loom checks that nobody else has access.
            guard.with_mut(|value| unsafe { *value += 1 });
        };
        let other = thread::spawn({
            let lock = Arc::clone(&lock);
            move || add(&lock)
        });
        add(&lock);
        other.join().unwrap();
        // SAFETY: as above.
        assert_eq!(lock.lock().with(|value| unsafe { *value }), 2);
    });
}

#[test]
fn a_lock_excludes() {
    lock_excludes();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_lock_of_relaxed_operations_does_not() {
    with_mistake(Mistake::Relaxed, lock_excludes);
}

fn task(id: u64) -> (TaskRef, JoinRef<()>) {
    TaskRef::new(
        Plain(|| ()),
        id,
        MetaInit::Site(std::panic::Location::caller()),
    )
}

#[derive(Clone, Copy, PartialEq)]
enum Other {
    Pops,
    Steals,
}

/// A joiner takes its child out of the middle or the end of a list, while another thread pops from it or steals.
fn each_is_taken_once(other: Other, thiefs_number: u32) {
    check(2, move || {
        let victim = Arc::new(SpawnList::new(1));
        let thief = Arc::new(SpawnList::new(thiefs_number));
        let tasks = [task(1), task(2)];
        for (task, _) in &tasks {
            assert!(victim.push(*task).is_ok());
        }
        let child = tasks[1].0;
        let joiner = thread::spawn({
            let (victim, thief) = (Arc::clone(&victim), Arc::clone(&thief));
            move || usize::from(thief.remove(child)) + usize::from(victim.remove(child))
        });
        let first = match other {
            Other::Pops => victim.pop(),
            Other::Steals => victim.steal_half(&thief),
        };
        let mut taken = usize::from(first.is_some()) + joiner.join().unwrap();
        while victim.pop().or_else(|| thief.pop()).is_some() {
            taken += 1;
        }
        assert_eq!(
            (taken, victim.len(), thief.len()),
            (2, 0, 0),
            "taken once each"
        );
        for (task, mut join) in tasks {
            join.detach();
            task.release();
            task.release();
        }
    });
}

#[test]
fn what_one_pops_and_one_joins_is_taken_once() {
    each_is_taken_once(Other::Pops, 2);
}

#[test]
fn what_one_steals_and_one_joins_is_taken_once() {
    each_is_taken_once(Other::Steals, 2);
}

#[test]
#[should_panic]
fn lists_with_the_same_number_are_mistaken_for_each_other() {
    each_is_taken_once(Other::Pops, 1);
}

/// A lone worker takes all of what another thread is pushing.
#[test]
fn what_is_pushed_while_all_is_taken_is_taken_once_and_in_order() {
    check(3, || {
        let (injected, own) = (Arc::new(SpawnList::new(0)), SpawnList::new(1));
        let tasks = [task(1), task(2), task(3)];
        let all = [tasks[0].0, tasks[1].0, tasks[2].0];
        assert!(injected.push(all[0]).is_ok());
        let pusher = thread::spawn({
            let injected = Arc::clone(&injected);
            move || all[1..].iter().for_each(|task| injected.push_again(*task))
        });
        let mut taken = Vec::new();
        for _ in 0..2 {
            taken.extend(injected.take_all(&own));
            while let Some(task) = own.pop() {
                taken.push(task);
            }
        }
        pusher.join().unwrap();
        taken.extend(injected.take_all(&own));
        while let Some(task) = own.pop() {
            taken.push(task);
        }
        assert!(
            taken
                .iter()
                .map(|task| task.id())
                .eq(all.iter().map(|task| task.id()))
        );
        assert_eq!((injected.len(), own.len()), (0, 0));
        for (task, mut join) in tasks {
            join.detach();
            task.release();
            task.release();
        }
    });
}

/// Both halves of a list that was stolen from are whole, forwards, backwards, and in the middle, whoever else comes meanwhile.
#[test]
fn a_stolen_half_is_linked_as_if_it_had_been_pushed() {
    check(2, || {
        let (victim, thief) = (SpawnList::new(1), Arc::new(SpawnList::new(2)));
        let tasks: Vec<_> = (1..=10).map(task).collect();
        let (own, others) = tasks.split_first().unwrap();
        let (late, others) = others.split_last().unwrap();
        assert!(thief.push(own.0).is_ok());
        for (task, _) in others {
            assert!(victim.push(*task).is_ok());
        }
        let pusher = thread::spawn({
            let (thief, late) = (Arc::clone(&thief), late.0);
            move || assert!(thief.push(late).is_ok())
        });
        let drain = |list: &SpawnList| {
            let ids = std::iter::from_fn(|| list.pop()).map(|task| task.id().get());
            ids.filter(|id| *id != 10).collect::<Vec<_>>()
        };
        assert_eq!(victim.steal_half(&thief).unwrap().id().get(), 2);
        pusher.join().unwrap();
        assert_eq!((thief.len(), victim.len()), (5, 4));
        // The first, the last and a middle one of what was moved, or left.
        assert!(thief.remove(others[1].0) && !victim.remove(others[2].0));
        assert!(victim.remove(others[4].0) && victim.remove(others[7].0));
        assert!(victim.push(others[1].0).is_ok());
        assert_eq!(drain(&thief), [1, 4, 5]);
        assert_eq!(drain(&victim), [7, 8, 3]);
        // One alone is not half of anything, and goes as it is.
        assert!(victim.push(own.0).is_ok());
        assert_eq!(victim.steal_half(&thief).unwrap().id().get(), 1);
        assert!(thief.is_empty() && victim.is_empty() && victim.steal_half(&thief).is_none());
        for (task, mut join) in tasks {
            join.detach();
            task.release();
            task.release();
        }
    });
}
