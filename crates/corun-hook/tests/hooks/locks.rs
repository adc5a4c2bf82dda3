//! Locks of std: futexes.

use std::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std::thread;
use std::time::Duration;

use crate::common::{let_others_wait, on_one_worker, on_workers, takes_at_least};

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
            let coroutines = [0, 2].map(|me| corun::spawn(turn(me, Arc::clone(&shared))));
            let threads = [1, 3].map(|me| thread::spawn(turn(me, Arc::clone(&shared))));
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(*shared.0.lock().unwrap(), 200);
        });
    }
}

#[test]
fn a_crowd_at_one_mutex() {
    for workers in [1, 2, 8] {
        on_workers(workers, || {
            let count = Arc::new(Mutex::new(0));
            let add = |count: Arc<Mutex<u32>>| {
                move || {
                    for _ in 0..200 {
                        let mut count = count.lock().unwrap();
                        let before = *count;
                        thread::yield_now();
                        *count = before + 1;
                    }
                }
            };
            let threads: Vec<_> = (0..4)
                .map(|_| thread::spawn(add(Arc::clone(&count))))
                .collect();
            let coroutines: Vec<_> = (0..20)
                .map(|_| corun::spawn(add(Arc::clone(&count))))
                .collect();
            for coroutine in coroutines {
                coroutine.join().unwrap();
            }
            for thread in threads {
                thread.join().unwrap();
            }
            assert_eq!(*count.lock().unwrap(), 24 * 200);
        });
    }
}

#[test]
fn a_condition_in_limited_time() {
    on_one_worker(|| {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let guard = shared.0.lock().unwrap();
        let time = Duration::from_millis(20);
        let (guard, result) = takes_at_least(time, || shared.1.wait_timeout(guard, time).unwrap());
        assert!(result.timed_out());
        let other = corun::spawn({
            let shared = Arc::clone(&shared);
            move || {
                *shared.0.lock().unwrap() = true;
                shared.1.notify_one();
            }
        });
        let guard = shared.1.wait_while(guard, |set| !*set).unwrap();
        assert!(*guard);
        drop(guard);
        other.join().unwrap();
    });
}

#[test]
fn readers_and_writers() {
    on_one_worker(|| {
        let lock = Arc::new(RwLock::new(0));
        let tasks: Vec<_> = (0..20)
            .map(|number| {
                let lock = Arc::clone(&lock);
                corun::spawn(move || {
                    if number % 4 == 0 {
                        let mut value = lock.write().unwrap();
                        let before = *value;
                        thread::sleep(Duration::from_millis(1));
                        *value = before + 1;
                    } else {
                        let value = lock.read().unwrap();
                        let before = *value;
                        thread::sleep(Duration::from_millis(1));
                        assert_eq!(*value, before);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
        assert_eq!(*lock.read().unwrap(), 5);
    });
}

#[test]
fn a_barrier_and_a_value_made_once() {
    on_one_worker(|| {
        let barrier = Arc::new(Barrier::new(10));
        let once = Arc::new(OnceLock::new());
        let tasks: Vec<_> = (0..10)
            .map(|number| {
                let (barrier, once) = (Arc::clone(&barrier), Arc::clone(&once));
                corun::spawn(move || {
                    barrier.wait();
                    *once.get_or_init(|| {
                        thread::sleep(Duration::from_millis(5));
                        number
                    })
                })
            })
            .collect();
        let values: Vec<_> = tasks.into_iter().map(|task| task.join().unwrap()).collect();
        assert!(values.iter().all(|value| value == &values[0]));
    });
}

#[test]
fn a_mutex_is_poisoned_by_a_panic_and_given_on() {
    on_one_worker(|| {
        let mutex = Arc::new(Mutex::new(()));
        let holder = corun::spawn({
            let mutex = Arc::clone(&mutex);
            move || {
                let _guard = mutex.lock().unwrap();
                thread::sleep(Duration::from_millis(5));
                std::panic::resume_unwind(Box::new("on purpose"));
            }
        });
        let_others_wait();
        assert!(mutex.lock().is_err());
        assert!(holder.join().is_err());
    });
}

#[test]
fn a_thread_is_joined() {
    on_one_worker(|| {
        let (tell, told) = corun::channel::bounded::<()>(0);
        let thread = thread::spawn(move || told.recv().unwrap());
        let teller = corun::spawn(move || {
            let_others_wait();
            tell.send(()).unwrap();
        });
        thread.join().unwrap();
        teller.join().unwrap();
    });
}
