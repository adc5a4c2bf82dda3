//! `blocking` gives back what the closure gives, lets it borrow, and runs it off the worker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

#[corun::test(workers = [1, 2, 8])]
fn the_closure_may_borrow_and_change_what_the_caller_owns() {
    let text = String::from("on the caller's stack");
    let mut lengths = Vec::new();
    for _ in 0..100 {
        corun::blocking(|| lengths.push(text.len()));
    }
    assert_eq!(lengths, [text.len(); 100]);
}

#[corun::test(workers = [1, 2, 8])]
fn it_runs_on_another_thread_and_outside_of_the_coroutine() {
    let (worker, me) = (thread::current().id(), corun::current().id());
    let (thread, coroutine) = corun::blocking(|| (thread::current().id(), corun::current().id()));
    assert_ne!(worker, thread);
    assert_ne!(me, coroutine);
    assert_eq!(
        worker,
        thread::current().id(),
        "the coroutine stays where it is"
    );
}

#[test]
fn on_a_plain_thread_it_runs_in_place() {
    let me = thread::current().id();
    assert_eq!(corun::blocking(|| thread::current().id()), me);
    assert_eq!(corun::try_blocking(|| 5).unwrap(), 5);
}

#[corun::test(workers = [1, 2, 8])]
fn a_panic_reaches_the_caller_with_its_payload() {
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::blocking(|| -> u32 { panic!("from the {}", std::hint::black_box("pool")) })
    }));
    assert_eq!(
        result.unwrap_err().downcast_ref::<String>().unwrap(),
        "from the pool"
    );
    let joined =
        corun::spawn(|| corun::blocking(|| std::panic::resume_unwind(Box::new(7_u8)))).join();
    assert_eq!(joined.unwrap_err().downcast_ref(), Some(&7_u8));
    assert_eq!(corun::blocking(|| 1), 1);
}

#[corun::test(workers = 2)]
fn blocking_within_blocking_runs_in_place() {
    let same = corun::blocking(|| {
        let outer = thread::current().id();
        corun::blocking(|| thread::current().id() == outer)
    });
    assert!(same);
}

#[corun::test(workers = 1)]
fn it_is_a_suspension_and_so_refused_in_no_suspend() {
    let mut ran = false;
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::no_suspend(|| corun::blocking(|| ran = true))
    }));
    assert!(result.is_err() && !ran);
    assert_eq!(corun::blocking(|| 2), 2);
}

#[corun::test(workers = [1, 2, 8])]
fn the_closure_and_its_captures_are_gone_when_the_call_returns() {
    let count = std::sync::Arc::new(());
    let captured = std::sync::Arc::clone(&count);
    corun::blocking(move || drop(captured));
    assert_eq!(std::sync::Arc::strong_count(&count), 1);
    let captured = std::sync::Arc::clone(&count);
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::blocking(move || {
            let _captured = captured;
            std::panic::resume_unwind(Box::new(()));
        })
    }));
    assert!(result.is_err());
    assert_eq!(std::sync::Arc::strong_count(&count), 1);
}
