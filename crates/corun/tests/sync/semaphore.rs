//! `corun::sync::Semaphore`, from coroutines and from threads.

use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{AcquireError, Arc, Mutex, Semaphore, TryAcquireError};

#[test]
fn no_more_than_the_permits_are_out() {
    everywhere(|place| {
        let shared = Arc::new((Semaphore::new(3), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..12)
            .map(|n| {
                let shared = Arc::clone(&shared);
                place.spawn(move || {
                    for round in 0..100 {
                        let count = 1 + (n + round) % 3;
                        let permits = shared.0.acquire_many(count as u32).unwrap();
                        assert_eq!(permits.num_permits(), count);
                        assert!(shared.1.fetch_add(count, Ordering::SeqCst) + count <= 3);
                        if round % 4 == 0 {
                            corun::yield_now();
                        }
                        shared.1.fetch_sub(count, Ordering::SeqCst);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(shared.0.available_permits(), 3);
    });
}

/// Waits until somebody waits: then nobody gets past.
fn until_waited_for(semaphore: &Semaphore) {
    while semaphore.try_acquire_many(0).is_ok() {
        corun::yield_now();
    }
}

#[test]
fn first_come_first_served_however_many_they_want() {
    everywhere(|place| {
        let semaphore = Arc::new(Semaphore::new(0));
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for (n, count) in [3, 1, 2].into_iter().enumerate() {
            let (semaphore2, order) = (Arc::clone(&semaphore), Arc::clone(&order));
            let arrived = Arc::new(AtomicUsize::new(0));
            let tell = Arc::clone(&arrived);
            tasks.push(place.spawn(move || {
                tell.store(1, Ordering::SeqCst);
                let permits = semaphore2.acquire_many(count).unwrap();
                order.lock().unwrap().push(n);
                permits.forget();
            }));
            while arrived.load(Ordering::SeqCst) == 0 {
                corun::yield_now();
            }
            if n == 0 {
                until_waited_for(&semaphore);
            }
            // The one that has arrived may need a little more to queue up.
            for _ in 0..20 {
                corun::yield_now();
            }
        }
        semaphore.add_permits(2);
        for _ in 0..5 {
            corun::yield_now();
        }
        assert!(
            order.lock().unwrap().is_empty(),
            "the first wants three, and is not overtaken"
        );
        assert_eq!(
            semaphore.try_acquire().unwrap_err(),
            TryAcquireError::NoPermits
        );
        semaphore.add_permits(1);
        tasks.remove(0).join();
        semaphore.add_permits(3);
        for task in tasks {
            task.join();
        }
        assert_eq!(order.lock().unwrap()[0], 0);
        assert_eq!(semaphore.available_permits(), 0);
    });
}

#[test]
fn trying_does_not_wait() {
    everywhere(|_| {
        let semaphore = Semaphore::new(2);
        let both = semaphore.try_acquire_many(2).unwrap();
        assert_eq!(
            semaphore.try_acquire().unwrap_err(),
            TryAcquireError::NoPermits
        );
        drop(both);
        assert_eq!(semaphore.try_acquire().unwrap().num_permits(), 1);
        assert!(semaphore.try_acquire_many(3).is_err());
        assert_eq!(semaphore.available_permits(), 2);
    });
}

#[test]
fn closing_ends_all_waits_and_leaves_permits_good() {
    everywhere(|place| {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = semaphore.acquire().unwrap();
        let tasks: Vec<_> = (0..20)
            .map(|n| {
                let semaphore = Arc::clone(&semaphore);
                place.spawn(move || semaphore.acquire_many(n % 3 + 1).map(drop))
            })
            .collect();
        until_waited_for(&semaphore);
        semaphore.close();
        for task in tasks {
            let error = task.join().unwrap_err();
            assert_eq!(error.to_string(), "the semaphore was closed");
        }
        assert!(semaphore.is_closed());
        drop(permit);
        assert_eq!(semaphore.available_permits(), 1);
        assert!(semaphore.acquire().is_err());
        assert_eq!(
            semaphore.try_acquire().unwrap_err(),
            TryAcquireError::Closed
        );
    });
}

#[test]
fn permits_are_added_forgotten_split_and_merged() {
    everywhere(|_| {
        let semaphore = Arc::new(Semaphore::new(1));
        semaphore.add_permits(4);
        assert_eq!(semaphore.forget_permits(2), 2);
        assert_eq!(semaphore.available_permits(), 3);
        assert_eq!(semaphore.forget_permits(9), 3);
        semaphore.add_permits(5);
        let mut all = Arc::clone(&semaphore).acquire_many_owned(5).unwrap();
        let two = all.split(2).unwrap();
        assert!(all.split(4).is_none());
        assert_eq!((all.num_permits(), two.num_permits()), (3, 2));
        drop(two);
        assert_eq!(semaphore.available_permits(), 2);
        all.merge(Arc::clone(&semaphore).try_acquire_owned().unwrap());
        assert_eq!(all.num_permits(), 4);
        all.forget();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
fn owned_permits_go_where_they_like() {
    everywhere(|place| {
        let semaphore = Arc::new(Semaphore::new(1));
        let permit = Arc::clone(&semaphore).acquire_owned().unwrap();
        place.spawn(move || drop(permit)).join();
        assert_eq!(semaphore.available_permits(), 1);
    });
}

/// Who gives up leaves its permits, and its place before others who want less.
#[test]
fn waits_that_are_given_up_lose_nothing() {
    everywhere(|place| {
        let semaphore = Arc::new(Semaphore::new(1));
        let other = Arc::clone(&semaphore);
        let impatient = place.spawn(move || {
            corun::timeout(Duration::from_millis(2), || other.acquire_many(2).map(drop)).is_err()
        });
        while semaphore.try_acquire_many(0).is_ok() && !impatient.is_finished() {
            corun::yield_now();
        }
        // One permit is there, but the first wants two; when that one has gone, the next gets it.
        drop(semaphore.acquire().unwrap());
        assert!(impatient.join());

        // Deadlines and releases at the same time: the sum is what counts.
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let semaphore = Arc::clone(&semaphore);
                place.spawn(move || {
                    for round in 0..40 {
                        let time = Duration::from_micros((n * 7 + round * 3) % 50);
                        let _ = corun::timeout(time, || {
                            let _permit = semaphore.acquire().unwrap();
                            corun::yield_now();
                        });
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(semaphore.available_permits(), 1);
    });
}

#[test]
#[should_panic(expected = "too many permits")]
fn too_many_permits() {
    Semaphore::new(Semaphore::MAX_PERMITS).add_permits(1);
}

#[test]
fn shown_and_shared() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    shared::<Semaphore>();
    error::<AcquireError>();
    error::<TryAcquireError>();
    static STATIC: Semaphore = Semaphore::new(1);
    assert_eq!(
        format!("{STATIC:?}"),
        "Semaphore { permits: 1, closed: false, .. }"
    );
}
