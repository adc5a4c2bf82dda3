//! A stack that grew deep once does not keep its pages while its worker is idle.
#![cfg(target_os = "linux")]

mod common;

use corun_context::stack::{self, SlabStack, Stack, StackPool};

#[test]
fn deep_pages_go_back() {
    // An emulator, which is where guards take mappings today, need not give memory back.
    if stack::guards_take_mappings() {
        return;
    }
    let mut pool = StackPool::new(stack::DEFAULT_SIZE);
    let start = common::memory();
    let stacks: Vec<SlabStack> = (0..100).map(|_| pool.take().unwrap()).collect();
    for stack in stacks {
        let size = stack.top() as usize - stack.limit() as usize;
        // SAFETY: the stack is unused.
        unsafe { stack.limit().write_bytes(1, size) };
        pool.put(stack);
    }
    assert!(common::memory() - start > 100 * stack::DEFAULT_SIZE);
    assert!(pool.needs_trim());
    pool.trim();
    assert!(
        !pool.needs_trim(),
        "there is nothing to do until a stack is used again"
    );
    assert!(pool.len() >= 100);
    let left = common::memory() - start;
    assert!(left < 100 * 32 * 1024, "{left} bytes are left");

    let stack = pool.take().unwrap();
    assert!(!pool.needs_trim());
    pool.put(stack);
    assert!(pool.needs_trim());
}
