//! Runtimes that end at inconvenient moments.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::{Builder, Runtime};

/// Runs the test on runtimes of several sizes.
fn each(test: impl Fn(Runtime)) {
    for workers in [1, 2, 16] {
        test(Runtime::builder().workers(workers).build().unwrap());
    }
}

#[test]
fn dropped_inside_itself() {
    each(|runtime| {
        let (sender, receiver) = std::sync::mpsc::channel();
        let handle = runtime.handle().clone();
        handle.spawn(move || {
            drop(runtime);
            // What runs goes on, and may still spawn.
            let child = corun::spawn(|| {
                corun::yield_now();
                3
            });
            sender.send(child.join().unwrap()).unwrap();
        });
        assert_eq!(receiver.recv().unwrap(), 3);
    });
}

#[test]
fn shut_down_inside_itself() {
    each(|runtime| {
        let handle = runtime.handle().clone();
        let ended = handle.spawn(move || {
            let start = Instant::now();
            let result = runtime.shutdown(Duration::from_millis(5));
            // It waits for the very coroutine that waits, so for the whole time.
            (result.is_err(), start.elapsed() >= Duration::from_millis(5))
        });
        assert_eq!(ended.join().unwrap(), (true, true));
    });
}

#[test]
fn spawning_after_the_end() {
    each(|runtime| {
        let handle = runtime.handle().clone();
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        let held = Arc::new(());
        let captured = held.clone();
        let error = Builder::new()
            .spawn_on(&handle, move || drop(captured))
            .err()
            .unwrap();
        assert!(error.to_string().contains("shutting down"), "{error}");
        assert_eq!(Arc::strong_count(&held), 1, "the closure is dropped");
        let panic = std::panic::catch_unwind(|| handle.spawn(|| ()))
            .err()
            .unwrap();
        assert!(
            panic
                .downcast_ref::<String>()
                .unwrap()
                .contains("shutting down")
        );
    });
}

#[test]
fn foreign_threads_spawn_while_it_shuts_down() {
    each(|runtime| {
        let (accepted, ran) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
        let started = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                let handle = runtime.handle().clone();
                let (accepted, ran, started) = (&accepted, &ran, &started);
                scope.spawn(move || {
                    for round in 0.. {
                        let count = ran.clone();
                        let body = move || {
                            corun::yield_now();
                            count.fetch_add(1, Ordering::SeqCst);
                        };
                        match Builder::new().spawn_on(&handle, body) {
                            Ok(coroutine) => {
                                accepted.fetch_add(1, Ordering::SeqCst);
                                // Some are joined, from outside, while the runtime goes down.
                                if round % 3 == 0 {
                                    coroutine.join().unwrap();
                                }
                            }
                            Err(error) => {
                                assert_eq!(error.kind(), io::ErrorKind::Other);
                                break;
                            }
                        }
                        started.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
            while started.load(Ordering::SeqCst) < 300 {
                std::thread::yield_now();
            }
            runtime.shutdown(Duration::from_secs(60)).unwrap();
        });
        // What was accepted has run: before `shutdown` returned.
        assert_eq!(accepted.into_inner(), ran.load(Ordering::SeqCst));
    });
}

#[test]
fn it_waits_for_coroutines_that_are_woken_from_outside_and_spawn_on() {
    each(|runtime| {
        let done = Arc::new(AtomicBool::new(false));
        let parked = runtime.spawn({
            let done = done.clone();
            move || {
                corun::park();
                corun::spawn(move || {
                    corun::sleep(Duration::from_millis(2));
                    done.store(true, Ordering::SeqCst);
                });
            }
        });
        let waker = parked.coroutine().clone();
        let thread = std::thread::spawn(move || waker.unpark());
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        assert!(done.load(Ordering::SeqCst));
        parked.join().unwrap();
        thread.join().unwrap();
    });
}

#[test]
fn a_coroutine_that_never_ends_does_not_keep_shutdown_for_ever() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let (stop, seen) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicBool::new(false)),
    );
    let running = runtime.spawn({
        let (stop, seen) = (stop.clone(), seen.clone());
        move || {
            // Else it would be cancelled where it gives way.
            corun::shield(|| {
                while !stop.load(Ordering::SeqCst) {
                    seen.store(true, Ordering::SeqCst);
                    corun::yield_now();
                }
            });
        }
    });
    while !seen.load(Ordering::SeqCst) {
        std::thread::yield_now();
    }
    let error = runtime.shutdown(Duration::from_millis(5)).unwrap_err();
    assert_eq!(error.unfinished_workers(), 1, "{error}");
    stop.store(true, Ordering::SeqCst);
    running.join().unwrap();
}

#[test]
fn block_on_from_inside_of_the_same_and_of_another() {
    each(|runtime| {
        let handle = runtime.handle().clone();
        let other = Runtime::builder().workers(1).build().unwrap();
        let inner = handle.clone();
        let value = runtime.block_on(|| inner.block_on(|| other.block_on(|| inner.block_on(|| 4))));
        assert_eq!(value, 4);
    });
}

#[test]
fn a_million_spawns_from_one_thread() {
    const COUNT: usize = 1_000_000;
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let ran = Arc::new(AtomicUsize::new(0));
    for from_coroutine in [false, true] {
        ran.store(0, Ordering::SeqCst);
        let spawn_all = {
            let ran = ran.clone();
            move |handle: &corun::runtime::Handle| {
                for _ in 0..COUNT {
                    let ran = ran.clone();
                    handle.spawn(move || ran.fetch_add(1, Ordering::Relaxed));
                }
            }
        };
        let handle = runtime.handle().clone();
        if from_coroutine {
            runtime.block_on(move || spawn_all(&handle));
        } else {
            spawn_all(&handle);
        }
        while ran.load(Ordering::Relaxed) != COUNT {
            std::thread::yield_now();
        }
    }
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
