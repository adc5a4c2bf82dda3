//! A backtrace taken in a coroutine shows its frames and ends at the root of its stack.
#![cfg(feature = "std")]

use std::backtrace::Backtrace;

use corun_context::{Coroutine, Suspender};

#[inline(never)]
fn a_frame_of_the_user(suspender: &Suspender<(), Backtrace, ()>) {
    suspender.suspend(std::hint::black_box(Backtrace::force_capture()));
}

#[inline(never)]
fn the_resumer(co: &Coroutine<(), Backtrace, ()>) -> String {
    std::hint::black_box(co.resume(()).unwrap().yielded().unwrap()).to_string()
}

#[test]
fn it_ends_at_the_root() {
    let co = Coroutine::new(|suspender, ()| a_frame_of_the_user(suspender));
    let trace = the_resumer(&co);
    assert!(trace.contains("a_frame_of_the_user"), "{trace}");
    assert!(!trace.contains("the_resumer"), "{trace}");
    let root = trace.lines().rfind(|line| line.contains("::")).unwrap();
    assert!(root.contains("corun_context::"), "{trace}");
}
