//! A suspended coroutine costs the bytes that it uses on its stack, and little more; without memory there is an error.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::ptr;

use corun_context::{Resumed, Status};

use super::{Probe, at_depth, coroutine, stack};

/// Counts the bytes that each thread has allocated, and fails if told so.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static BYTES: Cell<isize> = const { Cell::new(0) };
    /// Larger allocations than this fail.
    static LARGEST: Cell<usize> = const { Cell::new(usize::MAX) };
}

// SAFETY: it is the system's allocator, and counts; the counters allocate nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if LARGEST
            .try_with(|largest| layout.size() > largest.get())
            .unwrap_or(false)
        {
            return ptr::null_mut();
        }
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + layout.size() as isize));
        // SAFETY: the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() - layout.size() as isize));
        // SAFETY: the same contract.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// What lies on the heap beside the frames: the block and its list pointers. 104 bytes, and the closure.
const BLOCK: isize = 160;

/// How much of the stack is used at a place: from an address there to the highest one that is known of the same stack.
fn address() -> u64 {
    let marker = 0u8;
    (&raw const marker).addr() as u64
}

#[test]
fn what_is_used_is_what_it_costs() {
    const COUNT: isize = 500;
    for depth in [0, 10, 100] {
        let stack = stack();
        let before = BYTES.get();
        let mut used = Vec::with_capacity(COUNT as usize);
        let coroutines: Vec<_> = (0..COUNT)
            .map(|_| {
                let co = coroutine(&stack, move |suspender, _| {
                    let root = address();
                    at_depth(depth, &mut || suspender.suspend(root - address()))
                });
                used.push(co.resume(0).unwrap().yielded().unwrap());
                co
            })
            .collect();
        let handles = (COUNT as usize * (size_of_val(&coroutines[0]) + 8)) as isize;
        let each = (BYTES.get() - before - handles) / COUNT;
        // Below the one address and above the other there are a few frames more: those of the first function, and of `suspend`.
        let used = used[0] as isize;
        assert!(used >= depth as isize * 256);
        // All but the one that lies on the stack have been saved.
        let least = used * (COUNT - 1) / COUNT;
        assert!(
            (least..used + BLOCK + 2500).contains(&each),
            "{each} bytes for {used} in use, {depth} deep"
        );
        for co in &coroutines {
            assert_eq!(co.resume(9).unwrap(), Resumed::Return(9));
        }
        // The dead have nothing on the heap but their blocks.
        let each = (BYTES.get() - before - handles) / COUNT;
        assert!(each < BLOCK, "{each} bytes for a dead one");
        drop(coroutines);
    }
}

#[test]
fn a_hundred_thousand_that_wait() {
    let (stack, before) = (stack(), BYTES.get());
    let coroutines: Vec<_> = (0..100_000u64)
        .map(|n| {
            let co = coroutine(&stack, move |suspender, _| suspender.suspend(n) + n);
            co.resume(0).unwrap();
            co
        })
        .collect();
    let each = (BYTES.get() - before) / 100_000;
    // An optimised one takes 450 bytes, and one that is not three times that.
    assert!(
        each < if cfg!(debug_assertions) { 4000 } else { 1000 },
        "{each} bytes for each"
    );
    for (n, co) in coroutines.iter().enumerate().rev() {
        assert_eq!(co.resume(1).unwrap(), Resumed::Return(n as u64 + 1));
    }
    drop(coroutines);
    assert_eq!(BYTES.get(), before);
}

#[test]
fn it_grows_and_shrinks_with_the_depth() {
    let stack = stack();
    let co = coroutine(&stack, |suspender, mut depth| {
        loop {
            depth = at_depth(depth, &mut || suspender.suspend(depth));
        }
        #[allow(unreachable_code, reason = "it names the type")]
        ()
    });
    let other = coroutine(&stack, |suspender, mut n| {
        loop {
            n = suspender.suspend(n);
        }
        #[allow(unreachable_code, reason = "it names the type")]
        ()
    });
    other.resume(0).unwrap();
    let costs = |depth| {
        co.resume(depth).unwrap();
        other.resume(0).unwrap();
        BYTES.get()
    };
    let (flat, deep) = (costs(0), costs(300));
    assert!(deep - flat >= 300 * 256, "{flat} {deep}");
    assert_eq!((costs(0), costs(300), costs(0)), (flat, deep, flat));
}

#[test]
fn all_memory_comes_back() {
    let stack = stack();
    let round = || {
        let probe = Probe::default();
        let coroutines: Vec<_> = (0..100)
            .map(|n| {
                let guard = probe.guard();
                let co = coroutine(&stack, move |suspender, first| {
                    let _guard = guard;
                    at_depth(n, &mut || suspender.suspend(first))
                });
                if n % 10 != 0 {
                    co.resume(n).unwrap();
                }
                if n % 3 == 0 {
                    co.resume(n).unwrap();
                }
                co
            })
            .collect();
        drop(coroutines);
        assert_eq!(probe.drops(), 100);
    };
    round();
    let before = BYTES.get();
    round();
    assert_eq!(BYTES.get(), before);
}

#[test]
fn without_memory_nothing_is_lost() {
    let (stack, probe) = (stack(), Probe::default());
    let make = || {
        let guard = probe.guard();
        let co = coroutine(&stack, move |suspender, n| {
            let _guard = guard;
            at_depth(200, &mut || suspender.suspend(n + 1))
        });
        co.resume(0).unwrap();
        co
    };
    let away = make();
    let doomed = make();
    let resident = make();
    // To resume another one than the resident takes some 60 KiB for the latter.
    LARGEST.set(16 * 1024);
    for _ in 0..3 {
        let error = away.resume(5).unwrap_err();
        assert!(
            error.is_out_of_memory() && error.to_string().contains("no memory"),
            "{error}"
        );
        assert_eq!((error.status(), error.into_input()), (Status::Suspended, 5));
    }
    let private = corun_context::Coroutine::<u64, u64, u64>::new(move |suspender, n| {
        let error = suspender.transfer(&away, n).unwrap_err();
        assert!(error.is_out_of_memory());
        suspender.suspend(1);
        suspender.transfer(&away, 8).unwrap()
    });
    assert_eq!(private.resume(0).unwrap(), Resumed::Yield(1));
    // It cannot be put on the stack to be unwound, and has to wait.
    drop(doomed);
    assert_eq!((probe.drops(), stack.is_in_use()), (0, false));
    LARGEST.set(usize::MAX);
    // It comes first at the next occasion.
    assert_eq!(resident.resume(7).unwrap(), Resumed::Return(7));
    assert_eq!(probe.drops(), 2);
    assert_eq!(private.resume(0).unwrap(), Resumed::Return(8));
    assert_eq!(probe.drops(), 3);
}
