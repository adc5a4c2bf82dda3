//! Sleeping.

use std::time::Duration;

use corun_core::Executor;

use crate::support::{Log, Still, executor, ms, spawn};

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let (executor, log) = (executor(), Log::default());
    for duration in [30, 10, 20, 10] {
        let (own, log) = (executor.clone(), log.clone());
        spawn(&executor, move || {
            own.sleep(ms(duration));
            log.add(format!("{duration} at {}", own.now().as_millis()));
        });
    }
    executor.run().unwrap();
    log.assert(&["10 at 10", "10 at 10", "20 at 20", "30 at 30"]);
}

#[test]
fn no_sleep_is_early_and_none_lasts_for_ever_that_is_over() {
    let executor = executor();
    let own = executor.clone();
    let handle = spawn(&executor, move || {
        own.sleep(Duration::from_nanos(1));
        let first = own.now();
        own.sleep(Duration::ZERO);
        own.sleep_until(Duration::ZERO);
        (first, own.now())
    });
    executor.run().unwrap();
    let moment = Duration::from_nanos(1);
    assert_eq!(handle.join(), (moment, moment));
}

#[test]
fn the_longest_sleep_is_no_overflow() {
    let machine = Still::default();
    machine.advance(ms(1));
    let executor = Executor::new(machine);
    let own = executor.clone();
    let handle = spawn(&executor, move || own.sleep(Duration::MAX));
    executor.run_until_idle();
    assert_eq!(executor.next_deadline(), Some(Duration::MAX));
    assert!(!handle.is_finished());
}

#[test]
fn ten_thousand_timers_fire_once_each() {
    let executor = executor();
    let handles: Vec<_> = (0..10_000u64)
        .map(|number| {
            let own = executor.clone();
            // SAFETY: it does next to nothing.
            let stack = unsafe { corun_core::HeapStack::new(16 * 1024) }.unwrap();
            executor.spawn(stack, move || {
                let deadline = ms(number * 7_919 % 10_000);
                own.sleep_until(deadline);
                own.now() - deadline
            })
        })
        .collect();
    executor.run().unwrap();
    assert!(
        handles
            .into_iter()
            .all(|handle| handle.join() == Duration::ZERO)
    );
    assert_eq!(executor.next_deadline(), None);
}
