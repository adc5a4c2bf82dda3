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

/// Between two steps a crowd may take what the first found to be too much.
#[test]
fn what_was_taken_meanwhile_is_no_surplus() {
    for left in [0, 1, 300, 4000] {
        let mut pool = StackPool::new(MIN_SIZE);
        let mut now = Instant::now();
        burst(&mut pool, 5000);
        for _ in 0..2 {
            pool.trim_surplus(now);
            now += Duration::from_secs(1);
        }
        let taken: Vec<SlabStack> = (left..pool.len()).map(|_| pool.take().unwrap()).collect();
        for _ in 0..1000 {
            pool.trim_surplus(now);
            now += TICK;
        }
        assert!(pool.len() <= left);
        taken.into_iter().for_each(|stack| pool.put(stack));
        burst(&mut pool, 5000);
    }
}
