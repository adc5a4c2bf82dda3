//! The example `reqwest_from_coroutines`, and what else is promised of `corun::tokio`.

#[path = "../../examples/reqwest_from_coroutines.rs"]
#[allow(dead_code)]
mod reqwest_from_coroutines;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::{Barrier, oneshot};

use crate::{raise_descriptor_limit, runtime};

#[test]
fn a_thousand_requests_from_coroutines_wait_at_once() {
    raise_descriptor_limit();
    let took = runtime(2).block_on(|| {
        let url = reqwest_from_coroutines::start_server().expect("a server");
        reqwest_from_coroutines::ask(&url, 1_000).expect("all are answered")
    });
    // One after the other they would take 100 s, and on a quiet machine they take a quarter of a second, or one without optimisation.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// No two coroutines of a worker are in each other's way, in whatever order they wait and go on.
#[test]
fn coroutines_wait_for_tokio_in_any_order() {
    for workers in [1, 2, 8] {
        runtime(workers).block_on(|| {
            let barrier = Arc::new(Barrier::new(50));
            let coroutines: Vec<_> = (0..50)
                .map(|number| {
                    let barrier = Arc::clone(&barrier);
                    corun::spawn(move || {
                        corun::tokio::block_on(async || {
                            barrier.wait().await;
                            tokio::time::sleep(Duration::from_millis(number * 7 % 50)).await;
                        });
                        assert!(Handle::try_current().is_err(), "the runtime was left");
                        number
                    })
                })
                .collect();
            for (number, coroutine) in coroutines.into_iter().enumerate() {
                assert_eq!(coroutine.join().expect("no panic"), number as u64);
            }
        });
    }
}

/// Says on which side of its life it sees a runtime.
struct SeesRuntime<'a>(&'a AtomicUsize);

impl Drop for SeesRuntime<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(
            usize::from(Handle::try_current().is_ok()),
            Ordering::Relaxed,
        );
    }
}

#[test]
fn futures_are_dropped_in_the_runtime() {
    let seen = AtomicUsize::new(0);
    runtime(2).block_on(|| {
        // Never polled, dropped when done, dropped half-way.
        let guard = SeesRuntime(&seen);
        drop(corun::tokio::wrap(|| async move { drop(guard) }));
        let guard = SeesRuntime(&seen);
        corun::tokio::block_on(async move || {
            tokio::task::yield_now().await;
            drop(guard);
        });
        let guard = SeesRuntime(&seen);
        let limit = Duration::from_millis(5);
        let waiting = corun::timeout(limit, || {
            corun::tokio::block_on(async move || {
                let _guard = guard;
                std::future::pending::<()>().await;
            })
        });
        assert!(waiting.is_err());
    });
    assert_eq!(seen.load(Ordering::Relaxed), 3);
}

#[test]
fn async_tasks_of_corun_use_tokio_too() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let began = Instant::now();
        let tasks: Vec<_> = (0..200)
            .map(|number| {
                runtime.spawn_async(corun::tokio::wrap(async move || {
                    let (answer, question) = oneshot::channel();
                    tokio::spawn(async move {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                        answer.send(number)
                    });
                    question.await
                }))
            })
            .collect();
        for (number, task) in tasks.into_iter().enumerate() {
            assert_eq!(task.join().expect("no panic"), Ok(number));
        }
        assert!(began.elapsed() >= Duration::from_millis(10));
    }
}

/// To suspend in `poll` would leave tokio's thread local to others.
#[test]
fn what_would_suspend_inside_of_poll_panics() {
    runtime(1).block_on(|| {
        let (_sender, receiver) = corun::channel::bounded::<()>(0);
        let blocking = AssertUnwindSafe(|| corun::tokio::block_on(async || receiver.recv()));
        assert!(catch_unwind(blocking).is_err());
        let blocking = AssertUnwindSafe(|| corun::tokio::enter(|| receiver.recv()));
        assert!(catch_unwind(blocking).is_err());
        assert!(Handle::try_current().is_err());
        corun::tokio::block_on(|| tokio::time::sleep(Duration::from_millis(1)));
    });
}

#[test]
fn a_panic_of_the_future_reaches_its_caller() {
    runtime(2).block_on(|| {
        let failing = corun::spawn(|| {
            corun::tokio::block_on(async || {
                tokio::task::yield_now().await;
                panic!("as it should");
            })
        });
        let payload = failing.join().map(|()| "nothing").expect_err("it panics");
        assert_eq!(payload.downcast_ref(), Some(&"as it should"));
        assert!(Handle::try_current().is_err());
    });
}

/// On a plain thread it blocks the thread; and on one of a tokio program's it is that program's runtime which is seen.
#[test]
fn threads_use_it_too() {
    corun::tokio::block_on(|| tokio::time::sleep(Duration::from_millis(1)));
    let program = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime of tokio's");
    let id = program.handle().id();
    assert_ne!(corun::tokio::handle().id(), id);
    program.block_on(async move {
        assert_eq!(corun::tokio::handle().id(), id);
        let wrapped = corun::tokio::wrap(async || Handle::current().id());
        assert_eq!(corun::spawn_async(wrapped).await.expect("no panic"), id);
    });
}
