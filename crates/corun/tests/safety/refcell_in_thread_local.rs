//! A known violator of the axiom in docs/safety.md: a `RefCell` in a thread-local that is borrowed across a suspension. It ends in a
//! panic, not in undefined behaviour.

use std::cell::{Cell, RefCell};

thread_local! {
    static SHARED: RefCell<u32> = const { RefCell::new(0) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

#[corun::test(workers = 1)]
fn the_second_borrower_panics() {
    let first = corun::spawn_local(|| {
        SHARED.with_borrow_mut(|shared| {
            INSIDE.set(true);
            while INSIDE.get() {
                corun::yield_now();
            }
            *shared += 1;
        });
    });
    while !INSIDE.get() {
        corun::yield_now();
    }
    let second = corun::spawn_local(|| SHARED.with_borrow_mut(|shared| *shared += 1));
    assert!(second.join().is_err(), "it is borrowed already");
    INSIDE.set(false);
    first.join().expect("no panic");
    assert_eq!(SHARED.take(), 1);
}

/// The remedy: end the borrow before the wait.
#[corun::test(workers = 1)]
fn short_borrows_do_no_harm() {
    let adders: Vec<_> = (0..10)
        .map(|_| {
            corun::spawn_local(|| {
                for _ in 0..10 {
                    SHARED.with_borrow_mut(|shared| *shared += 1);
                    corun::yield_now();
                }
            })
        })
        .collect();
    for adder in adders {
        adder.join().expect("no panic");
    }
    assert_eq!(SHARED.take(), 100);
}
