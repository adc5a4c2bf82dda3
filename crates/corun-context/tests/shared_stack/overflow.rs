//! Who overflows a shared stack meets its guard, however many lie on the heap.

use corun_context::stack::overflow::{self, AltStack};

use super::{common, coroutine, stack};

#[test]
fn an_overflow_is_reported() {
    let output = common::in_child("overflow::an_overflow_is_reported", || {
        overflow::install().unwrap();
        let _alt = AltStack::install().unwrap();
        let stack = stack();
        let others: Vec<_> = (0..10)
            .map(|n| coroutine(&stack, move |suspender, first| suspender.suspend(first) + n))
            .collect();
        for co in &others {
            co.resume(0).unwrap();
        }
        let _ = coroutine(&stack, |_, depth| common::recurse(depth)).resume(0);
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("its stack of 1024 KiB"),
        "{output:?}"
    );
}
