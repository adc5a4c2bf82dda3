//! `state.rs`, `task.rs` and `scheduler/roll.rs`: no wake-up of an async task is lost, nobody polls it twice at once, and its future is dropped once, by a worker.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::checker::thread;

use super::state::borrowed_waker;
use super::task::{Blank, cancel_task, with};
use crate::check;
use crate::coroutine::outcome::JoinRef;
use crate::coroutine::task::{MetaInit, TaskRef};
use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::primitive::{Mistake, with_mistake};
use crate::scheduler::worker::Shared;
use crate::sync::Data;

/// Ready when it was told so often.
struct Told {
    wanted: u32,
    told: Arc<AtomicU32>,
    /// Touched at each poll and by the destructor: by one at a time.
    body: Arc<Data>,
}

impl Future for Told {
    type Output = u32;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u32> {
        self.body.add();
        // What is told needs no order of its own: that is what a wake-up is for.
        match self.told.load(Ordering::Relaxed) {
            told if told == self.wanted => Poll::Ready(told),
            _ => Poll::Pending,
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.body.add();
        }
    }
}

struct Setting {
    home: Arc<Shared>,
    told: Arc<AtomicU32>,
    body: Arc<Data>,
    task: TaskRef,
}

impl Setting {
    /// A task in line, which waits to be told `wanted` times.
    fn new(wanted: u32) -> (Setting, JoinRef<u32>) {
        let home = Arc::new(Shared::new());
        let (told, body) = (Arc::new(AtomicU32::new(0)), Arc::new(Data::default()));
        let future = Told {
            wanted,
            told: Arc::clone(&told),
            body: Arc::clone(&body),
        };
        let site = MetaInit::Site(std::panic::Location::caller());
        let (task, join) =
            with(future, |vtable| Ok(Blank::new(vtable, 1, site, &home, 0))).unwrap();
        home.line_up(task);
        let setting = Setting {
            home,
            told,
            body,
            task,
        };
        (setting, join)
    }

    fn waker(&self) -> Waker {
        // SAFETY: the model has the task's handle.
        unsafe { (*borrowed_waker(self.task)).clone() }
    }

    /// A worker that polls what is in line, a few times.
    fn worker(&self, polls: usize) -> thread::JoinHandle<()> {
        let home = Arc::clone(&self.home);
        thread::spawn(move || (0..polls).for_each(|_| _ = home.poll_one()))
    }

    fn tells(&self, waker: Waker, by_ref: bool) -> thread::JoinHandle<()> {
        let told = Arc::clone(&self.told);
        thread::spawn(move || {
            told.fetch_add(1, Ordering::Relaxed);
            if by_ref {
                waker.wake_by_ref();
            } else {
                waker.wake();
            }
        })
    }

    /// When all is quiet: what is still in line has its polls.
    fn finish(self) {
        while self.home.poll_one() {}
        let polls_and_drop = self.body.get();
        assert!(polls_and_drop > 0, "the future was dropped");
    }
}

fn give_up(mut join: JoinRef<u32>) {
    drop(join.detach());
    join.task.release();
}

/// Two wakers on two threads, and a worker that polls meanwhile.
fn told_by_two() {
    check(2, || {
        let (setting, mut join) = Setting::new(2);
        let threads = [
            setting.tells(setting.waker(), true),
            setting.tells(setting.waker(), false),
            setting.worker(2),
        ];
        for thread in threads {
            thread.join().unwrap();
        }
        while setting.home.poll_one() {}
        let outcome = join.take().expect("each wake-up counts, so it has ended");
        assert_eq!(outcome.ok(), Some(2));
        give_up(join);
        setting.finish();
    });
}

#[test]
fn no_wake_up_is_lost() {
    told_by_two();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn with_relaxed_operations_one_is() {
    with_mistake(Mistake::Relaxed, told_by_two);
}

/// Nobody tells it anything: its last waker goes while it is polled, and its handle.
fn forsaken() {
    check(3, || {
        let (setting, join) = Setting::new(1);
        let waker = setting.waker();
        let worker = setting.worker(1);
        let holder = thread::spawn(move || drop(waker));
        give_up(join);
        worker.join().unwrap();
        holder.join().unwrap();
        // Loom finds the block if it was freed too early or not at all.
        let drops = Arc::clone(&setting.body);
        setting.finish();
        assert!(drops.get() >= 2, "polled, and dropped");
    });
}

#[test]
fn a_task_that_nobody_can_wake_is_dropped() {
    forsaken();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_is_dropped_while_it_is_polled() {
    with_mistake(Mistake::Relaxed, forsaken);
}

/// It is cancelled while it is polled and told.
fn cancelled() {
    check(2, || {
        let (setting, mut join) = Setting::new(1);
        let teller = setting.tells(setting.waker(), false);
        let worker = setting.worker(2);
        let task = setting.task;
        let asked = cancel_task(task, Box::new("cancelled"));
        assert!(asked || join.task.ended().is_some());
        assert!(!cancel_task(task, Box::new("again")), "once");
        worker.join().unwrap();
        teller.join().unwrap();
        while setting.home.poll_one() {}
        match join.take().expect("it has ended one way or the other") {
            Ok(told) => assert_eq!(told, 1),
            Err(payload) => assert_eq!(*payload.downcast::<&str>().unwrap(), "cancelled"),
        }
        give_up(join);
        setting.finish();
    });
}

#[test]
fn a_cancelled_task_ends_once() {
    cancelled();
}

/// Somebody finds the task in the roll, if it is there, while it is polled, its last waker goes, or it ends.
fn found_in_the_roll(cancels: bool, told: bool) {
    check(2, move || {
        let (setting, join) = Setting::new(1);
        let waker = setting.waker();
        let worker = setting.worker(2);
        let holder = if told {
            setting.tells(waker, false)
        } else {
            thread::spawn(move || drop(waker))
        };
        give_up(join);
        setting.home.roll.for_each(usize::MAX, |task| {
            if cancels {
                cancel_task(task.task(), Box::new("cancelled"));
            }
        });
        worker.join().unwrap();
        holder.join().unwrap();
        let body = Arc::clone(&setting.body);
        while setting.home.poll_one() {}
        setting.home.roll.for_each(usize::MAX, |_| {
            unreachable!("it has ended, as nobody refers to it any more");
        });
        // Loom finds the block if it was freed too early or not at all.
        setting.finish();
        assert!(body.get() >= 1, "dropped");
    });
}

#[test]
fn one_that_is_found_is_not_freed_and_goes_when_it_is_let_go() {
    found_in_the_roll(false, false);
}

#[test]
fn one_that_is_found_is_cancelled_once() {
    found_in_the_roll(true, false);
}

#[test]
fn one_that_ends_leaves_the_roll() {
    found_in_the_roll(true, true);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn with_relaxed_operations_it_is_found_too_late() {
    with_mistake(Mistake::Relaxed, || found_in_the_roll(true, false));
}
