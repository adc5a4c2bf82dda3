//! A known violator of the axiom in docs/safety.md: the lazy initialiser of a `thread_local!` that suspends.
//!
//! The demonstration stops short of undefined behaviour proper: the reference that is left dangling is not used any more.

use std::cell::Cell;
use std::rc::Rc;

struct Value;

thread_local! {
    static CALLS: Cell<u32> = const { Cell::new(0) };
    static DROPPED: Cell<u32> = const { Cell::new(0) };
    static MAY_GO_ON: Cell<bool> = const { Cell::new(false) };
    static LAZY: Value = {
        CALLS.set(CALLS.get() + 1);
        if CALLS.get() == 1 {
            // Only the first caller waits, in the middle of the initialisation.
            while !MAY_GO_ON.get() {
                corun::yield_now();
            }
        }
        Value
    };
}

impl Drop for Value {
    fn drop(&mut self) {
        DROPPED.set(DROPPED.get() + 1);
    }
}

#[corun::test(workers = 1)]
fn the_value_is_replaced_while_it_is_borrowed() {
    let first = corun::spawn_local(|| LAZY.with(|_| ()));
    while CALLS.get() < 1 {
        corun::yield_now();
    }
    let done = Rc::new(Cell::new(false));
    let seen = Rc::clone(&done);
    let second = corun::spawn_local(move || {
        LAZY.with(|_borrowed| {
            assert_eq!(
                (CALLS.get(), DROPPED.get()),
                (2, 0),
                "initialised a second time"
            );
            MAY_GO_ON.set(true);
            while !seen.get() {
                corun::yield_now();
            }
            // The first caller has put its own value in place of the one that is borrowed here.
            assert_eq!(DROPPED.get(), 1);
        });
    });
    first.join().expect("no panic");
    done.set(true);
    second.join().expect("no panic");
}

/// The remedy: the violation becomes a panic, before anything is unsound.
#[corun::test(workers = 1)]
fn no_suspend_makes_a_panic_of_it() {
    thread_local! {
        static GUARDED: Value = corun::no_suspend(|| {
            corun::yield_now();
            Value
        });
    }
    assert!(corun::spawn_local(|| GUARDED.with(|_| ())).join().is_err());
}
