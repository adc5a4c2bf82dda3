//! What is not allowed says so.

use std::rc::Rc;

use corun_context::Generator;
use corun_core::{Event, Executor, HeapStack, WaitQueue, channel};

use crate::support::{Still, executor, ms, panic_of, spawn};

#[test]
fn waits_outside_of_coroutines_panic() {
    let executor = executor();
    let outside = "was called outside of the coroutines of its executor";
    assert_eq!(
        panic_of(|| executor.yield_now()),
        format!("yield_now {outside}")
    );
    assert_eq!(
        panic_of(|| executor.sleep(ms(1))),
        format!("sleep {outside}")
    );
    let (sender, receiver) = channel::<u32>(&executor, 0);
    assert_eq!(panic_of(|| receiver.recv()), format!("recv {outside}"));
    assert_eq!(panic_of(|| sender.send(1)), format!("send {outside}"));
    // A send that panics has left nothing behind.
    assert!(receiver.try_recv().is_err());
    let queue = WaitQueue::new(&executor);
    assert_eq!(panic_of(|| queue.wait()), format!("wait {outside}"));
    assert_eq!(
        panic_of(|| Event::new(&executor).wait()),
        format!("wait {outside}")
    );
    let handle = spawn(&executor, || ());
    assert_eq!(panic_of(|| handle.join()), format!("wait {outside}"));
    assert_eq!(executor.next_deadline(), None);
    executor.run().unwrap();
}

/// If such a wait suspended the outer coroutine with the generator's stack, whoever resumed the generator meanwhile would find it half-way through.
#[test]
fn waits_on_the_stack_of_a_generator_panic() {
    let executor = executor();
    let own = executor.clone();
    let handle = spawn(&executor, move || {
        let inner = own.clone();
        let items = Generator::<u32>::new(move |to| {
            to.suspend(1);
            inner.yield_now();
        });
        let first = (&items).next();
        let message = panic_of(|| (&items).next());
        own.yield_now();
        (first, message)
    });
    executor.run().unwrap();
    let (first, message) = handle.join();
    assert_eq!(first, Some(1));
    assert_eq!(
        message,
        "yield_now was called on the stack of an inner coroutine"
    );
}

#[test]
fn an_executor_inside_of_a_coroutine_runs_but_lends_its_stacks_to_nobody() {
    let outer = executor();
    let own = outer.clone();
    let handle = spawn(&outer, move || {
        let inner = Executor::new(Still::default());
        let (theirs, other) = (inner.clone(), own.clone());
        let nested = spawn(&inner, move || {
            theirs.sleep(ms(2));
            panic_of(|| other.yield_now())
        });
        inner.run().unwrap();
        own.yield_now();
        nested.join()
    });
    outer.run().unwrap();
    assert_eq!(
        handle.join(),
        "yield_now was called on the stack of an inner coroutine"
    );
}

#[test]
fn a_coroutine_cannot_run_its_own_executor() {
    let executor = executor();
    let own = executor.clone();
    let handle = spawn(&executor, move || panic_of(|| own.run().unwrap()));
    executor.run().unwrap();
    assert_eq!(
        handle.join(),
        "an executor was run by one of its own coroutines"
    );
}

#[test]
fn coroutines_that_nothing_can_wake_are_an_error_and_not_a_hang() {
    let executor = executor();
    let (sender, receiver) = channel::<u32>(&executor, 0);
    for _ in 0..2 {
        let receiver = receiver.clone();
        spawn(&executor, move || receiver.recv().is_ok());
    }
    let error = executor.run().unwrap_err();
    assert_eq!(error.waiting(), 2);
    assert_eq!(
        error.to_string(),
        "2 coroutines wait, and nothing is left that could wake them"
    );
    // Whoever called can still wake them.
    drop(sender);
    executor.run().unwrap();
    assert_eq!(executor.unfinished(), 0);
}

#[test]
fn a_closure_that_the_stack_has_no_room_for_is_refused() {
    let executor = executor();
    let large = [0u8; 8_000];
    // SAFETY: nothing is going to run on it.
    let stack = unsafe { HeapStack::new(8_192) }.unwrap();
    let message = panic_of(|| executor.spawn(stack, move || large.len()));
    assert!(
        message.contains("is too small for a closure of"),
        "{message}"
    );
    assert_eq!(executor.unfinished(), 0);
    executor.run().unwrap();
}

#[test]
fn one_queue_may_be_shared_by_coroutines_of_one_executor_only() {
    let (first, second) = (executor(), executor());
    let queue = Rc::new(WaitQueue::new(&first));
    let handle = spawn(&second, move || panic_of(|| queue.wait()));
    second.run().unwrap();
    assert_eq!(
        handle.join(),
        "wait was called outside of the coroutines of its executor"
    );
}
