//! A Rust function that recurses too deep is reported and ends the process, on any kind of guarded stack.
#![cfg(all(unix, feature = "std"))]

mod common;

use corun_context::stack::overflow::{self, AltStack, Overflow};
use corun_context::stack::{DEFAULT_SIZE, OsStack, SlabStack};

fn overflow() {
    common::recurse(0);
}

#[test]
fn on_a_slab_stack() {
    let output = common::in_child("on_a_slab_stack", || {
        overflow::install().unwrap();
        let _alt = AltStack::install().unwrap();
        let _others: Vec<SlabStack> = (0..100)
            .map(|_| SlabStack::new(184 * 1024).unwrap())
            .collect();
        common::call_on(&SlabStack::new(184 * 1024).unwrap(), overflow);
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("A coroutine has overflowed its stack of 18"),
        "{output:?}"
    );
}

#[test]
fn on_a_stack_of_its_own() {
    let output = common::in_child("on_a_stack_of_its_own", || {
        overflow::install().unwrap();
        let _alt = AltStack::install().unwrap();
        let _other = OsStack::new(DEFAULT_SIZE).unwrap();
        drop(OsStack::new(DEFAULT_SIZE).unwrap());
        common::call_on(&OsStack::new(1 << 20).unwrap(), overflow);
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("its stack of 1024 KiB"),
        "{output:?}"
    );
}

#[test]
fn without_an_alternate_stack_of_ours() {
    let output = common::in_child("without_an_alternate_stack_of_ours", || {
        overflow::install().unwrap();
        common::call_on(&SlabStack::new(DEFAULT_SIZE).unwrap(), overflow);
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("A coroutine has overflowed"),
        "{output:?}"
    );
}

#[test]
fn through_a_reporter() {
    fn reporter(overflow: &Overflow) {
        // The top of the stack can be read: a runtime keeps its notes there.
        // SAFETY: below the top lies memory of the stack; nothing else runs on this thread.
        let mark = unsafe { (overflow.top as *const u64).sub(1).read_volatile() };
        let text: &[u8] = match (mark, overflow.address < overflow.limit) {
            (0x636f72756e, true) => b"reported with its mark",
            _ => b"reported without its mark",
        };
        // SAFETY: the bytes are readable.
        unsafe { libc::write(2, text.as_ptr().cast(), text.len()) };
    }

    struct Marked(OsStack);

    // SAFETY: the stack is the inner one but for its uppermost 16 bytes, which hold a mark.
    unsafe impl corun_context::stack::Stack for Marked {
        fn top(&self) -> *mut u8 {
            self.0.top().wrapping_sub(16)
        }
        fn limit(&self) -> *mut u8 {
            self.0.limit()
        }
    }

    let output = common::in_child("through_a_reporter", || {
        overflow::install().unwrap();
        // SAFETY: the function only writes.
        unsafe { overflow::set_reporter(reporter) };
        let _alt = AltStack::install().unwrap();
        let stack = OsStack::new(1 << 20).unwrap();
        // SAFETY: the stack is unused.
        unsafe {
            corun_context::stack::Stack::top(&stack)
                .cast::<u64>()
                .sub(1)
                .write(0x636f72756e)
        };
        common::call_on(&Marked(stack), overflow);
    });
    assert_eq!(common::signal(&output), Some(libc::SIGABRT));
    assert!(
        common::stderr(&output).contains("reported with its mark"),
        "{output:?}"
    );
}
