//! Stacks: from the heap, of the caller's, too small ones.

use std::ptr::NonNull;

use corun_core::{HeapStack, Stack, UnguardedStack};

use crate::support::{Drops, Probe, executor, panic_of, stack};

#[test]
fn a_heap_stack_has_the_size_that_was_asked_for() {
    for size in [4_096, 4_097, 100_000] {
        // SAFETY: nothing runs on it.
        let stack = unsafe { HeapStack::new(size) }.unwrap();
        let bytes = stack.top().addr() - stack.limit().addr();
        assert_eq!(bytes, size.next_multiple_of(16));
        assert_eq!(stack.top().addr() % 16, 0);
    }
}

#[test]
fn sizes_that_cannot_be_had_are_errors() {
    for size in [0, 4_095, usize::MAX, isize::MAX as usize, 1 << 62] {
        // SAFETY: there is none.
        let error = unsafe { HeapStack::new(size) }.unwrap_err();
        assert_eq!(error.requested_size(), size);
        let expected = if size < 4_096 {
            "too small"
        } else {
            "the heap has no"
        };
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// A stack of the caller's, which is given back when the coroutine has ended.
struct Lent(
    UnguardedStack,
    #[expect(dead_code, reason = "tells of the drop")] Probe,
);

// SAFETY: as the one inside.
unsafe impl Stack for Lent {
    fn top(&self) -> *mut u8 {
        self.0.top()
    }
    fn limit(&self) -> *mut u8 {
        self.0.limit()
    }
}

#[test]
fn a_stack_of_the_callers_is_given_back_at_the_end() {
    let memory = NonNull::from(Box::leak(Box::new([0u128; 8_192]))).cast::<u8>();
    let (executor, drops) = (executor(), Drops::default());
    for round in 1..=3 {
        // SAFETY: leaked, used by one coroutine at a time, and large enough.
        let stack = unsafe { UnguardedStack::new(memory, 128 * 1024) };
        let handle = executor.spawn(Lent(stack, drops.probe()), move || {
            let local = 0u8;
            (&raw const local).addr()
        });
        assert_eq!(drops.count(), round - 1);
        executor.run().unwrap();
        assert_eq!(
            drops.count(),
            round,
            "freed at the end, though the handle is still there"
        );
        let at = handle.join();
        assert!((memory.addr().get()..memory.addr().get() + 128 * 1024).contains(&at));
    }
}

/// What writes beyond the end of a stack meets the pattern there first. This stack is one of two halves, so that the other half takes the damage.
#[test]
fn an_overflow_is_found_out_when_the_coroutine_gives_way_or_ends() {
    const HALF: usize = 128 * 1024;
    for gives_way in [true, false] {
        let whole = std::mem::ManuallyDrop::new(stack_of(2 * HALF));
        let middle = whole.limit().wrapping_add(HALF);
        // SAFETY: the upper half, of memory that is leaked; what overflows it stays in the lower half.
        let upper = unsafe { UnguardedStack::new(NonNull::new(middle).unwrap(), HALF) };
        let executor = executor();
        let own = executor.clone();
        let handle = executor.spawn(upper, move || {
            let depth = deep(HALF + 1_024, (&raw const own).addr());
            if gives_way {
                own.yield_now();
            }
            depth
        });
        let message = panic_of(|| executor.run().unwrap());
        assert_eq!(
            message,
            "coroutine 1 has overflowed its stack of 131072 bytes"
        );
        assert_eq!(handle.is_finished(), !gives_way);
    }
}

fn stack_of(size: usize) -> HeapStack {
    // SAFETY: see where it is used.
    unsafe { HeapStack::new(size) }.unwrap()
}

/// Uses at least `bytes` of the stack below `top`, and writes to all of them.
#[inline(never)]
fn deep(bytes: usize, top: usize) -> usize {
    let frame = std::hint::black_box([1u8; 512]);
    let used = top.saturating_sub(frame.as_ptr().addr());
    if used >= bytes {
        return used;
    }
    let below = deep(bytes, top);
    below.max(usize::from(std::hint::black_box(frame)[0]))
}

#[test]
fn a_guarded_stack_of_corun_context_serves_as_well() {
    let executor = executor();
    let guarded = corun_context::stack::DefaultStack::new().unwrap();
    let handle = executor.spawn(guarded, || "guarded");
    let plain = executor.spawn(stack(), || "plain");
    executor.run().unwrap();
    assert_eq!((handle.join(), plain.join()), ("guarded", "plain"));
}
