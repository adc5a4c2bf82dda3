//! A pool whose thread is never idle gives back what was not used for a second, and keeps what is.
#![cfg(unix)]

use std::time::{Duration, Instant};

use corun_context::stack::{MIN_SIZE, SlabStack, StackPool};

const TICK: Duration = Duration::from_millis(10);

/// Uses so many stacks at once.
fn burst(pool: &mut StackPool, count: usize) {
    let stacks: Vec<SlabStack> = (0..count).map(|_| pool.take().unwrap()).collect();
    stacks.into_iter().for_each(|stack| pool.put(stack));
}

#[test]
fn only_what_is_not_used_goes_back() {
    let mut pool = StackPool::new(MIN_SIZE);
    let mut now = Instant::now();
    for tick in 0..500 {
        // All are used, if only about twice in a second.
        burst(&mut pool, if tick % 45 == 0 { 5000 } else { 300 });
        pool.trim_surplus(now);
        now += TICK;
    }
    assert!(pool.len() >= 5000);

    for _ in 0..1000 {
        burst(&mut pool, 300);
        pool.trim_surplus(now);
        now += TICK;
    }
    assert!((300..1000).contains(&pool.len()), "{} are kept", pool.len());
    assert!(
        pool.needs_trim(),
        "page tables can go back when there is time"
    );
    while pool.needs_trim() {
        pool.trim();
    }

    burst(&mut pool, 5000);
    assert!(pool.len() >= 5000);
}
