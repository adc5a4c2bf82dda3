//! Counts of a runtime, and who lives there: names, spawn sites, states, and where each one waits.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::channel::{Receiver, bounded};
use corun::net::{TcpListener, TcpStream};
use corun::runtime::{LocalRuntime, Runtime};
use corun::{Coroutine, JoinHandle, State};

/// Waits until the system's threads have come so far.
#[track_caller]
fn until(mut reached: impl FnMut() -> bool) {
    let start = Instant::now();
    while !reached() {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::yield_now();
    }
}

#[track_caller]
fn until_suspended<'a>(tasks: impl IntoIterator<Item = &'a Coroutine>) {
    for task in tasks {
        until(|| task.state() == State::Suspended);
    }
}

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

#[inline(never)]
fn wait_for_a_message(receiver: &Receiver<()>) {
    // Whether the sender has gone does not matter here.
    let _ = std::hint::black_box(receiver).recv();
}

#[test]
fn counts_are_those_of_what_lives() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        assert_eq!(runtime.metrics().workers, workers);
        let (sender, receiver) = bounded::<()>(0);
        let receivers: Vec<JoinHandle<_>> = (0..5)
            .map(|_| {
                let receiver = receiver.clone();
                runtime.spawn(move || wait_for_a_message(&receiver))
            })
            .collect();
        let sleepers: Vec<_> = (0..3)
            .map(|_| runtime.spawn(|| corun::sleep(Duration::from_secs(3600))))
            .collect();
        let listeners: Vec<_> = (0..2)
            .map(|_| {
                runtime.spawn(|| {
                    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                    listener.accept().map(drop)
                })
            })
            .collect();
        let tasks: Vec<_> = (0..4)
            .map(|_| runtime.spawn_async(pending::<()>()))
            .collect();
        until_suspended(receivers.iter().map(JoinHandle::coroutine));
        until_suspended(sleepers.iter().map(JoinHandle::coroutine));
        until_suspended(listeners.iter().map(JoinHandle::coroutine));
        until_suspended(tasks.iter().map(JoinHandle::coroutine));
        let metrics = runtime.metrics();
        assert_eq!(metrics.coroutines, 5 + 3 + 2);
        assert_eq!(metrics.queued, 0);
        assert_eq!(metrics.tasks, 4);
        assert_eq!(metrics.timers, 3);
        assert_eq!(metrics.descriptors, 2);
        assert!(metrics.switches >= 10);
        assert_eq!(metrics.blocking.queued, 0);
        drop(sender);
        receivers.into_iter().for_each(|one| one.join().unwrap());
        sleepers.iter().for_each(JoinHandle::cancel);
        listeners.iter().for_each(JoinHandle::cancel);
        tasks.iter().for_each(JoinHandle::cancel);
        let handle = runtime.handle().clone();
        runtime.shutdown(Duration::from_secs(60)).unwrap();
        let metrics = handle.metrics();
        let (coroutines, tasks) = (metrics.coroutines, metrics.tasks);
        assert_eq!((metrics.workers, coroutines, tasks), (0, 0, 0));
        assert_eq!((metrics.timers, metrics.descriptors), (0, 0));
    }
}

#[test]
fn what_waits_for_a_worker_or_a_thread_is_queued() {
    let builder = Runtime::builder().workers(1).max_blocking_threads(1);
    let runtime = builder.build().unwrap();
    let (begin, go_on) = (AtomicBool::new(false), AtomicBool::new(false));
    let flags = Arc::new((begin, go_on));
    let spinning = runtime.spawn({
        let flags = Arc::clone(&flags);
        move || {
            flags.0.store(true, Ordering::SeqCst);
            while !flags.1.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
        }
    });
    until(|| flags.0.load(Ordering::SeqCst));
    // The spare worker that takes them over, if the watch thread is that fast, finds them waiting for the one thread.
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let flags = Arc::clone(&flags);
            runtime.spawn(move || {
                corun::blocking(move || {
                    while !flags.1.load(Ordering::SeqCst) {
                        std::thread::yield_now();
                    }
                })
            })
        })
        .collect();
    until(|| {
        let metrics = runtime.metrics();
        (metrics.blocking.threads, metrics.blocking.queued) == (1, 2)
    });
    assert!(runtime.metrics().workers >= 2, "a spare stands in");
    flags.1.store(true, Ordering::SeqCst);
    spinning.join().unwrap();
    calls.into_iter().for_each(|call| call.join().unwrap());
    until(|| runtime.metrics().queued == 0);
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}

/// Finds a coroutine by its name.
fn entry_of<'a>(dump: &'a corun::inspect::Dump, name: &str) -> &'a corun::inspect::Entry {
    let mut entries = dump.coroutines().iter();
    let found = entries.find(|entry| entry.coroutine().name() == Some(name));
    found.unwrap_or_else(|| panic!("no {name} in {dump}"))
}

#[test]
fn a_dump_says_who_waits_where() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let (sender, receiver) = bounded::<()>(0);
        let line = line!() + 3;
        let named = |name: &str| corun::Builder::new().name(name.into());
        let reader = named("reader")
            .spawn_on(runtime.handle(), move || wait_for_a_message(&receiver))
            .unwrap();
        let sleeper = named("sleeper")
            .spawn_on(runtime.handle(), || corun::sleep(Duration::from_secs(3600)))
            .unwrap();
        let task = runtime.spawn_async(pending::<()>());
        let task_line = line!() - 1;
        until_suspended([reader.coroutine(), sleeper.coroutine(), task.coroutine()]);
        let dump = runtime.dump();
        assert_eq!(dump.coroutines().len(), 2);
        assert_eq!((dump.others(), dump.kept_workers()), (0, 0));
        assert_eq!(dump.tasks(), 1);
        let waiting = &dump.async_tasks()[0];
        assert_eq!(waiting.coroutine(), task.coroutine());
        assert_eq!(waiting.state(), State::Suspended);
        assert_eq!(waiting.coroutine().spawn_site().line(), task_line);
        let entry = entry_of(&dump, "reader");
        assert_eq!(entry.coroutine(), reader.coroutine());
        assert_eq!(entry.state(), State::Suspended);
        assert_eq!(entry.coroutine().spawn_site().line(), line);
        let text = dump.to_string();
        if cfg!(all(target_os = "linux", target_env = "gnu")) {
            assert!(!entry.frames().is_empty());
            assert!(entry.backtrace().to_string().contains("wait_for_a_message"));
            assert!(text.contains("wait_for_a_message"), "{text}");
        }
        assert!(text.starts_with("2 coroutines, 1 async tasks"), "{text}");
        assert!(text.contains("'sleeper'"), "{text}");
        drop(sender);
        reader.join().unwrap();
        sleeper.cancel();
        task.cancel();
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn a_coroutine_may_ask() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let asker = corun::Builder::new().name("asker".into());
        let handle = runtime.handle().clone();
        let asker = asker.spawn_on(runtime.handle(), move || handle.dump());
        let dump = asker.unwrap().join().unwrap();
        assert_eq!(entry_of(&dump, "asker").state(), State::Suspended);
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn one_that_keeps_a_worker_does_not_keep_the_dump() {
    for workers in [1, 2] {
        let runtime = runtime(workers);
        let done = Arc::new(AtomicBool::new(false));
        let began = Arc::new(AtomicBool::new(false));
        let spinner = corun::Builder::new().name("spinner".into());
        let spinner = spinner.spawn_on(runtime.handle(), {
            let (done, began) = (Arc::clone(&done), Arc::clone(&began));
            move || {
                began.store(true, Ordering::SeqCst);
                while !done.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
            }
        });
        until(|| began.load(Ordering::SeqCst));
        let start = Instant::now();
        let dump = runtime.dump();
        // The patience for all workers together, and much of it for a busy machine.
        assert!(start.elapsed() < Duration::from_secs(30));
        assert_eq!(dump.kept_workers(), 1);
        if cfg!(target_os = "linux") {
            assert_eq!(entry_of(&dump, "spinner").state(), State::Running);
        }
        done.store(true, Ordering::SeqCst);
        spinner.unwrap().join().unwrap();
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn very_many_are_counted() {
    let runtime = runtime(2);
    let (sender, receiver) = bounded::<()>(0);
    let many: Vec<_> = (0..3_000)
        .map(|_| {
            let receiver = receiver.clone();
            runtime.spawn(move || wait_for_a_message(&receiver))
        })
        .collect();
    until_suspended(many.iter().map(JoinHandle::coroutine));
    let dump = runtime.dump();
    assert_eq!(dump.coroutines().len() + dump.others(), 3_000);
    // Some hundreds a worker; a spare one may have begun some.
    assert!((512..3_000).contains(&dump.coroutines().len()));
    drop(sender);
    many.into_iter().for_each(|one| one.join().unwrap());
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_host_looks_into_its_own_runtime() {
    let runtime = LocalRuntime::new().unwrap();
    let (sender, receiver) = bounded::<()>(0);
    let waiting = runtime.spawn_local(move || wait_for_a_message(&receiver));
    assert_eq!(runtime.dump().coroutines()[0].state(), State::Ready);
    runtime.run_until_idle();
    let dump = runtime.dump();
    assert_eq!(dump.coroutines().len(), 1);
    assert_eq!(dump.coroutines()[0].state(), State::Suspended);
    assert_eq!(runtime.handle().metrics().coroutines, 1);
    let inside = runtime.block_on(|| runtime.dump().coroutines().len());
    assert_eq!(inside, 2);
    drop(sender);
    runtime.run_until_idle();
    assert!(waiting.is_finished());
    assert!(runtime.dump().coroutines().is_empty());
}

/// Tasks that end, wait, are cancelled and are given up, while others look at them: each future is dropped once, and none is left.
#[test]
fn whoever_looks_keeps_nobody() {
    struct Counted(Arc<AtomicUsize>);
    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    const TASKS: usize = if cfg!(debug_assertions) {
        8_000
    } else {
        80_000
    };
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let dropped = Arc::new(AtomicUsize::new(0));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::SeqCst) {
                    let dump = runtime.dump();
                    let named = |entry: &corun::inspect::Entry| entry.coroutine().name().is_some();
                    assert!(!dump.async_tasks().iter().any(named));
                    assert!(
                        runtime.metrics().tasks <= 2 * TASKS,
                        "as many as were ever spawned"
                    );
                }
            });
            let mut held = Vec::new();
            for n in 0..TASKS {
                let counted = Counted(Arc::clone(&dropped));
                let (promise, future) = corun::future::promise::<(), ()>();
                let task = runtime.spawn_async(async move {
                    let _counted = counted;
                    let _ = future.await;
                    // On whatever worker.
                    let _ = corun::spawn_async(async {}).await;
                });
                match n % 4 {
                    0 => promise.resolve(()),
                    1 => task.cancel(),
                    2 => drop(promise),
                    // Nobody is left who could wake it.
                    _ => std::mem::forget(promise),
                }
                if n % 3 == 0 {
                    held.push(task);
                }
            }
            for (n, task) in held.into_iter().enumerate() {
                if (3 * n) % 4 == 3 {
                    task.cancel();
                }
                let _ = task.join();
            }
            // Those that are left wait for promises that were forgotten.
            done.store(true, Ordering::SeqCst);
        });
        let _ = runtime.shutdown(Duration::from_millis(5));
        until(|| dropped.load(Ordering::SeqCst) == TASKS);
    }
}

/// Connections are registered when somebody first waits for them, and are gone when they are closed.
#[test]
fn closed_descriptors_are_not_counted() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let handle = runtime.handle().clone();
        runtime.block_on(move || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            for _ in 0..10 {
                let client = corun::spawn(move || TcpStream::connect(address).map(drop));
                drop(listener.accept().unwrap());
                client.join().unwrap().unwrap();
            }
            assert!(handle.metrics().descriptors <= 1, "the listener alone");
            drop(listener);
            assert_eq!(handle.metrics().descriptors, 0);
        });
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}
