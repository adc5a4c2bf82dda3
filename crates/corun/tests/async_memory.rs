//! What tasks take: a small block each while they live, and nothing afterwards.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::{spawn_async, yield_now};

/// Bytes that are allocated and not freed.
static BYTES: AtomicUsize = AtomicUsize::new(0);

struct Counting;

// SAFETY: the system's allocator, which is called with what is asked for.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's contract.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROUNDS: usize = if cfg!(debug_assertions) { 20 } else { 1_000 };
const EACH: usize = 1_000;

/// One test, as others in the same program would be counted too.
#[test]
fn tasks_take_little_and_leave_nothing() {
    for workers in [1, 2] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(|| {
            waiting_tasks_are_small();
            // A million tasks, in an optimised build: those that end, those that nobody can wake and those that are cancelled.
            rounds(ROUNDS / 10);
            let before = BYTES.load(Ordering::SeqCst);
            rounds(ROUNDS);
            let after = BYTES.load(Ordering::SeqCst);
            let grown = after.saturating_sub(before);
            assert!(
                grown < 300_000,
                "{grown} bytes more after {} tasks",
                ROUNDS * EACH
            );
        });
    }
}

fn rounds(count: usize) {
    for _ in 0..count {
        let ending: Vec<_> = (0..EACH / 2)
            .map(|n| spawn_async(async move { n }))
            .collect();
        (0..EACH / 4).for_each(|_| drop(spawn_async(std::future::pending::<()>())));
        let cancelled: Vec<_> = (0..EACH / 4)
            .map(|_| spawn_async(std::future::pending::<()>()))
            .collect();
        cancelled.iter().for_each(corun::JoinHandle::cancel);
        ending.into_iter().for_each(|task| _ = task.join().unwrap());
        cancelled
            .into_iter()
            .for_each(|task| assert!(task.join().is_err()));
    }
}

fn waiting_tasks_are_small() {
    const CROWD: usize = 10_000;
    static WAITING: AtomicUsize = AtomicUsize::new(0);
    WAITING.store(0, Ordering::SeqCst);
    let mut tasks = Vec::with_capacity(CROWD);
    let before = BYTES.load(Ordering::SeqCst);
    for _ in 0..CROWD {
        // A future that holds nothing.
        tasks.push(spawn_async(std::future::poll_fn(|_| {
            WAITING.fetch_add(1, Ordering::SeqCst);
            std::task::Poll::<()>::Pending
        })));
    }
    while WAITING.load(Ordering::SeqCst) < CROWD {
        yield_now();
    }
    let each = (BYTES.load(Ordering::SeqCst) - before) / CROWD;
    assert!(each < 200, "{each} bytes a task");
    tasks.iter().for_each(corun::JoinHandle::cancel);
    tasks
        .into_iter()
        .for_each(|task| assert!(task.join().is_err()));
}
