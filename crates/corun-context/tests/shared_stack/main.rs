//! Coroutines that share stacks: their values, the rules of nesting, how they end, and what memory they take.
#![cfg(feature = "std")]

#[path = "../common/mod.rs"]
mod common;

mod ends;
mod memory;
#[cfg(unix)]
mod overflow;
mod random;
mod rules;
mod values;

use std::cell::Cell;
use std::rc::Rc;

use corun_context::{Coroutine, SharedStack, Suspender};

/// The size of the stacks here: enough for what unoptimised code does on them.
const SIZE: usize = 1 << 20;

fn stack() -> SharedStack {
    SharedStack::new(SIZE).unwrap()
}

/// A coroutine of numbers on `stack`.
fn coroutine<R: 'static>(
    stack: &SharedStack,
    f: impl FnOnce(&Suspender<u64, u64, R>, u64) -> R + 'static,
) -> Coroutine<u64, u64, R> {
    // SAFETY: no closure of these tests gives away an address on its stack that anybody uses while it is suspended.
    unsafe { stack.coroutine(f) }
}

/// Calls `end` with `depth` frames below it, each with 256 bytes that are checked on the way back.
#[inline(never)]
fn at_depth<T>(depth: u64, end: &mut dyn FnMut() -> T) -> T {
    let frame = std::hint::black_box([depth; 32]);
    let result = if depth == 0 {
        end()
    } else {
        at_depth(depth - 1, end)
    };
    assert_eq!(std::hint::black_box(frame), [depth; 32]);
    result
}

/// Counts its drops.
#[derive(Clone, Default)]
struct Probe(Rc<Cell<u64>>);

impl Probe {
    fn drops(&self) -> u64 {
        self.0.get()
    }

    fn guard(&self) -> Guard {
        Guard(self.0.clone())
    }
}

struct Guard(Rc<Cell<u64>>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}
