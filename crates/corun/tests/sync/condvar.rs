//! `corun::sync::Condvar`: what std's has to offer, from coroutines and from threads.

use std::time::{Duration, Instant};

use crate::common::{everywhere, takes_at_least};
use corun::sync::{Arc, Condvar, Mutex};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(3);

/// Waits until so many wait, as they say themselves under the mutex that the wait releases.
fn until<T>(mutex: &Mutex<T>, mut holds: impl FnMut(&T) -> bool) {
    while !holds(&mutex.lock().unwrap()) {
        corun::yield_now();
    }
}

#[test]
fn notifying_nobody_is_nothing() {
    everywhere(|_| {
        let condvar = Condvar::new();
        condvar.notify_one();
        condvar.notify_all();
        // It is not remembered either.
        let mutex = Mutex::new(());
        let (_guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), SHORT).unwrap();
        assert!(result.timed_out());
    });
}

#[test]
fn notify_one_wakes_one_after_the_other_in_order_of_arrival() {
    everywhere(|place| {
        struct State {
            waiting: usize,
            tickets: usize,
            woken: Vec<usize>,
        }
        let pair = Arc::new((
            Mutex::new(State {
                waiting: 0,
                tickets: 0,
                woken: Vec::new(),
            }),
            Condvar::new(),
        ));
        let mut tasks = Vec::new();
        for n in 0..6 {
            let pair2 = Arc::clone(&pair);
            tasks.push(place.spawn(move || {
                let (mutex, condvar) = &*pair2;
                let mut state = mutex.lock().unwrap();
                state.waiting += 1;
                while state.tickets == 0 {
                    state = condvar.wait(state).unwrap();
                }
                state.tickets -= 1;
                state.woken.push(n);
            }));
            until(&pair.0, |state| state.waiting == n + 1);
        }
        for n in 0..6 {
            pair.0.lock().unwrap().tickets += 1;
            pair.1.notify_one();
            until(&pair.0, |state| state.woken.len() == n + 1);
        }
        for task in tasks {
            task.join();
        }
        assert_eq!(pair.0.lock().unwrap().woken, [0, 1, 2, 3, 4, 5]);
    });
}

#[test]
fn notify_all_wakes_all() {
    everywhere(|place| {
        const TASKS: usize = 40;
        let pair = Arc::new((Mutex::new((0, false)), Condvar::new()));
        let tasks: Vec<_> = (0..TASKS)
            .map(|_| {
                let pair = Arc::clone(&pair);
                place.spawn(move || {
                    let (mutex, condvar) = &*pair;
                    let mut state = mutex.lock().unwrap();
                    state.0 += 1;
                    drop(condvar.wait_while(state, |state| !state.1).unwrap());
                })
            })
            .collect();
        until(&pair.0, |state| state.0 == TASKS);
        pair.0.lock().unwrap().1 = true;
        pair.1.notify_all();
        for task in tasks {
            task.join();
        }
    });
}

#[test]
fn wait_while_does_not_wait_for_what_is_so() {
    everywhere(|_| {
        let (mutex, condvar) = (Mutex::new(1), Condvar::new());
        let mut guard = condvar
            .wait_while(mutex.lock().unwrap(), |value| {
                *value += 1;
                *value < 2
            })
            .unwrap();
        assert_eq!(*guard, 2);
        *guard = 0;
        let (guard, result) = condvar
            .wait_timeout_while(guard, Duration::ZERO, |value| *value != 0)
            .unwrap();
        assert!(!result.timed_out() && *guard == 0);
    });
}

#[test]
fn wait_while_waits_for_the_condition() {
    everywhere(|place| {
        let pair = Arc::new((Mutex::new(0), Condvar::new()));
        let other = Arc::clone(&pair);
        let task = place.spawn(move || {
            let (mutex, condvar) = &*other;
            *condvar
                .wait_while(mutex.lock().unwrap(), |value| *value < 3)
                .unwrap()
        });
        for _ in 0..3 {
            *pair.0.lock().unwrap() += 1;
            pair.1.notify_one();
            corun::yield_now();
        }
        assert_eq!(task.join(), 3);
    });
}

#[test]
fn a_timeout_is_never_early() {
    everywhere(|_| {
        let (mutex, condvar) = (Mutex::new(()), Condvar::new());
        let (guard, result) =
            takes_at_least(SHORT, || condvar.wait_timeout(mutex.lock().unwrap(), SHORT)).unwrap();
        assert!(result.timed_out());
        drop(guard);
        let (_guard, result) = takes_at_least(SHORT, || {
            condvar.wait_timeout_while(mutex.lock().unwrap(), SHORT, |_| true)
        })
        .unwrap();
        assert!(result.timed_out());
    });
}

#[test]
fn a_notification_comes_before_a_long_timeout() {
    everywhere(|place| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&pair);
        let guard = pair.0.lock().unwrap();
        let task = place.spawn(move || {
            *other.0.lock().unwrap() = true;
            other.1.notify_one();
        });
        let start = Instant::now();
        let (guard, result) = pair
            .1
            .wait_timeout_while(guard, LONG, |notified| !*notified)
            .unwrap();
        assert!(*guard && !result.timed_out() && start.elapsed() < LONG);
        drop(guard);
        task.join();
    });
}

/// A waiter whose time is up leaves the others what is theirs.
#[test]
fn notifications_are_not_spent_on_those_who_gave_up() {
    everywhere(|place| {
        let pair = Arc::new((Mutex::new((0, 0)), Condvar::new()));
        for round in 0..20 {
            let tasks: Vec<_> = (0..4)
                .map(|n| {
                    let pair = Arc::clone(&pair);
                    place.spawn(move || {
                        let (mutex, condvar) = &*pair;
                        let mut state = mutex.lock().unwrap();
                        state.0 += 1;
                        if n % 2 == 0 {
                            let time = Duration::from_micros(round * 10);
                            drop(condvar.wait_timeout(state, time).unwrap());
                        } else {
                            let mut state = condvar
                                .wait_while(state, |(_, tickets)| *tickets == 0)
                                .unwrap();
                            state.1 -= 1;
                        }
                    })
                })
                .collect();
            until(&pair.0, |state| state.0 == 4);
            // Both tickets first: who is woken and finds none waits for a fifth notification, which never comes.
            pair.0.lock().unwrap().1 += 2;
            // One for each that waits without a limit, and one for each of the others, who may have gone.
            for _ in 0..4 {
                pair.1.notify_one();
            }
            // Two tickets, and as many notifications as waiters: everybody comes home.
            for task in tasks {
                task.join();
            }
            let mut state = pair.0.lock().unwrap();
            assert_eq!(*state, (4, 0));
            state.0 = 0;
        }
    });
}

#[test]
fn poison_is_told_by_the_wait() {
    everywhere(|place| {
        let pair = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&pair);
        let guard = pair.0.lock().unwrap();
        let task = place.spawn(move || {
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                let mut guard = other.0.lock().unwrap();
                *guard = true;
                other.1.notify_all();
                panic!("poisons the mutex on purpose");
            }));
            assert!(caught.is_err());
        });
        let poisoned = pair.1.wait_while(guard, |notified| !*notified);
        // The notification may be seen with the mutex, and so with the poison, only.
        assert!(poisoned.is_err());
        drop(poisoned);
        task.join();
        assert!(
            pair.1
                .wait_timeout(pair.0.lock().unwrap_err().into_inner(), SHORT)
                .is_err()
        );
    });
}

#[test]
fn one_condvar_for_several_mutexes() {
    everywhere(|place| {
        let shared = Arc::new((Mutex::new(false), Mutex::new(false), Condvar::new()));
        let spawn = |second: bool| {
            let shared = Arc::clone(&shared);
            place.spawn(move || {
                let mutex = if second { &shared.1 } else { &shared.0 };
                drop(shared.2.wait_while(mutex.lock().unwrap(), |set| !*set));
            })
        };
        let tasks = [spawn(false), spawn(true)];
        *shared.0.lock().unwrap() = true;
        *shared.1.lock().unwrap() = true;
        shared.2.notify_all();
        for task in tasks {
            task.join();
        }
    });
}

#[test]
fn shown_and_shared_as_std_does() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<Condvar>();
    static STATIC: Condvar = Condvar::new();
    STATIC.notify_one();
    assert_eq!(format!("{:?}", Condvar::default()), "Condvar { .. }");
}
