//! Mutexes that one thread has had for itself for long, and then has to share: at any moment, from inside of it or outside.

use crate::common::everywhere;
use corun::sync::atomic::{AtomicBool, Ordering};
use corun::sync::{Arc, Mutex};

#[test]
fn others_may_come_at_any_moment() {
    everywhere(|place| {
        for round in 0..60_usize {
            let shared = Arc::new((Mutex::new(0_usize), AtomicBool::new(false)));
            let at_home = Arc::clone(&shared);
            let at_home = place.spawn(move || {
                let mut count = 0;
                while !at_home.1.load(Ordering::Relaxed) || count < 300 {
                    let mut value = at_home.0.lock().unwrap();
                    let before = *value;
                    if count % 97 == 96 {
                        corun::yield_now();
                    }
                    *value = before + 1;
                    count += 1;
                }
                count
            });
            // A thread of its own, wherever the first one is.
            let other = Arc::clone(&shared);
            let other = std::thread::spawn(move || {
                while *other.0.lock().unwrap() < 3 * round {
                    std::thread::yield_now();
                }
                for _ in 0..100 {
                    let mut value = loop {
                        if let Ok(value) = other.0.try_lock() {
                            break value;
                        }
                        // Whoever holds it may need this processor for that.
                        std::thread::yield_now();
                    };
                    let before = *value;
                    *value = before + 1;
                    drop(value);
                    *other.0.lock().unwrap() += 1;
                }
                other.1.store(true, Ordering::Relaxed);
            });
            let count = at_home.join();
            other.join().unwrap();
            assert_eq!(*shared.0.lock().unwrap(), count + 200);
        }
    });
}

/// Coroutines of one worker wait for each other at home, and one of them starves.
#[test]
fn waiting_at_home() {
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        let mutex = Arc::new(Mutex::new(0));
        for _ in 0..200 {
            *mutex.lock().unwrap() += 1;
        }
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                corun::spawn(move || {
                    for _ in 0..2_000 {
                        let mut value = mutex.lock().unwrap();
                        let before = *value;
                        corun::yield_now();
                        *value = before + 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*mutex.lock().unwrap(), 200 + 8 * 2_000);
    });
}
