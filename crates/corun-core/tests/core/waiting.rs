//! Wait queues.

use std::rc::Rc;

use corun_core::WaitQueue;

use crate::support::{Log, executor, ms, spawn};

#[test]
fn those_who_wait_are_called_up_in_the_order_in_which_they_came() {
    let (executor, log) = (executor(), Log::default());
    let queue = Rc::new(WaitQueue::new(&executor));
    for name in ["a", "b", "c", "d"] {
        let (queue, log) = (queue.clone(), log.clone());
        spawn(&executor, move || {
            queue.wait();
            log.add(name);
        });
    }
    executor.run_until_idle();
    assert!(queue.notify_one());
    executor.run_until_idle();
    log.assert(&["a"]);
    assert_eq!(queue.notify_all(), 3);
    assert!(!queue.notify_one(), "all have been called up");
    executor.run().unwrap();
    log.assert(&["a", "b", "c", "d"]);
}

#[test]
fn a_wait_ends_when_its_time_is_up_and_leaves_the_line() {
    let executor = executor();
    let queue = Rc::new(WaitQueue::new(&executor));
    let (theirs, own) = (queue.clone(), executor.clone());
    let handle = spawn(&executor, move || (theirs.wait_timeout(ms(5)), own.now()));
    executor.run().unwrap();
    assert_eq!(handle.join(), (false, ms(5)));
    assert!(!queue.notify_one());
    assert_eq!(format!("{queue:?}"), "WaitQueue { waiting: 0 }");
}

#[test]
fn a_wait_that_is_called_up_takes_its_timer_back() {
    let executor = executor();
    let queue = Rc::new(WaitQueue::new(&executor));
    let theirs = queue.clone();
    let handle = spawn(&executor, move || theirs.wait_timeout(ms(5)));
    executor.run_until_idle();
    queue.notify_one();
    executor.run().unwrap();
    assert!(handle.join());
    assert_eq!(executor.next_deadline(), None);
}

/// The timers of both fire in one round; the first one to run then calls somebody up. The other, whose time is up, must not swallow that.
#[test]
fn a_call_is_not_spent_on_one_whose_time_is_up_already() {
    let executor = executor();
    let queue = Rc::new(WaitQueue::new(&executor));
    let (theirs, own) = (queue.clone(), executor.clone());
    spawn(&executor, move || {
        own.sleep(ms(5));
        assert!(theirs.notify_one());
    });
    let late = queue.clone();
    let late = spawn(&executor, move || late.wait_timeout(ms(5)));
    let next = spawn(&executor, move || queue.wait_timeout(ms(1_000)));
    executor.run().unwrap();
    assert!(!late.join());
    assert!(next.join(), "the call went to the next in line");
}
