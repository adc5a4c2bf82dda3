//! The mutex's policy: whoever runs may barge in, but nobody is kept out for ever.

mod common;

use common::everywhere;
use corun::sync::atomic::{AtomicBool, Ordering};
use corun::sync::{Arc, Mutex};

/// Some lock again as soon as they have unlocked, and wait only while they have the mutex: so when others look, it is always taken. Without
/// the hand-over to those who starve this would not end.
#[test]
fn those_who_always_come_too_late_get_it_in_the_end() {
    everywhere(|place| {
        let mutex = Arc::new(Mutex::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let hogs: Vec<_> = (0..2)
            .map(|_| {
                let (mutex, stop) = (Arc::clone(&mutex), Arc::clone(&stop));
                place.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let _guard = mutex.lock().unwrap();
                        corun::yield_now();
                    }
                })
            })
            .collect();
        let modest: Vec<_> = (0..4)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                place.spawn(move || {
                    for _ in 0..5 {
                        *mutex.lock().unwrap() += 1;
                        corun::yield_now();
                    }
                })
            })
            .collect();
        for modest in modest {
            modest.join();
        }
        stop.store(true, Ordering::Relaxed);
        for hog in hogs {
            hog.join();
        }
        assert_eq!(*mutex.lock().unwrap(), 20);
    });
}

/// Who only locks and unlocks, and never has to wait, gives way nevertheless when its slice is over, and not while it has the mutex.
#[test]
fn locking_is_a_safepoint() {
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        let mutex = Arc::new(Mutex::new(()));
        let stop = Arc::new(AtomicBool::new(false));
        let (other, flag) = (Arc::clone(&mutex), Arc::clone(&stop));
        let busy = corun::spawn(move || {
            while !flag.load(Ordering::Relaxed) {
                drop(other.lock().unwrap());
            }
        });
        for _ in 0..10 {
            corun::yield_now();
            assert!(mutex.try_lock().is_ok(), "it gave way without the mutex");
        }
        stop.store(true, Ordering::Relaxed);
        busy.join().unwrap();
    });
}
