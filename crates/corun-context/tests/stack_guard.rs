//! The 64 KiB below each stack fault, also after its memory was given back and its slot handed out again.
#![cfg(unix)]

use corun_context::stack::{DEFAULT_SIZE, MIN_SIZE, OsStack, SlabStack, Stack, StackPool};

const GUARD: usize = 64 * 1024;

/// Whether a byte can be read, found out without a crash: the system refuses to write from where nothing can be read.
fn is_readable(address: usize) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: the pointers are to locals, except the one under test, which only the system reads.
    unsafe {
        assert_eq!(libc::pipe(pipe.as_mut_ptr()), 0);
        let written = libc::write(pipe[1], address as *const libc::c_void, 1);
        for end in pipe {
            libc::close(end);
        }
        written == 1
    }
}

#[track_caller]
fn check(stack: &impl Stack) {
    let limit = stack.limit() as usize;
    for page in (limit - GUARD..limit).step_by(4096) {
        assert!(
            !is_readable(page) && !is_readable(page + 4095),
            "a hole in the guard"
        );
    }
    assert!(is_readable(limit) && is_readable(stack.top() as usize - 1));
}

#[test]
fn of_a_stack_of_its_own() {
    check(&OsStack::new(DEFAULT_SIZE).unwrap());
    check(&OsStack::new(MIN_SIZE + 1).unwrap());
}

#[test]
fn of_neighbours() {
    let stacks: Vec<SlabStack> = (0..10)
        .map(|_| SlabStack::new(DEFAULT_SIZE).unwrap())
        .collect();
    stacks.iter().for_each(check);
}

#[test]
fn after_trimming() {
    let mut pool = StackPool::new(MIN_SIZE);
    for _ in 0..3 {
        let stacks: Vec<SlabStack> = (0..1000).map(|_| pool.take().unwrap()).collect();
        stacks.iter().step_by(37).for_each(check);
        stacks.into_iter().for_each(|stack| pool.put(stack));
        while pool.needs_trim() {
            pool.trim();
        }
    }
}

#[test]
fn after_a_drop() {
    let stacks: Vec<SlabStack> = (0..10).map(|_| SlabStack::new(1 << 20).unwrap()).collect();
    let limits: Vec<usize> = stacks.iter().map(|stack| stack.limit() as usize).collect();
    drop(stacks);
    let again: Vec<SlabStack> = (0..10).map(|_| SlabStack::new(1 << 20).unwrap()).collect();
    assert!(
        again
            .iter()
            .any(|stack| limits.contains(&(stack.limit() as usize)))
    );
    again.iter().for_each(check);
}
