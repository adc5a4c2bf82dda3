//! `corun::sync::Once`: what std's has to offer, from coroutines and from threads.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::common::{Place, everywhere};
use corun::sync::atomic::{AtomicUsize, Ordering};
use corun::sync::{Arc, Once};

#[test]
fn it_is_done_once_and_all_wait_for_its_end() {
    everywhere(|place| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let tasks: Vec<_> = (0..30)
            .map(|_| {
                let shared = Arc::clone(&shared);
                place.spawn(move || {
                    shared.0.call_once(|| {
                        corun::yield_now();
                        corun::sleep(Duration::from_millis(1));
                        shared.1.fetch_add(1, Ordering::Relaxed);
                    });
                    assert!(shared.0.is_completed());
                    assert_eq!(shared.1.load(Ordering::Relaxed), 1);
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
    });
}

fn fails(place: Place, once: &Arc<Once>) {
    let once = Arc::clone(once);
    place
        .spawn(move || {
            catch_unwind(AssertUnwindSafe(|| once.call_once(|| panic!("on purpose")))).unwrap_err();
        })
        .join();
}

#[test]
fn a_panic_poisons_until_somebody_tries_by_force() {
    everywhere(|place| {
        let once = Arc::new(Once::new());
        fails(place, &once);
        assert!(!once.is_completed());
        assert!(catch_unwind(AssertUnwindSafe(|| once.call_once(|| ()))).is_err());
        assert!(catch_unwind(AssertUnwindSafe(|| once.wait())).is_err());
        let mut called = false;
        once.call_once_force(|state| {
            called = true;
            assert!(state.is_poisoned());
        });
        assert!(called && once.is_completed());
        once.call_once(|| unreachable!());
        once.call_once_force(|_| unreachable!());
        once.wait();
    });
}

#[test]
fn the_first_attempt_is_not_poisoned() {
    everywhere(|_| {
        let once = Once::new();
        once.call_once_force(|state| {
            assert!(!state.is_poisoned());
            assert_eq!(format!("{state:?}"), "OnceState { poisoned: false }");
        });
    });
}

/// Of those who wait for a closure that panics, those who insist try themselves, one after the other, and the others panic too.
#[test]
fn who_waits_for_a_closure_that_panics_learns_of_it() {
    everywhere(|place| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let spawn = |force: bool| {
            let shared = Arc::clone(&shared);
            place.spawn(move || {
                catch_unwind(AssertUnwindSafe(|| {
                    let attempt = || {
                        if shared.1.fetch_add(1, Ordering::SeqCst) == 0 {
                            for _ in 0..5 {
                                corun::yield_now();
                            }
                            panic!("on purpose");
                        }
                    };
                    if force {
                        shared.0.call_once_force(|_| attempt());
                    } else {
                        shared.0.call_once(attempt);
                    }
                }))
                .is_ok()
            })
        };
        let first = spawn(false);
        while shared.1.load(Ordering::SeqCst) == 0 {
            corun::yield_now();
        }
        let forced = [spawn(true), spawn(true)];
        assert!(!first.join());
        for forced in forced {
            assert!(forced.join());
        }
        assert_eq!(shared.1.load(Ordering::SeqCst), 2);
        assert!(shared.0.is_completed());
    });
}

#[test]
fn waiters_wait_for_somebody_elses_closure() {
    everywhere(|place| {
        let shared = Arc::new((Once::new(), AtomicUsize::new(0)));
        let spawn = |force: bool| {
            let shared = Arc::clone(&shared);
            place.spawn(move || {
                if force {
                    shared.0.wait_force();
                } else {
                    shared.0.wait();
                }
                shared.1.load(Ordering::Relaxed)
            })
        };
        let waiters = [spawn(false), spawn(true)];
        corun::yield_now();
        shared.0.call_once(|| {
            corun::yield_now();
            shared.1.store(1, Ordering::Relaxed);
        });
        for waiter in waiters {
            assert_eq!(waiter.join(), 1);
        }
    });
}

#[test]
fn waiting_by_force_outlasts_a_panic() {
    everywhere(|place| {
        let once = Arc::new(Once::new());
        let other = Arc::clone(&once);
        let waiter = place.spawn(move || other.wait_force());
        fails(place, &once);
        assert!(!waiter.is_finished());
        once.call_once_force(|_| ());
        waiter.join();
    });
}

#[test]
fn to_come_back_from_inside_is_a_panic() {
    everywhere(|_| {
        let once = Once::new();
        let caught = catch_unwind(AssertUnwindSafe(|| {
            once.call_once(|| once.call_once(|| ()))
        }));
        assert!(caught.is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));
    });
}

/// One once may be done inside another.
#[test]
fn nested() {
    everywhere(|_| {
        let (outer, inner) = (Once::new(), Once::new());
        outer.call_once(|| inner.call_once(|| ()));
        assert!(outer.is_completed() && inner.is_completed());
    });
}

#[test]
fn who_is_cancelled_inside_poisons_and_who_is_cancelled_waiting_does_not() {
    everywhere(|place| {
        let once = Arc::new(Once::new());
        let cancelled = corun::timeout(Duration::from_millis(1), || {
            once.call_once(|| corun::sleep(Duration::from_secs(60)));
        });
        assert!(cancelled.is_err());
        once.call_once_force(|state| assert!(state.is_poisoned()));

        let shared = Arc::new((Once::new(), corun::sync::Notify::new()));
        let other = Arc::clone(&shared);
        let runner = place.spawn(move || other.0.call_once(|| other.1.wait()));
        assert!(corun::timeout(Duration::from_millis(1), || shared.0.wait()).is_err());
        shared.1.notify_one();
        runner.join();
        assert!(shared.0.is_completed());
    });
}

#[test]
fn shown_and_shared_as_std_does() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<Once>();
    static STATIC: Once = Once::new();
    STATIC.call_once(|| ());
    assert_eq!(format!("{STATIC:?}"), "Once { .. }");
}
