//! Locks of std, and what waits like them.

use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use crate::common::{on_one_worker, on_workers};

#[test]
fn a_mutex_of_std_is_held_across_a_sleep() {
    on_one_worker(|| {
        let mutex = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..10)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                corun::spawn(move || {
                    let mut count = mutex.lock().unwrap();
                    let before = *count;
                    thread::sleep(Duration::from_millis(2));
                    *count = before + 1;
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*mutex.lock().unwrap(), 10);
    });
}

#[test]
fn coroutines_and_threads_hand_a_mutex_around() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let shared = Arc::new((Mutex::new(0u32), Condvar::new()));
            let turn = |me: u32, shared: Arc<(Mutex<u32>, Condvar)>| {
                move || {
                    let (mutex, changed) = &*shared;
                    for _ in 0..50 {
                        let mut turn = mutex.lock().unwrap();
                        while *turn % 4 != me {
                            turn = changed.wait(turn).unwrap();
                        }
                        *turn += 1;
                        changed.notify_all();
                    }
                }
            };
            let coroutines: Vec<_> = [0, 2]
                .map(|me| corun::spawn(turn(me, Arc::clone(&shared))))
                .into();
            let threads: Vec<_> = [1, 3]
                .map(|me| thread::spawn(turn(me, Arc::clone(&shared))))
                .into();
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
            corun::blocking(|| {
                threads
                    .into_iter()
                    .for_each(|thread| thread.join().unwrap())
            });
            assert_eq!(*shared.0.lock().unwrap(), 200);
        });
    }
}
