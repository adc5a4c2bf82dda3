//! The child of a fork can take and give back stacks, although other threads were doing so when it was made.
#![cfg(unix)]

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use corun_context::stack::{self, SlabStack, Stack};

fn use_stacks() {
    for _ in 0..20 {
        let stack = SlabStack::new(stack::MIN_SIZE).unwrap();
        // SAFETY: the stack is unused.
        unsafe { stack.limit().write(1) };
    }
}

#[test]
fn child_uses_stacks() {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                use_stacks();
            }
        });
        let mine = SlabStack::new(stack::MIN_SIZE).unwrap();
        for _ in 0..50 {
            // SAFETY: the child only does what a child of a process with threads may: it uses stacks, which locks nothing that
            // another thread can have held, and exits.
            unsafe {
                let child = libc::fork();
                assert!(child >= 0);
                if child == 0 {
                    // A lock that nobody will ever unlock must not hang the test.
                    libc::alarm(60);
                    mine.limit().write(2);
                    use_stacks();
                    libc::_exit(0);
                }
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                assert_eq!(status, 0, "the child died");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
