//! A pool hands out the stack that was put back last, and distinct, usable stacks otherwise.
#![cfg(all(unix, feature = "std"))]

use corun_context::stack::{self, SlabStack, Stack, StackPool};

/// Writes to the whole stack.
fn fill(stack: &SlabStack) {
    let (limit, top) = (stack.limit() as usize, stack.top() as usize);
    assert!(top - limit >= stack::DEFAULT_SIZE && top.is_multiple_of(16));
    // SAFETY: nobody else uses the stack.
    unsafe { stack.limit().write_bytes(0xa5, top - limit) };
}

#[test]
fn last_in_first_out() {
    let mut pool = StackPool::new(stack::DEFAULT_SIZE);
    let (a, b) = (pool.take().unwrap(), pool.take().unwrap());
    let (top_a, top_b) = (a.top(), b.top());
    pool.put(a);
    pool.put(b);
    assert_eq!(pool.take().unwrap().top(), top_b);
    assert_eq!(pool.take().unwrap().top(), top_a);
}

#[test]
fn stacks_do_not_overlap() {
    let mut pool = StackPool::new(stack::DEFAULT_SIZE);
    let mut stacks: Vec<SlabStack> = (0..1000).map(|_| pool.take().unwrap()).collect();
    stacks.iter().for_each(fill);
    stacks.sort_by_key(SlabStack::top);
    for pair in stacks.windows(2) {
        assert!(pair[0].top() < pair[1].limit());
    }
}

#[test]
fn impossible_sizes_are_errors() {
    for size in [0, 1, stack::MIN_SIZE - 1, stack::MAX_SIZE + 1, usize::MAX] {
        let error = StackPool::new(size).take().unwrap_err();
        assert!(error.is_invalid_size(), "{error}");
    }
}

#[test]
fn stacks_go_back_from_any_thread() {
    let stacks: Vec<SlabStack> = (0..100)
        .map(|_| SlabStack::new(stack::MIN_SIZE).unwrap())
        .collect();
    std::thread::spawn(move || drop(stacks)).join().unwrap();
    let again = SlabStack::new(stack::MIN_SIZE).unwrap();
    assert!(again.top() > again.limit());
}

#[test]
fn every_stack_can_be_taken_again() {
    let mut pool = StackPool::new(stack::MIN_SIZE);
    for _ in 0..3 {
        let stacks: Vec<SlabStack> = (0..2000).map(|_| pool.take().unwrap()).collect();
        let mut tops: Vec<usize> = stacks.iter().map(|stack| stack.top() as usize).collect();
        tops.sort();
        tops.dedup();
        assert_eq!(tops.len(), stacks.len());
        for stack in stacks {
            // SAFETY: the stack is unused.
            unsafe { stack.limit().write(1) };
            pool.put(stack);
        }
        while pool.needs_trim() {
            pool.trim();
        }
    }
}

#[test]
fn what_was_taken_is_known_until_it_is_put_back() {
    let mut pool = StackPool::new(stack::MIN_SIZE);
    assert!(pool.in_use().is_empty());
    let mut stacks: Vec<SlabStack> = (0..2000).map(|_| pool.take().unwrap()).collect();
    while stacks.len() > 3 {
        let (mut known, mut taken) = (
            pool.in_use(),
            Vec::from_iter(stacks.iter().map(SlabStack::top)),
        );
        known.sort();
        taken.sort();
        assert_eq!(known, taken);
        stacks
            .drain(..stacks.len() / 2)
            .for_each(|stack| pool.put(stack));
        while pool.needs_trim() {
            pool.trim();
        }
    }
}
