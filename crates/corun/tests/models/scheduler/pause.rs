//! `time/clock.rs`: a paused clock moves when all workers sleep, never before, and no step is missed.
//!
//! A worker here is a bed, a list that is only a count, and one timer. A step that is missed leaves everybody parked, which loom
//! reports as a deadlock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::checker::sync::atomic::{AtomicUsize, Ordering};
use crate::checker::thread::{self, Thread};

use super::sleepers::{Bed, Sleepers};
use crate::check;
use crate::primitive::{Mistake, with_mistake};
use crate::time::clock::{Clock, Sleeper};

/// Mistakes in the part of the protocol that is restated here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omission {
    None,
    /// The step does not look at the lists.
    Lists,
    /// The step is only made by the worker whose timer it is.
    OthersTimers,
    /// The caller of a blocking call counts it as done when its result is there, and not when it goes on.
    Calls,
}

struct Worker {
    bed: Bed,
    list: AtomicUsize,
    thread: crate::checker::sync::Mutex<Option<Thread>>,
    timer: crate::checker::sync::Mutex<Option<Instant>>,
}

struct World {
    clock: Clock,
    sleepers: Sleepers,
    workers: [Worker; 2],
    calls: AtomicUsize,
    omission: Omission,
}

struct Seen<'a>(&'a World, usize);

impl Sleeper for Seen<'_> {
    fn is_asleep(&self) -> bool {
        self.0.workers[self.1].bed.is_occupied()
    }

    fn is_idle(&self) -> bool {
        self.0.omission == Omission::Lists
            || self.0.workers[self.1].list.load(Ordering::SeqCst) == 0
    }

    fn next_deadline(&self) -> Option<Instant> {
        *self.0.workers[self.1].timer.lock().unwrap()
    }

    fn rouse(&self) {
        self.0.wake(self.1);
    }
}

impl World {
    fn new(omission: Omission) -> Arc<World> {
        let worker = || Worker {
            bed: Bed::new(),
            list: AtomicUsize::new(0),
            thread: crate::checker::sync::Mutex::new(None),
            timer: crate::checker::sync::Mutex::new(None),
        };
        Arc::new(World {
            clock: Clock::new(true),
            sleepers: Sleepers::new(),
            workers: [worker(), worker()],
            calls: AtomicUsize::new(0),
            omission,
        })
    }

    /// A paused clock does not look at the system's.
    fn now(&self) -> Instant {
        self.clock.at(Instant::now())
    }

    fn wake(&self, worker: usize) {
        if self.sleepers.rouse_if_asleep(&self.workers[worker].bed) {
            let thread = self.workers[worker].thread.lock().unwrap().clone();
            thread.unwrap().unpark();
        }
    }

    fn submit(&self, to: usize) {
        self.workers[to].list.fetch_add(1, Ordering::Relaxed);
        self.wake(to);
    }

    fn take(&self, me: usize) -> bool {
        let list = &self.workers[me].list;
        list.load(Ordering::Relaxed) != 0 && list.fetch_sub(1, Ordering::Relaxed) != 0
    }

    fn begin(&self, me: usize) {
        *self.workers[me].thread.lock().unwrap() = Some(thread::current());
    }

    fn rest(&self, me: usize) {
        let worker = &self.workers[me];
        self.sleepers.lie_down(&worker.bed);
        if worker.list.load(Ordering::Relaxed) == 0 {
            let may_step =
                self.omission != Omission::OthersTimers || worker.timer.lock().unwrap().is_some();
            if may_step {
                self.clock.step(
                    [0, 1].into_iter().map(|worker| Seen(self, worker)),
                    || true,
                    || self.calls.load(Ordering::Relaxed) != 0,
                );
            }
            // Loom does not know tokens that a thread leaves for itself.
            if worker.bed.is_occupied() {
                thread::park();
            }
        }
        self.sleepers.get_up(&worker.bed);
    }

    /// Sleeps for an hour, and gets work before that.
    fn sleep_for_an_hour(&self, me: usize) {
        self.begin(me);
        let start = self.now();
        let deadline = start + Duration::from_secs(3600);
        *self.workers[me].timer.lock().unwrap() = Some(deadline);
        let mut worked = false;
        while self.now() < deadline {
            if self.take(me) {
                assert_eq!(self.now(), start, "it moved while work was waiting");
                worked = true;
                continue;
            }
            self.rest(me);
        }
        assert_eq!(self.now(), deadline);
        assert!(worked, "it moved while another worker was up");
        *self.workers[me].timer.lock().unwrap() = None;
    }
}

/// One worker sleeps for an hour; another gives it work, and then sleeps until it is called.
fn an_hour(omission: Omission) {
    check(3, move || {
        let world = World::new(omission);
        let other = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                world.begin(1);
                world.submit(0);
                while !world.take(1) {
                    world.rest(1);
                }
            }
        });
        world.sleep_for_an_hour(0);
        world.submit(1);
        other.join().unwrap();
    });
}

/// A worker sleeps for an hour, and one of its coroutines waits for a blocking call, which a thread answers.
fn an_hour_with_a_call(omission: Omission) {
    check(3, move || {
        let world = World::new(omission);
        // The other worker sleeps all the time.
        world.sleepers.lie_down(&world.workers[1].bed);
        world.calls.fetch_add(1, Ordering::Relaxed);
        let pool = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                if world.omission == Omission::Calls {
                    world.calls.fetch_sub(1, Ordering::Relaxed);
                }
                world.submit(0);
            }
        });
        // Loom's threads must not be unparked while they join others.
        let sleeper = thread::spawn({
            let world = Arc::clone(&world);
            move || {
                world.begin(0);
                let start = world.now();
                let deadline = start + Duration::from_secs(3600);
                *world.workers[0].timer.lock().unwrap() = Some(deadline);
                while world.now() < deadline {
                    if world.take(0) {
                        assert_eq!(world.now(), start, "it moved during the call");
                        if world.omission != Omission::Calls {
                            world.calls.fetch_sub(1, Ordering::Relaxed);
                        }
                        continue;
                    }
                    world.rest(0);
                }
            }
        });
        sleeper.join().unwrap();
        pool.join().unwrap();
        assert!(!world.take(0), "it moved during the call");
    });
}

#[test]
fn an_hour_passes_when_all_sleep() {
    an_hour(Omission::None);
}

#[test]
#[should_panic(expected = "it moved while")]
fn without_a_look_at_the_lists_it_passes_too_early() {
    an_hour(Omission::Lists);
}

#[test]
#[should_panic(expected = "deadlock")]
fn if_only_the_sleeper_steps_it_never_passes() {
    an_hour(Omission::OthersTimers);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn without_fences_it_never_passes() {
    with_mistake(Mistake::NoFences, || an_hour(Omission::None));
}

#[test]
fn a_blocking_call_is_waited_for() {
    an_hour_with_a_call(Omission::None);
}

#[test]
#[should_panic(expected = "it moved during the call")]
fn a_call_that_is_counted_out_too_early_is_not() {
    an_hour_with_a_call(Omission::Calls);
}
