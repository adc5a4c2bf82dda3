//! `std::thread::park`, whose token the coroutines of a worker share.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::common::{let_others_wait, on_one_worker, on_workers, takes_at_least};

#[test]
fn one_is_unparked_by_another() {
    on_one_worker(|| {
        let flag = Arc::new(AtomicUsize::new(0));
        let sleeper = corun::spawn({
            let flag = Arc::clone(&flag);
            move || {
                while flag.load(Ordering::SeqCst) == 0 {
                    thread::park();
                }
            }
        });
        let_others_wait();
        flag.store(1, Ordering::SeqCst);
        // Of one worker, so this is its thread too.
        thread::current().unpark();
        sleeper.join().unwrap();
    });
}

#[test]
fn many_on_each_worker_and_each_is_woken_by_his_own_call() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            const COUNT: usize = 30;
            let ready: Arc<Vec<AtomicUsize>> =
                Arc::new((0..COUNT).map(|_| AtomicUsize::new(0)).collect());
            let (tell, threads) = corun::channel::unbounded();
            let sleepers: Vec<_> = (0..COUNT)
                .map(|number| {
                    let (ready, tell) = (Arc::clone(&ready), tell.clone());
                    corun::spawn(move || {
                        tell.send((number, thread::current())).unwrap();
                        while ready[number].load(Ordering::SeqCst) == 0 {
                            thread::park();
                        }
                    })
                })
                .collect();
            drop(tell);
            let waker = thread::spawn(move || {
                for (number, thread) in threads.iter() {
                    thread::sleep(Duration::from_millis(1));
                    ready[number].store(1, Ordering::SeqCst);
                    thread.unpark();
                }
            });
            for sleeper in sleepers {
                sleeper.join().unwrap();
            }
            waker.join().unwrap();
        });
    }
}

#[test]
fn parking_in_limited_time_beside_one_without() {
    on_one_worker(|| {
        let done = Arc::new(AtomicUsize::new(0));
        let other = corun::spawn({
            let done = Arc::clone(&done);
            move || {
                while done.load(Ordering::SeqCst) == 0 {
                    thread::park();
                }
            }
        });
        let_others_wait();
        takes_at_least(Duration::from_millis(20), || {
            let end = std::time::Instant::now() + Duration::from_millis(20);
            while let Some(left) = end.checked_duration_since(std::time::Instant::now()) {
                thread::park_timeout(left);
            }
        });
        let owner = thread::current();
        let waker = thread::spawn(move || {
            done.store(1, Ordering::SeqCst);
            owner.unpark();
        });
        other.join().unwrap();
        waker.join().unwrap();
    });
}

#[test]
fn threads_in_a_scope() {
    on_one_worker(|| {
        let count = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| count.fetch_add(1, Ordering::SeqCst));
            }
        });
        assert_eq!(count.into_inner(), 4);
    });
}
