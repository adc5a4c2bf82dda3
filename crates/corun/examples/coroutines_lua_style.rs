//! Full asymmetric coroutines as in Lua: create, resume, yield, status, wrap, running. Values travel both ways.
//!
//! ```text
//! cargo run --release --example coroutines_lua_style
//! ```

use std::cell::RefCell;
use std::rc::Rc;

use corun_context::{Coroutine, Resumed, Status};

/// The example of Lua's manual: what goes in and what comes out, step by step.
fn both_ways() {
    let co = Coroutine::<i32, i32, &str>::new(|suspender, a| {
        println!("  started with {a}");
        let b = suspender.suspend(a * 2);
        println!("  resumed with {b}");
        let c = suspender.suspend(a + b);
        println!("  resumed with {c}");
        "the end"
    });
    println!("{:?}: {:?}", co.status(), co.resume(10).unwrap());
    println!("{:?}: {:?}", co.status(), co.resume(20).unwrap());
    println!("{:?}: {:?}", co.status(), co.resume(30).unwrap());
    // A dead coroutine is not resumed, and gives the value back.
    let error = co.resume(40).unwrap_err();
    println!("{:?}: {error}", co.status());
    assert_eq!(co.status(), Status::Dead);
}

/// The survey's demonstration: two coroutines that alternate.
fn two_alternate() {
    let counter = |name: &'static str, from: i32| {
        Coroutine::<(), (), ()>::new(move |suspender, ()| {
            for number in from..from + 3 {
                println!("  {name}: {number}");
                suspender.suspend(());
            }
        })
    };
    let (first, second) = (counter("first", 0), counter("second", 100));
    while first.status() != Status::Dead && second.status() != Status::Dead {
        first.resume(()).unwrap();
        second.resume(()).unwrap();
    }
}

/// A chain of coroutines, each pulling from the one before it.
fn producer_filter_consumer() {
    let producer = Coroutine::<(), Option<String>, Option<String>>::new(|suspender, ()| {
        for word in ["a coroutine", "is a thread", "that waits its turn"] {
            suspender.suspend(Some(word.to_owned()));
        }
        None
    });
    // `wrap` makes a function of a coroutine whose yields and return value have one type.
    let mut produce = producer.wrap();
    let filter = Coroutine::<(), Option<String>, Option<String>>::new(move |suspender, ()| {
        let mut number = 0;
        while let Some(line) = produce(()) {
            number += 1;
            suspender.suspend(Some(format!("{number}: {line}")));
        }
        None
    });
    let mut lines = filter.wrap();
    while let Some(line) = lines(()) {
        println!("  {line}");
    }
}

/// Each is resumed by the one before it, so those outside are "normal": active, but not the one that runs.
fn nested() {
    type Plain = Coroutine<(), (), ()>;
    let outer: Rc<RefCell<Option<Rc<Plain>>>> = Rc::default();
    let seen = Rc::clone(&outer);
    let inner = Plain::new(move |_, ()| {
        let outer = seen.borrow().clone().expect("it has been stored");
        println!(
            "  inside: the outer one is {:?}, I am {:?}",
            outer.status(),
            corun_context::running()
        );
        // Neither can it be resumed a second time.
        println!("  resuming it from here: {}", outer.resume(()).unwrap_err());
    });
    let co = Rc::new(Plain::new(move |_, ()| {
        inner.resume(()).unwrap();
    }));
    outer.replace(Some(Rc::clone(&co)));
    co.resume(()).unwrap();
    // The coroutine is dead and the inner one with it; this breaks the cycle of counted references.
    outer.replace(None);
}

/// A panic inside goes on in whoever resumed, as an error does in Lua.
fn errors() {
    let co = Coroutine::<(), (), ()>::new(|_, ()| {
        std::panic::resume_unwind(Box::new("something is wrong"))
    });
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| co.resume(()).map(drop)));
    let message = caught.unwrap_err();
    println!(
        "  {:?}: {:?}",
        co.status(),
        message.downcast_ref::<&str>().unwrap()
    );
}

fn main() {
    println!("values both ways");
    both_ways();
    println!("two alternate");
    two_alternate();
    println!("producer, filter, consumer");
    producer_filter_consumer();
    println!("nested");
    nested();
    println!("errors");
    errors();

    let answers =
        Coroutine::<u32, u32, u32>::new(|suspender, first| suspender.suspend(first + 1) + 1);
    assert_eq!(answers.resume(1).unwrap(), Resumed::Yield(2));
    assert_eq!(answers.resume(5).unwrap(), Resumed::Return(6));
}
