//! Selects allocate nothing, whether they wait or not, and whoever wins; so memory is flat over any number of them.
// What is allocated does not depend on the processor; and under an emulator, on a busy machine, workers are so slow that they are reported as stalled, which
// allocates.
#![cfg(target_arch = "x86_64")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::channel::{bounded, never, select};

/// Counts every allocation of the program.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const SELECTS: usize = if cfg!(debug_assertions) {
    200_000
} else {
    10_000_000
};

/// One test, as others in the same program would be counted too.
#[test]
fn ten_million_selects_allocate_nothing() {
    for workers in [1, 2] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(selects);
    }
}

fn selects() {
    let (to_first, first) = bounded::<usize>(0);
    let (to_second, second) = bounded::<usize>(0);
    let (quiet, _nobody_receives) = bounded::<[usize; 3]>(0);
    let (_nobody_sends, idle) = bounded::<[usize; 10]>(0);
    let (answers, answered) = bounded::<usize>(1);
    let partner = corun::spawn(move || {
        // Waits at three channels; two arms lose each time.
        loop {
            select! {
                recv(first) -> n => match n { Ok(n) => answers.send(n).unwrap(), Err(_) => return },
                recv(second) -> n => answers.send(n.unwrap() + 1).unwrap(),
                recv(idle) -> _ => unreachable!(),
            }
        }
    });
    let round = |n: usize| {
        select! {
            send(to_first, n) -> sent => sent.unwrap(),
            send(to_second, n) -> sent => sent.unwrap(),
            recv(never::<()>()) -> _ => unreachable!(),
        }
        assert!(answered.recv().unwrap() - n <= 1);
        select! {
            send(quiet, [n; 3]) -> _ => {}
            recv(answered) -> _ => unreachable!(),
            default => {}
        }
    };
    // What is set up on first use is not counted; nor what a time limit takes.
    (0..10).for_each(round);
    select! { recv(answered) -> _ => unreachable!(), send(quiet, [0; 3]) -> _ => {}, default(Duration::from_millis(1)) => {} }
    let before = ALLOCATIONS.load(Ordering::SeqCst);
    (0..SELECTS / 4).for_each(round);
    let after = ALLOCATIONS.load(Ordering::SeqCst);
    assert!(
        after - before < 100,
        "{} allocations in {SELECTS} selects",
        after - before
    );
    drop(to_first);
    partner.join().unwrap();
}
