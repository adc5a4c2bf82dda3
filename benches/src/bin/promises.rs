//! What a promise costs: `promises PEER WORKLOAD COUNT`, all on one thread.
//!
//! - `create`: both halves are made, and dropped.
//! - `kept`: made, resolved, and the value taken.
//! - `wait`: one task waits for a promise that another keeps; both on one worker.
//! - `register`: a callback (corun), or a waker (the others), is left with a future that is not complete.

use std::cell::Cell;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use corun::future::{Eventual, promise};
use corun_bench::{Args, report_per_operation};

/// So many futures lie about at a time while they are registered with.
const BATCH: u64 = 1000;

fn main() {
    let (peer, mut args) = Args::parse();
    let (workload, count) = (args.next::<String>(), args.next::<u64>());
    match peer.as_str() {
        "corun" => {
            let runtime = corun::Runtime::builder().workers(1).build();
            let runtime = runtime.expect("the runtime starts");
            runtime.block_on(move || corun(&workload, count));
        }
        "futures" => tokio_runtime().block_on(futures(&workload, count)),
        "tokio" => tokio_runtime().block_on(tokio(&workload, count)),
        other => panic!("no such peer: {other}"),
    }
}

fn tokio_runtime() -> tokio::runtime::Runtime {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("the runtime starts")
}

fn timed(count: u64, mut operation: impl FnMut(u64)) {
    let start = Instant::now();
    for number in 0..count {
        operation(number);
    }
    report_per_operation(start.elapsed(), count);
}

/// Times `register` alone, not what makes its argument and what becomes of it.
fn batches<F, R>(count: u64, mut make: impl FnMut() -> F, mut register: impl FnMut(F) -> R) {
    let mut elapsed = Duration::ZERO;
    let mut done = Vec::with_capacity(BATCH as usize);
    for _ in 0..count / BATCH {
        let fresh: Vec<F> = (0..BATCH).map(|_| make()).collect();
        let start = Instant::now();
        done.extend(fresh.into_iter().map(&mut register));
        elapsed += start.elapsed();
        done.clear();
    }
    report_per_operation(elapsed, count);
}

fn corun(workload: &str, count: u64) {
    match workload {
        "create" => timed(count, |_| drop(black_box(promise::<u64, ()>()))),
        "kept" => timed(count, |number| {
            let (promise, future) = black_box(promise::<u64, ()>());
            promise.resolve(number);
            assert_eq!(future.wait(), Ok(number));
        }),
        "adaptors" => timed(count, |number| {
            let (promise, future) = black_box(promise::<u64, ()>());
            promise.resolve(number);
            let future = future.map(|n| n + 1).map(|n| n + 1).map(|n| n + 1);
            let mut future = pin!(future);
            let polled = future
                .as_mut()
                .poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_ready());
        }),
        "wait" => {
            let desk = Rc::new(Cell::new(None));
            let keeper = Rc::clone(&desk);
            let keeper = corun::spawn_local(move || {
                for number in 0..count {
                    let promise: corun::future::Promise<u64, ()> = loop {
                        if let Some(promise) = keeper.take() {
                            break promise;
                        }
                        corun::yield_now();
                    };
                    promise.resolve(number);
                    corun::yield_now();
                }
            });
            timed(count, |number| {
                let (promise, future) = promise();
                desk.set(Some(promise));
                assert_eq!(future.wait(), Ok(number));
            });
            keeper.join().expect("no panic");
        }
        "register" => {
            let mut kept = Vec::new();
            batches(
                count,
                || {
                    if kept.len() as u64 == BATCH {
                        kept.clear();
                    }
                    let (promise, future) = promise::<u64, ()>();
                    kept.push(promise);
                    future
                },
                |future| {
                    future.on_complete(|outcome| {
                        black_box(&outcome);
                    });
                },
            );
        }
        other => panic!("no such workload: {other}"),
    }
}

/// The same for two crates whose functions have the same names.
macro_rules! oneshot {
    ($name:ident, $channel:path, $sender:ty) => {
        async fn $name(workload: &str, count: u64) {
            use $channel as channel;
            match workload {
                "create" => timed(count, |_| drop(black_box(channel::<u64>()))),
                "kept" => {
                    let start = Instant::now();
                    for number in 0..count {
                        let (sender, receiver) = black_box(channel::<u64>());
                        sender.send(number).expect("it is wanted");
                        assert_eq!(receiver.await, Ok(number));
                    }
                    report_per_operation(start.elapsed(), count);
                }
                "wait" => {
                    let desk = Rc::new(Cell::new(None));
                    let keeper = Rc::clone(&desk);
                    let tasks = tokio::task::LocalSet::new();
                    tasks.spawn_local(async move {
                        for number in 0..count {
                            let sender: $sender = loop {
                                if let Some(sender) = keeper.take() {
                                    break sender;
                                }
                                tokio::task::yield_now().await;
                            };
                            sender.send(number).expect("it is wanted");
                            tokio::task::yield_now().await;
                        }
                    });
                    let waiter = tasks.spawn_local(async move {
                        let start = Instant::now();
                        for number in 0..count {
                            let (sender, receiver) = channel();
                            desk.set(Some(sender));
                            assert_eq!(receiver.await, Ok(number));
                        }
                        report_per_operation(start.elapsed(), count);
                    });
                    tasks.run_until(waiter).await.expect("no panic");
                }
                "register" => {
                    // A waker that counts, as those of executors do.
                    let waker = Waker::from(std::sync::Arc::new(Idle));
                    let mut kept = Vec::new();
                    batches(
                        count,
                        || {
                            if kept.len() as u64 == BATCH {
                                kept.clear();
                            }
                            let (sender, receiver) = channel::<u64>();
                            kept.push(sender);
                            receiver
                        },
                        |mut receiver| {
                            let mut context = Context::from_waker(&waker);
                            let polled = pin!(&mut receiver).poll(&mut context);
                            assert!(polled.is_pending());
                            receiver
                        },
                    );
                }
                other => panic!("no such workload: {other}"),
            }
        }
    };
}

struct Idle;

impl std::task::Wake for Idle {
    fn wake(self: std::sync::Arc<Self>) {}
}

oneshot!(
    futures,
    futures_channel::oneshot::channel,
    futures_channel::oneshot::Sender<u64>
);
oneshot!(
    tokio,
    tokio::sync::oneshot::channel,
    tokio::sync::oneshot::Sender<u64>
);
