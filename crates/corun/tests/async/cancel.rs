//! Cancelling async tasks in every state, and `block_on` as a place where a coroutine can be cancelled.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use corun::channel::bounded;
use corun::{
    CancelToken, Cancelled, State, block_on, spawn, spawn_async, spawn_async_local, timeout,
};

use crate::guests::{on_runtimes, yield_once};

struct Dropped(Arc<AtomicUsize>);

impl Drop for Dropped {
    fn drop(&mut self) {
        // Destructors know whose they are.
        assert_eq!(corun::current().name(), Some("cancelled"));
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn named() -> corun::Builder {
    corun::Builder::new().name("cancelled".into())
}

#[track_caller]
fn was_cancelled<T>(result: std::thread::Result<T>) {
    let payload = result.err().expect("an error");
    assert!(payload.is::<Cancelled>());
}

#[test]
fn a_waiting_task_loses_its_future() {
    on_runtimes(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let (held, also_held) = (Dropped(drops.clone()), Dropped(drops.clone()));
        let task = named()
            .spawn_async(async move {
                let _held = held;
                pending::<()>().await;
            })
            .unwrap();
        let local = named()
            .spawn_async_local(async move {
                let _held = also_held;
                pending::<()>().await;
            })
            .unwrap();
        while task.coroutine().state() != State::Suspended {
            corun::yield_now();
        }
        task.cancel();
        local.cancel();
        let handle = task.coroutine().clone();
        was_cancelled(task.join());
        was_cancelled(block_on(local));
        assert_eq!(handle.state(), State::Cancelled);
        assert_eq!(drops.load(Ordering::SeqCst), 2, "before the join returns");
    });
}

#[test]
fn one_that_has_not_been_polled_never_is() {
    on_runtimes(|| {
        let polled = Arc::new(AtomicBool::new(false));
        let seen = polled.clone();
        // Local, so that nobody else polls it before this coroutine gives way.
        let task = spawn_async_local(async move { seen.store(true, Ordering::SeqCst) });
        task.cancel();
        task.cancel();
        was_cancelled(task.join());
        assert!(!polled.load(Ordering::SeqCst));
    });
}

#[test]
fn one_that_is_being_polled_ends_after_the_poll() {
    on_runtimes(|| {
        let (give, own) = bounded::<corun::JoinHandle<()>>(1);
        let after = Arc::new(AtomicBool::new(false));
        let seen = after.clone();
        let task = spawn_async(async move {
            // It cancels itself, and nobody else will ever wake it.
            own.recv_async().await.unwrap().cancel();
            seen.store(true, Ordering::SeqCst);
            pending::<()>().await;
        });
        let handle = task.coroutine().clone();
        give.send(task).unwrap();
        while handle.state() != State::Cancelled {
            corun::yield_now();
        }
        assert!(after.load(Ordering::SeqCst));
    });
}

#[test]
fn one_that_has_ended_stays_as_it_is() {
    on_runtimes(|| {
        let task = spawn_async(async { 5 });
        while !task.is_finished() {
            corun::yield_now();
        }
        task.cancel();
        assert_eq!(task.join().unwrap(), 5);
    });
}

#[test]
fn a_task_that_yields_for_ever_can_be_cancelled() {
    on_runtimes(|| {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                spawn_async(async {
                    loop {
                        yield_once().await;
                    }
                })
            })
            .collect();
        corun::yield_now();
        tasks
            .iter()
            .for_each(|task: &corun::JoinHandle<()>| task.cancel());
        tasks
            .into_iter()
            .for_each(|task| was_cancelled(task.join()));
    });
}

#[test]
fn a_panic_while_the_future_is_dropped_is_the_result() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("while dropped"));
        }
    }
    on_runtimes(|| {
        let held = Panics;
        let task = spawn_async(async move {
            let _held = held;
            pending::<()>().await;
        });
        task.cancel();
        let payload = task.join().unwrap_err();
        assert_eq!(*payload.downcast::<&str>().unwrap(), "while dropped");
    });
}

#[test]
fn cancelled_against_woken_from_all_sides() {
    on_runtimes(|| {
        for _ in 0..200 {
            let (sender, receiver) = bounded::<u32>(1);
            let task = spawn_async(async move { receiver.recv_async().await.unwrap() });
            let wakes = spawn(move || _ = sender.send(1));
            let task = spawn(move || {
                task.cancel();
                task.join()
            });
            match task.join().unwrap() {
                Ok(value) => assert_eq!(value, 1),
                Err(payload) => assert!(payload.is::<Cancelled>()),
            }
            wakes.join().unwrap();
        }
    });
}

#[test]
fn a_coroutine_in_block_on_can_be_cancelled() {
    on_runtimes(|| {
        let drops = Arc::new(AtomicUsize::new(0));
        let held = Dropped(drops.clone());
        let waiting = named()
            .spawn(move || {
                block_on(async move {
                    let _held = held;
                    pending::<()>().await;
                });
            })
            .unwrap();
        corun::yield_now();
        waiting.cancel();
        was_cancelled(waiting.join());
        assert_eq!(drops.load(Ordering::SeqCst), 1);
        let late = timeout(Duration::from_millis(5), || block_on(pending::<()>()));
        assert!(late.is_err());
    });
}

#[test]
fn a_join_that_is_cut_short_leaves_the_task_alone() {
    on_runtimes(|| {
        let (sender, receiver) = bounded::<()>(0);
        let mut task = spawn_async(async move {
            let _ = receiver.recv_async().await;
            7
        });
        assert!(timeout(Duration::from_millis(2), || block_on(&mut task)).is_err());
        drop(sender);
        assert_eq!(task.join().unwrap(), 7);
    });
}

/// A level that is entered in a poll, and cancelled from elsewhere, ends at the next checkpoint; nobody takes the task for a coroutine.
#[test]
fn a_token_in_a_poll() {
    on_runtimes(|| {
        for _ in 0..50 {
            let token = CancelToken::new();
            let inner = token.clone();
            let task = spawn_async(async move {
                for _ in 0..10 {
                    _ = inner.run(|| (0..50).for_each(|_| corun::checkpoint()));
                    yield_once().await;
                }
                1
            });
            let canceller = spawn(move || token.cancel());
            assert_eq!(task.join().unwrap(), 1);
            canceller.join().unwrap();
        }
    });
}
