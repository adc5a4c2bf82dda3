//! `corun::sync::WaitGroup`, from coroutines and from threads. For async tasks see `sync/async_tasks.rs`.

use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, WaitGroup};

#[test]
fn it_waits_for_all_handles() {
    everywhere(|place| {
        for _ in 0..20 {
            let group = WaitGroup::new();
            let done = Arc::new(AtomicUsize::new(0));
            for n in 0..16 {
                let (handle, done) = (group.clone(), Arc::clone(&done));
                let _task = place.spawn(move || {
                    if n % 3 == 0 {
                        corun::yield_now();
                    }
                    done.fetch_add(1, Ordering::SeqCst);
                    drop(handle);
                });
            }
            group.wait();
            assert_eq!(done.load(Ordering::SeqCst), 16);
        }
    });
}

#[test]
fn alone_nobody_waits() {
    everywhere(|_| WaitGroup::new().wait());
}

#[test]
fn several_may_wait() {
    everywhere(|place| {
        let group = WaitGroup::new();
        let waiters: Vec<_> = (0..20)
            .map(|_| {
                let handle = group.clone();
                place.spawn(move || handle.wait())
            })
            .collect();
        corun::yield_now();
        assert!(waiters.iter().all(|waiter| !waiter.is_finished()));
        drop(group);
        for waiter in waiters {
            waiter.join();
        }
    });
}

#[test]
fn its_coroutines_count_even_if_they_panic() {
    everywhere(|_| {
        let group = WaitGroup::new();
        let good = group.spawn(|| 7);
        let bad = group.spawn(|| panic!("on purpose"));
        group.wait();
        assert_eq!(good.join().unwrap(), 7);
        assert!(bad.join().is_err());
    });
}

#[test]
fn a_wait_may_be_given_up() {
    everywhere(|_| {
        let group = WaitGroup::new();
        let handle = group.clone();
        assert!(corun::timeout(Duration::from_millis(2), || group.wait()).is_err());
        assert_eq!(format!("{handle:?}"), "WaitGroup { count: 1 }");
        handle.wait();
    });
}

#[test]
fn shared() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<WaitGroup>();
    WaitGroup::default().wait();
}
