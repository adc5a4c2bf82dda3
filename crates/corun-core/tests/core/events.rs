//! Events, from the same thread and from others.

use std::rc::Rc;
use std::thread;
use std::time::{Duration, Instant};

use corun_core::{Event, Executor, Machine, Notifier};

use crate::support::{Log, executor, ms, spawn};

#[test]
fn notifications_are_counted_between_waits() {
    let executor = executor();
    let event = Event::new(&executor);
    let notifier = event.notifier();
    assert_eq!(event.try_wait(), 0);
    assert!(notifier.notify(), "the executor does not know yet");
    assert!(!notifier.notify(), "word is there already");
    assert_eq!(
        event.wait(),
        2,
        "without a coroutine, since it need not wait"
    );
    let own = executor.clone();
    let handle = spawn(&executor, move || {
        let counts = (event.wait(), event.wait(), event.try_wait());
        (counts, own.now())
    });
    executor.run_until_idle();
    notifier.notify();
    executor.run_until_idle();
    assert!(!handle.is_finished());
    (0..3).for_each(|_| _ = notifier.notify());
    executor.run().unwrap();
    assert_eq!(handle.join(), ((1, 3, 0), Duration::ZERO));
}

#[test]
fn several_events_wake_who_waits_for_them_in_the_order_of_their_first_notifications() {
    let (executor, log) = (executor(), Log::default());
    let notifiers: Vec<Notifier> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let (event, log) = (Event::new(&executor), log.clone());
            let notifier = event.notifier();
            spawn(&executor, move || {
                let count = event.wait();
                log.add(format!("{name} {count}"));
            });
            notifier
        })
        .collect();
    executor.run_until_idle();
    for index in [2, 0, 2, 1, 0] {
        notifiers[index].notify();
    }
    executor.run().unwrap();
    log.assert(&["c 2", "a 2", "b 1"]);
}

#[test]
fn each_notification_wakes_one_of_those_who_share_an_event() {
    let executor = executor();
    let event = Rc::new(Event::new(&executor));
    let notifier = event.notifier();
    let handles: Vec<_> = (0..3)
        .map(|_| {
            let event = event.clone();
            spawn(&executor, move || event.wait())
        })
        .collect();
    for expected in 1..=3 {
        executor.run_until_idle();
        notifier.notify();
        executor.run_until_idle();
        let finished = handles.iter().filter(|handle| handle.is_finished()).count();
        assert_eq!(finished, expected);
    }
}

#[test]
fn a_wait_with_a_time_limit_ends_with_0() {
    let executor = executor();
    let event = Event::new(&executor);
    let notifier = event.notifier();
    let own = executor.clone();
    let handle = spawn(&executor, move || {
        let nothing = event.wait_timeout(ms(5));
        let then = own.now();
        notifier.notify();
        (
            nothing,
            then,
            event.wait_timeout(ms(5)),
            event.wait_timeout(Duration::ZERO),
        )
    });
    executor.run().unwrap();
    assert_eq!(handle.join(), (0, ms(5), 1, 0));
    assert_eq!(executor.next_deadline(), None);
}

#[test]
fn a_notifier_may_outlive_its_event_and_its_executor() {
    let executor = executor();
    let (first, second) = (Event::new(&executor), Event::new(&executor));
    let (early, late) = (first.notifier(), second.notifier());
    early.notify();
    drop(first);
    executor.run_until_idle();
    assert!(early.notify(), "it still leaves word, and nobody minds");
    drop(second);
    drop(executor);
    assert!(!early.notify());
    assert!(!late.notify(), "nobody is left to be told");
}

/// A machine that sleeps as a thread does.
struct Sleeping(Instant);

impl Machine for Sleeping {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
        // A thread that is unparked does not park: the check and the wait are one.
        if !woken() {
            match deadline {
                Some(deadline) => thread::park_timeout(deadline.saturating_sub(self.now())),
                None => thread::park(),
            }
        }
    }
}

#[test]
fn notifications_of_other_threads_are_neither_lost_nor_slept_through() {
    const THREADS: u32 = 4;
    const EACH: u32 = 50_000;
    let executor = Executor::new(Sleeping(Instant::now()));
    let event = Event::new(&executor);
    let home = thread::current();
    let threads: Vec<_> = (0..THREADS)
        .map(|_| {
            let (notifier, home) = (event.notifier(), home.clone());
            thread::spawn(move || {
                for _ in 0..EACH {
                    if notifier.notify() {
                        home.unpark();
                    }
                }
            })
        })
        .collect();
    let handle = spawn(&executor, move || {
        let mut sum = 0;
        while sum < THREADS * EACH {
            sum += event.wait();
        }
        sum
    });
    executor.run().unwrap();
    assert_eq!(handle.join(), THREADS * EACH);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}
