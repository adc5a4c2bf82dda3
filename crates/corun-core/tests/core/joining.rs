//! Waiting for the end of a coroutine.

use crate::support::{Log, executor, ms, panic_of, spawn};

#[test]
fn join_returns_what_the_coroutine_returned() {
    let executor = executor();
    let (own, inner) = (executor.clone(), executor.clone());
    let outer = spawn(&executor, move || {
        let child = spawn(&inner, move || {
            own.sleep(ms(3));
            String::from("result")
        });
        (child.join(), inner.now())
    });
    executor.run().unwrap();
    assert_eq!(outer.join(), ("result".to_string(), ms(3)));
}

#[test]
fn join_of_one_that_has_ended_needs_no_coroutine() {
    let executor = executor();
    let handle = spawn(&executor, || 7);
    executor.run().unwrap();
    assert_eq!(handle.join(), 7);
}

#[test]
fn join_gives_the_handle_back_when_the_time_is_up() {
    let executor = executor();
    let own = executor.clone();
    let sleeper = spawn(&executor, move || {
        own.sleep(ms(10));
        1
    });
    let own = executor.clone();
    let joiner = spawn(&executor, move || {
        let sleeper = sleeper.join_timeout(ms(4)).expect_err("too soon");
        assert_eq!(own.now(), ms(4));
        let result = sleeper.join_timeout(ms(100)).expect("in time");
        (result, own.now())
    });
    executor.run().unwrap();
    assert_eq!(joiner.join(), (1, ms(10)));
    assert_eq!(
        executor.next_deadline(),
        None,
        "the second timer was taken back"
    );
}

#[test]
fn a_panic_ends_the_run_where_panics_unwind_and_the_rest_can_go_on() {
    let (executor, log) = (executor(), Log::default());
    let handle = spawn(&executor, || -> u32 { panic!("on purpose") });
    let other = log.clone();
    spawn(&executor, move || other.add("the other"));
    assert_eq!(panic_of(|| executor.run().unwrap()), "on purpose");
    assert_eq!(executor.current_id(), None);
    assert_eq!(executor.unfinished(), 1);
    executor.run().unwrap();
    log.assert(&["the other"]);
    assert!(handle.is_finished());
    assert_eq!(panic_of(|| handle.join()), "coroutine 1 has panicked");
}
