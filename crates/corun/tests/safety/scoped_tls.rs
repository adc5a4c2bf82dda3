//! A known violator of the axiom in docs/safety.md: `scoped-tls` 1.0.1, which restores a thread-local pointer last in, first out.
//!
//! The demonstration does not follow the pointer that is left behind.

use std::cell::Cell;
use std::rc::Rc;

scoped_tls::scoped_thread_local!(static POINTER: u32);

#[corun::test(workers = 1)]
fn a_pointer_into_a_frame_that_is_gone_remains() {
    let (entered, may_end) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
    let enter = |turn: u32| {
        let (entered, may_end) = (Rc::clone(&entered), Rc::clone(&may_end));
        corun::spawn_local(move || {
            let own = turn;
            POINTER.set(&own, || {
                entered.set(turn);
                while may_end.get() < turn {
                    corun::yield_now();
                }
            });
        })
    };
    let wait_for = |turn| {
        while entered.get() < turn {
            corun::yield_now();
        }
    };
    let first = enter(1);
    wait_for(1);
    let second = enter(2);
    wait_for(2);
    // First in, first out: not what the crate relies on.
    may_end.set(1);
    first.join().expect("no panic");
    assert!(
        !POINTER.is_set(),
        "the second one is inside still, and its pointer is gone"
    );
    may_end.set(2);
    second.join().expect("no panic");
    assert!(
        POINTER.is_set(),
        "nobody is inside, and there is a pointer: to the first one's variable"
    );
}
