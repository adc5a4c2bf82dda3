//! `sleepers.rs`: no submission falls between a submitter's look for sleepers and a sleeper's second look at the lists.
//!
//! A worker here is a bed, a list that is only a count, and a reactor that is only the thread's parking place. A wake-up that is lost leaves
//! everybody parked, which loom reports as a deadlock.

use std::sync::Arc;

use crate::checker::sync::atomic::{AtomicUsize, Ordering};
use crate::checker::thread::{self, Thread};

use super::sleepers::{Bed, Sleepers};
use crate::check;
use crate::primitive::{Mistake, with_mistake};

/// Mistakes in the part of the protocol that is restated here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omission {
    None,
    /// A sleeper does not look at the lists again.
    SecondLook,
    /// A searcher that found something does not look at what was left to it.
    PassOn,
}

struct Worker {
    bed: Bed,
    /// How many tasks stand in its list, for anybody to steal.
    list: AtomicUsize,
}

struct Model {
    sleepers: Sleepers,
    workers: [Worker; 3],
    threads: crate::checker::sync::Mutex<[Option<Thread>; 3]>,
    done: AtomicUsize,
    omission: Omission,
}

impl Model {
    fn new(omission: Omission) -> Arc<Model> {
        let worker = || Worker {
            bed: Bed::new(),
            list: AtomicUsize::new(0),
        };
        Arc::new(Model {
            sleepers: Sleepers::new(),
            workers: [worker(), worker(), worker()],
            threads: crate::checker::sync::Mutex::new([None, None, None]),
            done: AtomicUsize::new(0),
            omission,
        })
    }

    fn wake(&self, worker: usize) {
        let thread = self.threads.lock().unwrap()[worker].clone();
        thread.unwrap().unpark();
    }

    fn submit(&self, from: usize) {
        self.workers[from].list.fetch_add(1, Ordering::Relaxed);
        self.call();
    }

    fn call(&self) {
        let workers = (0..3).map(|worker| (&self.workers[worker].bed, worker));
        if let Some(called) = self.sleepers.call_searcher(workers) {
            self.wake(called);
        }
    }

    fn any_elsewhere(&self, me: usize) -> bool {
        (0..3).any(|worker| worker != me && self.workers[worker].list.load(Ordering::Relaxed) != 0)
    }

    /// With the token. Takes one task from the first list that has one.
    fn search(&self, me: usize) -> bool {
        let found = (0..3).any(|worker| {
            let list = &self.workers[worker].list;
            worker != me
                && list.load(Ordering::Relaxed) != 0
                && list.fetch_sub(1, Ordering::Relaxed) != 0
        });
        self.sleepers.return_token();
        if !found {
            return false;
        }
        if self.omission != Omission::PassOn && self.any_elsewhere(me) {
            self.call();
        }
        true
    }

    /// A worker that sleeps until it has found `tasks`, and then is busy for ever.
    fn run(&self, me: usize, tasks: usize) {
        self.threads.lock().unwrap()[me] = Some(thread::current());
        let mut found = 0;
        while found < tasks {
            if self.sleepers.take_token() && self.search(me) {
                found += 1;
                continue;
            }
            self.sleepers.lie_down(&self.workers[me].bed);
            let look = self.omission != Omission::SecondLook
                && !self.sleepers.is_searching()
                && self.any_elsewhere(me);
            if !look {
                thread::park();
            }
            if self.sleepers.get_up(&self.workers[me].bed) && self.search(me) {
                found += 1;
            }
        }
        self.done.fetch_add(found, Ordering::Relaxed);
    }
}

/// One worker submits a task and is busy ever after; another one is about to sleep, and wakes up once without being called, as by a timer.
fn one_task(omission: Omission) {
    check(3, move || {
        let model = Model::new(omission);
        let sleeper = thread::spawn({
            let model = Arc::clone(&model);
            move || {
                thread::current().unpark();
                model.run(1, 1);
            }
        });
        model.submit(0);
        sleeper.join().unwrap();
    });
}

/// A busy worker submits two tasks, and two others go to sleep. Each of these can run one task only, so both have to be woken.
fn two_tasks(omission: Omission) {
    check(2, move || {
        let model = Model::new(omission);
        let sleepers: Vec<_> = [1, 2]
            .map(|me| {
                let model = Arc::clone(&model);
                thread::spawn(move || model.run(me, 1))
            })
            .into();
        model.submit(0);
        model.submit(0);
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert_eq!(model.done.load(Ordering::Relaxed), 2);
    });
}

#[test]
fn a_task_wakes_a_sleeper() {
    one_task(Omission::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_task_without_the_second_look_is_lost() {
    one_task(Omission::SecondLook);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn a_task_without_fences_is_lost() {
    with_mistake(Mistake::NoFences, || one_task(Omission::None));
}

#[test]
fn two_tasks_wake_two_sleepers() {
    two_tasks(Omission::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn two_tasks_when_searchers_pass_nothing_on_are_lost() {
    two_tasks(Omission::PassOn);
}
