//! A frame larger than a page that is not probed page by page, as C compilers make them, meets the guard as well.
#![cfg(all(unix, feature = "std"))]

mod common;

use corun_context::stack::overflow::{self, AltStack};
use corun_context::stack::{DEFAULT_SIZE, SlabStack};

/// What such a frame does first: a write far below the stack pointer, with none between.
#[allow(unconditional_recursion, reason = "that is the point")]
#[inline(never)]
fn unprobed(depth: usize, frame: usize) -> usize {
    let here = std::hint::black_box(depth);
    let below = (&raw const here as usize - frame) as *mut u8;
    // SAFETY: none. While there is room it writes to unused stack, and then it is the overflow under test.
    unsafe { below.write_volatile(1) };
    unprobed(depth + 1, frame) + std::hint::black_box(here)
}

#[test]
fn frame_of_48_kib() {
    let output = common::in_child("frame_of_48_kib", || {
        overflow::install().unwrap();
        let _alt = AltStack::install().unwrap();
        let _below = SlabStack::new(DEFAULT_SIZE).unwrap();
        let stack = SlabStack::new(DEFAULT_SIZE).unwrap();
        common::call_on(&stack, || {
            unprobed(0, 48 * 1024);
        });
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("A coroutine has overflowed"),
        "{output:?}"
    );
}
