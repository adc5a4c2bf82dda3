//! Many guarded stacks take few mappings, so that the default `vm.max_map_count` of 65,530 allows a million; and little memory each.
#![cfg(target_os = "linux")]

mod common;

use corun_context::stack::{self, SlabStack, Stack, StackPool};

/// The default of an optimised build.
const SIZE: usize = 184 * 1024;

#[test]
fn a_hundred_thousand_stacks() {
    let count = if stack::guards_take_mappings() {
        10_000
    } else {
        100_000
    };
    let mut pool = StackPool::new(SIZE);
    let mut stacks: Vec<SlabStack> = Vec::with_capacity(count);
    let (mappings, memory) = (common::mappings(), common::memory());
    for _ in 0..count {
        let stack = pool.take().unwrap();
        // SAFETY: the stack is unused.
        unsafe { stack.top().sub(8).cast::<u64>().write(1) };
        stacks.push(stack);
    }
    let (mappings, memory) = (common::mappings() - mappings, common::memory() - memory);
    // An emulator, which is where guards take mappings today, has costs of its own.
    if !stack::guards_take_mappings() {
        assert!(mappings < 100, "{mappings} mappings");
        assert!(memory / count <= 4700, "{} bytes each", memory / count);
    }
}
