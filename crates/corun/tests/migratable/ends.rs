//! How they end: by cancellation at each kind of wait, by a deadline, by a panic, with their runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use corun::channel::{bounded, unbounded};
use corun::sync::{Mutex, Semaphore};
use corun::{CancelToken, Cancelled, JoinHandle};

use crate::{everywhere, runtime, spawn, thread_id, until_waiting};

/// Counts when it is dropped.
struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// One coroutine in each kind of wait.
fn waiting(drops: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    let spawn_with = |wait: Box<dyn FnOnce() + Send>| {
        let dropped = Dropped(Arc::clone(drops));
        spawn(move || {
            let _dropped = dropped;
            wait();
        })
    };
    let (sender, receiver) = bounded::<()>(0);
    let full = sender.clone();
    let (other_sender, other_receiver) = unbounded::<()>();
    let mutex = Arc::new(Mutex::new(()));
    let held = Arc::clone(&mutex);
    vec![
        spawn_with(Box::new(corun::park)),
        spawn_with(Box::new(|| corun::sleep(Duration::from_secs(600)))),
        spawn_with(Box::new(move || {
            let _kept = sender;
            let _ = receiver.recv();
        })),
        spawn_with(Box::new(move || {
            let _kept = (bounded::<()>(0), other_sender);
            corun::select! {
                recv(other_receiver) -> _ => {}
                default(Duration::from_secs(600)) => {}
            }
        })),
        spawn_with(Box::new(move || {
            let (sender, _receiver) = bounded::<u32>(0);
            let _full = full;
            sender.send(1).unwrap();
        })),
        spawn_with(Box::new(move || {
            let _guard = held.lock().unwrap();
            corun::park();
        })),
        spawn_with(Box::new(|| Semaphore::new(0).acquire().unwrap().forget())),
        spawn_with(Box::new(|| {
            let listener = corun::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let _ = listener.accept();
        })),
        spawn_with(Box::new(|| corun::spawn(corun::park).join().unwrap())),
        spawn_with(Box::new(|| corun::block_on(std::future::pending()))),
    ]
}

#[test]
fn every_wait_can_be_cancelled() {
    everywhere(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let all = waiting(&drops);
        all.iter().for_each(until_waiting);
        let count = all.len();
        all.iter().for_each(JoinHandle::cancel);
        for one in all {
            assert!(one.join().unwrap_err().is::<Cancelled>());
        }
        assert_eq!(drops.load(Ordering::Relaxed), count);
    });
}

#[test]
fn one_that_is_cancelled_at_any_moment_ends() {
    everywhere(|| {
        for round in 0..100 {
            let all: Vec<_> = (0..8)
                .map(|n| {
                    spawn(move || {
                        for _ in 0..(n * round) % 50 {
                            corun::yield_now();
                        }
                        corun::park();
                    })
                })
                .collect();
            for _ in 0..round % 10 {
                corun::yield_now();
            }
            // By others, on other threads.
            let all = Arc::new(all);
            let again = Arc::clone(&all);
            let canceller = corun::spawn(move || again.iter().for_each(JoinHandle::cancel));
            canceller.join().unwrap();
            for one in Arc::into_inner(all).unwrap() {
                assert!(one.join().unwrap_err().is::<Cancelled>());
            }
        }
    });
}

#[test]
fn one_that_has_not_started_never_does() {
    runtime(1).block_on(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let dropped = Dropped(Arc::clone(&drops));
        let unstarted = spawn(move || {
            let _dropped = dropped;
            unreachable!("it was cancelled before");
        });
        unstarted.cancel();
        assert!(unstarted.join().unwrap_err().is::<Cancelled>());
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn tokens_scopes_and_timeouts_leave_what_they_surround() {
    everywhere(|| {
        let token = CancelToken::new();
        let inside = token.clone();
        let left = spawn(move || {
            let outcome = inside.run(|| {
                corun::timeout(Duration::from_secs(600), corun::park).unwrap();
            });
            // Only that was left.
            corun::yield_now();
            outcome.is_err()
        });
        until_waiting(&left);
        std::thread::spawn(move || token.cancel()).join().unwrap();
        assert!(left.join().unwrap());

        let nested = corun::timeout(Duration::from_secs(600), || {
            corun::timeout(Duration::from_millis(1), || {
                corun::shield(|| corun::sleep(Duration::from_millis(3)));
                corun::park();
            })
        });
        assert!(nested.unwrap().is_err());
    });
}

#[test]
fn a_panic_reaches_the_joiner() {
    everywhere(|| {
        let panicking = spawn(|| {
            corun::yield_now();
            panic!("by intention");
        });
        let payload = panicking.join().map(|(): ()| ()).unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "by intention");
        let caught = spawn(|| {
            let outcome = catch_unwind(|| panic!("by intention"));
            corun::yield_now();
            outcome.is_err()
        });
        assert!(caught.join().unwrap());
    });
}

/// std counts panics by thread.
#[test]
fn while_it_panics_it_stays_on_its_thread() {
    struct Waits;
    impl Drop for Waits {
        fn drop(&mut self) {
            let began = thread_id();
            for _ in 0..50 {
                corun::sleep(Duration::from_micros(50));
                corun::yield_now();
                assert!(std::thread::panicking());
                assert_eq!(thread_id(), began);
            }
        }
    }
    everywhere(|| {
        let all: Vec<_> = (0..8)
            .map(|n| {
                spawn(move || {
                    if n % 2 == 0 {
                        let outcome = catch_unwind(AssertUnwindSafe(|| {
                            let _waits = Waits;
                            panic!("by intention");
                        }));
                        assert!(outcome.is_err());
                    } else {
                        (0..100).for_each(|_| corun::yield_now());
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_handle_that_is_dropped_leaves_it_to_itself() {
    everywhere(|| {
        let (sender, receiver) = unbounded();
        for n in 0..50 {
            let sender = sender.clone();
            drop(spawn(move || {
                corun::sleep(Duration::from_micros(n));
                corun::yield_now();
                sender.send(n).unwrap();
            }));
        }
        drop(sender);
        assert_eq!(receiver.iter().sum::<u64>(), 49 * 25);
    });
}

#[test]
fn a_runtime_that_is_shut_down_waits_for_them() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let quick = runtime.block_on(|| {
            spawn(|| {
                corun::sleep(Duration::from_millis(1));
                7
            })
        });
        runtime.shutdown(Duration::from_secs(600)).unwrap();
        assert_eq!(quick.join().unwrap(), 7);
    }
}

#[test]
fn a_runtime_that_is_shut_down_cancels_those_that_do_not_end() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let drops = Arc::new(AtomicUsize::new(0));
        runtime.block_on({
            let drops = Arc::clone(&drops);
            move || waiting(&drops).into_iter().for_each(drop)
        });
        let handle = runtime.handle().clone();
        let error = runtime.shutdown(Duration::from_millis(10)).unwrap_err();
        assert!(error.to_string().contains("coroutine"), "{error}");
        assert_eq!(drops.load(Ordering::Relaxed), 10, "they were all left");
        // SAFETY: it never runs.
        let refused = unsafe { corun::Builder::new().spawn_migratable_on(&handle, || ()) };
        assert!(refused.is_err());
    }
}

#[test]
fn one_without_a_stack_fails_with_the_reason() {
    runtime(1).block_on(|| {
        // More than the address space has.
        let huge = corun::Builder::new().stack_size(1 << 46);
        // SAFETY: it keeps nothing of its thread.
        let spawned = unsafe { huge.spawn_migratable(|| ()) };
        if let Ok(handle) = spawned {
            assert!(handle.join().unwrap_err().is::<corun::StartError>());
        }
        assert_eq!(spawn(|| 1).join().unwrap(), 1, "others go on");
    });
}
