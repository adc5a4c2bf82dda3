//! What a coroutine has of its own goes with it, and what it calls works wherever it is.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use corun::sync::{Condvar, Mutex, RwLock};

use crate::{everywhere, runtime, spawn, thread_id};

corun::coroutine_local! {
    static OWN: Cell<u64> = const { Cell::new(0) };
    static inherit REQUEST: u64;
}

#[test]
fn a_guard_of_corun_may_be_kept_while_it_moves() {
    everywhere(|| {
        let counter = Arc::new(Mutex::new(0u64));
        let all: Vec<_> = (0..8)
            .map(|n| {
                let counter = Arc::clone(&counter);
                let body = move || {
                    for _ in 0..200 {
                        let mut counter = counter.lock().unwrap();
                        let seen = *counter;
                        corun::yield_now();
                        *counter = seen + 1;
                    }
                };
                if n % 2 == 0 {
                    spawn(body)
                } else {
                    corun::spawn(body)
                }
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*counter.lock().unwrap(), 1600);
    });
}

/// One thread's mutexes come to be at home there: a migratable coroutine counts as a thread of its own.
#[test]
fn a_mutex_that_is_at_home_with_one_is_given_up_to_others() {
    everywhere(|| {
        let counter = Arc::new(Mutex::new(0u64));
        let use_it = |counter: &Mutex<u64>| {
            for n in 0..500 {
                *counter.lock().unwrap() += 1;
                if n % 100 == 0 {
                    corun::yield_now();
                }
            }
        };
        use_it(&counter);
        let others: Vec<_> = (0..4)
            .map(|n| {
                let counter = Arc::clone(&counter);
                let body = move || use_it(&counter);
                if n % 2 == 0 {
                    spawn(body)
                } else {
                    corun::spawn(body)
                }
            })
            .collect();
        use_it(&counter);
        others.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*counter.lock().unwrap(), 3000);
    });
}

#[test]
fn readers_writers_and_conditions() {
    everywhere(|| {
        let state = Arc::new((Mutex::new(false), Condvar::new(), RwLock::new(0)));
        let waiters: Vec<_> = (0..16)
            .map(|_| {
                let state = Arc::clone(&state);
                spawn(move || {
                    let (go, condition, sum) = &*state;
                    let go = go.lock().unwrap();
                    drop(condition.wait_while(go, |go| !*go).unwrap());
                    let before = *sum.read().unwrap();
                    corun::yield_now();
                    *sum.write().unwrap() += 1;
                    assert!(*sum.read().unwrap() > before);
                })
            })
            .collect();
        waiters.iter().for_each(crate::until_waiting);
        *state.0.lock().unwrap() = true;
        state.1.notify_all();
        waiters.into_iter().for_each(|one| one.join().unwrap());
        assert_eq!(*state.2.read().unwrap(), 16);
    });
}

#[test]
fn locals_and_what_is_inherited_go_along() {
    everywhere(|| {
        let all: Vec<_> = (1..=16)
            .map(|n| {
                REQUEST.with_value(n, || {
                    spawn(move || {
                        OWN.set(n);
                        // Its own as a whole, so it may be kept although it is not `Send`.
                        let shared = Rc::new(Cell::new(0));
                        let again = Rc::clone(&shared);
                        for _ in 0..100 {
                            corun::yield_now();
                            again.set(again.get() + 1);
                            assert_eq!((OWN.get(), REQUEST.get()), (n, Some(n)));
                            let inner = REQUEST.with_value(n + 100, || {
                                corun::yield_now();
                                REQUEST.get()
                            });
                            assert_eq!(inner, Some(n + 100));
                        }
                        shared.get()
                    })
                })
            })
            .collect();
        for one in all {
            assert_eq!(one.join().unwrap(), 100);
        }
        assert_eq!((OWN.get(), REQUEST.get()), (0, None));
    });
}

#[test]
fn scopes_groups_blocking_calls_and_futures() {
    everywhere(|| {
        let mut data = vec![1u64; 64];
        let sum = AtomicU64::new(0);
        corun::scope(|scope| {
            for chunk in data.chunks_mut(8) {
                scope.spawn(|| {
                    chunk.iter_mut().for_each(|n| *n += 1);
                    corun::yield_now();
                    sum.fetch_add(chunk.iter().sum(), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(sum.into_inner(), 128);
        assert_eq!(corun::blocking(|| data.len()), 64);
        assert_eq!(
            corun::block_on(async { corun::spawn_async(async { 5 }).await.unwrap() }),
            5
        );
        let start = Instant::now();
        corun::sleep(Duration::from_millis(2));
        assert!(start.elapsed() >= Duration::from_millis(2));
        let late = corun::timeout(Duration::from_millis(2), corun::park);
        assert!(late.is_err());
        assert_eq!(
            corun::timeout(Duration::from_secs(60), || spawn(|| 3).join().unwrap()).unwrap(),
            3
        );
    });
}

#[test]
fn it_knows_itself_and_others_know_it() {
    everywhere(|| {
        let named = corun::Builder::new()
            .name("wanderer".into())
            .stack_size(1 << 20);
        // SAFETY: it keeps nothing of its thread.
        let handle = unsafe {
            named.spawn_migratable(|| {
                let id = corun::current().id();
                for _ in 0..10 {
                    corun::yield_now();
                    assert_eq!(corun::current().id(), id);
                }
                corun::park();
                (id, corun::current().name().map(String::from))
            })
        }
        .unwrap();
        crate::until_waiting(&handle);
        assert_eq!(handle.coroutine().name(), Some("wanderer"));
        let id = handle.coroutine().id();
        handle.coroutine().unpark();
        assert_eq!(handle.join().unwrap(), (id, Some("wanderer".to_owned())));
    });
}

#[test]
fn what_would_tie_it_to_its_thread_is_refused() {
    everywhere(|| {
        let error = corun::Builder::new().spawn_local(|| ()).unwrap_err();
        assert!(
            error.to_string().contains("does not stay with its worker"),
            "{error}"
        );
        let error = corun::Builder::new()
            .spawn_async_local(async {})
            .unwrap_err();
        assert!(
            error.to_string().contains("does not stay with its worker"),
            "{error}"
        );
    });
}

#[test]
fn no_suspend_keeps_it_where_it_is() {
    everywhere(|| {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            corun::no_suspend(|| {
                let began = thread_id();
                corun::checkpoint();
                assert_eq!(thread_id(), began);
                corun::yield_now();
            });
        }));
        assert!(outcome.is_err(), "to give way is to suspend");
        let outcome = catch_unwind(AssertUnwindSafe(|| corun::no_suspend(corun::park)));
        assert!(outcome.is_err());
        // And it is over then.
        corun::yield_now();
        corun::sleep(Duration::from_micros(10));
    });
}

#[test]
fn a_long_computation_gives_way_at_its_checkpoints() {
    runtime(1).block_on(|| {
        let computing = spawn(|| {
            loop {
                corun::checkpoint();
            }
        });
        // It could not run beside the other without its giving way.
        let other = corun::spawn(|| 1);
        assert_eq!(other.join().unwrap(), 1);
        computing.cancel();
        let payload = computing.join().map(|(): ()| ()).unwrap_err();
        assert!(payload.is::<corun::Cancelled>());
    });
}
