//! Waits for locks that are cancelled by `corun::timeout`: who gives up takes nothing along, and stands in nobody's way.

use std::time::Duration;

use crate::common::everywhere;
use corun::sync::atomic::{AtomicBool, Ordering};
use corun::sync::{Arc, Condvar, Mutex, RwLock};

const SHORT: Duration = Duration::from_millis(2);

#[test]
fn a_mutex_is_not_poisoned_by_those_who_wait() {
    everywhere(|place| {
        let mutex = Arc::new(Mutex::new(0));
        let guard = mutex.lock().unwrap();
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                place.spawn(move || corun::timeout(SHORT, || drop(mutex.lock())).is_err())
            })
            .collect();
        for task in tasks {
            assert!(task.join());
        }
        drop(guard);
        *mutex.lock().unwrap() += 1;
        assert!(!mutex.is_poisoned());
    });
}

#[test]
fn who_is_cancelled_inside_poisons() {
    everywhere(|_| {
        let mutex = Mutex::new(0);
        let cancelled = corun::timeout(SHORT, || {
            let _guard = mutex.lock();
            corun::park();
        });
        assert!(cancelled.is_err() && mutex.is_poisoned());
    });
}

/// Deadlines at the same moment as unlocks.
#[test]
fn a_mutex_that_many_give_up_stays_in_order() {
    everywhere(|place| {
        let mutex = Arc::new(Mutex::new(0_usize));
        let tasks: Vec<_> = (0..8)
            .map(|n: u64| {
                let mutex = Arc::clone(&mutex);
                place.spawn(move || {
                    let mut done = 0;
                    for round in 0..60 {
                        let time = Duration::from_micros((n * 11 + round * 7) % 60);
                        let locked = corun::timeout(time, || mutex.lock());
                        // What has been locked is kept after the time is up.
                        if let Ok(guard) = locked {
                            let mut guard = guard.unwrap();
                            *guard += 1;
                            done += 1;
                            for _ in 0..round % 3 {
                                corun::yield_now();
                            }
                        }
                    }
                    done
                })
            })
            .collect();
        let done: usize = tasks.into_iter().map(crate::common::Task::join).sum();
        assert_eq!(*mutex.lock().unwrap(), done);
    });
}

#[test]
fn a_writer_that_gives_up_lets_readers_in() {
    everywhere(|place| {
        let lock = Arc::new(RwLock::new(1));
        let reader = lock.read().unwrap();
        let other = Arc::clone(&lock);
        let writer =
            place.spawn(move || corun::timeout(5 * SHORT, || *other.write().unwrap() = 2).is_err());
        while lock.try_read().is_ok() && !writer.is_finished() {
            corun::yield_now();
        }
        // Behind the writer, whose wait ends by its deadline alone.
        assert_eq!(*lock.read().unwrap(), 1);
        assert!(writer.join());
        drop(reader);
        *lock.write().unwrap() += 1;
    });
}

#[test]
fn a_condvars_wait_that_is_cancelled_leaves_the_mutex_alone() {
    everywhere(|place| {
        let pair = Arc::new((Mutex::new(0), Condvar::new()));
        let dropped = Arc::new(AtomicBool::new(false));
        let (other, flag) = (Arc::clone(&pair), Arc::clone(&dropped));
        let task = place.spawn(move || {
            struct Sets(Arc<AtomicBool>);
            impl Drop for Sets {
                fn drop(&mut self) {
                    self.0.store(true, Ordering::SeqCst);
                }
            }
            corun::timeout(SHORT, || {
                let _sets = Sets(flag);
                let guard = other.0.lock().unwrap();
                drop(other.1.wait_while(guard, |_| true));
            })
            .is_err()
        });
        assert!(task.join());
        assert!(dropped.load(Ordering::SeqCst) && !pair.0.is_poisoned());
        drop(pair.0.try_lock().unwrap());
    });
}

/// One is notified, and cancelled while it waits for the mutex: the other one gets the notification.
#[test]
fn a_notification_that_comes_to_nothing_is_passed_on() {
    everywhere(|place| {
        struct State {
            waiting: usize,
            set: bool,
        }
        let state = State {
            waiting: 0,
            set: false,
        };
        let pair = Arc::new((Mutex::new(state), Condvar::new()));
        let spawn = |time: Duration| {
            let pair = Arc::clone(&pair);
            place.spawn(move || {
                corun::timeout(time, || {
                    let mut state = pair.0.lock().unwrap();
                    state.waiting += 1;
                    let mut state = pair.1.wait_while(state, |state| !state.set).unwrap();
                    state.set = false;
                })
                .is_ok()
            })
        };
        let impatient = spawn(10 * SHORT);
        while pair.0.lock().unwrap().waiting < 1 && !impatient.is_finished() {
            corun::yield_now();
        }
        let patient = spawn(Duration::from_secs(100));
        while pair.0.lock().unwrap().waiting < 2 && !impatient.is_finished() {
            corun::yield_now();
        }
        let mut state = pair.0.lock().unwrap();
        state.set = true;
        pair.1.notify_one();
        // Held until the one that was notified has given up, if it was the impatient one.
        while !impatient.is_finished() {
            corun::yield_now();
        }
        assert!(!impatient.join());
        drop(state);
        assert!(patient.join());
    });
}
