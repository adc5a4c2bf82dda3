//! After many coroutines have ended, the memory of their stacks goes back to the system: page tables as well.
#![cfg(target_os = "linux")]

mod common;

use corun_context::stack::{self, SlabStack, Stack, StackPool};

#[test]
fn memory_returns_after_many_have_ended() {
    // An emulator, which is where guards take mappings today, need not give memory back.
    if stack::guards_take_mappings() {
        return;
    }
    let count = 50_000;
    let mut pool = StackPool::new(stack::DEFAULT_SIZE);
    let mut stacks: Vec<SlabStack> = Vec::with_capacity(count);
    let (start, mappings) = (common::memory(), common::mappings());
    for round in 0..2 {
        for _ in 0..count {
            let stack = pool.take().unwrap();
            // SAFETY: the stack is unused.
            unsafe { stack.top().sub(8).cast::<u64>().write(1) };
            stacks.push(stack);
        }
        let peak = common::memory();
        assert!(peak - start > 4096 * count);
        // Not in the order in which they were taken, as coroutines do not end in order either.
        let mut index = 0;
        while !stacks.is_empty() {
            index = (index + 7919) % stacks.len();
            pool.put(stacks.swap_remove(index));
        }
        let mut steps = 0;
        while pool.needs_trim() {
            pool.trim();
            steps += 1;
            assert!(steps < count, "trimming does not end");
        }
        assert!(pool.len() < 1000);
        assert!(common::mappings().saturating_sub(mappings) < 20);
        let left = common::memory().saturating_sub(start);
        assert!(
            left < (peak - start) / 20,
            "round {round}: {left} bytes are left of {}",
            peak - start
        );
    }
}
