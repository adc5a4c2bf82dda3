//! The end of a runtime: it waits, then cancels, and says who was left and where.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::runtime::{ShutdownError, Unfinished};
use corun::{Builder, Runtime, State, channel};

const SHORT: Duration = Duration::from_millis(5);
/// After this, those that are cancelled have as long again, which is the most that there is: on a busy machine a worker may not come to anything in
/// the tenth of a second that [`SHORT`] gives them.
const PATIENT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);

/// Side by side, as they wait most of the time.
fn each(test: impl Fn(Runtime) + Sync) {
    std::thread::scope(|scope| {
        for workers in [1, 2, 8] {
            let test = &test;
            scope.spawn(move || test(Runtime::builder().workers(workers).build().unwrap()));
        }
    });
}

/// Counts when it is dropped, after a wait.
struct Clean(Arc<AtomicUsize>);

impl Drop for Clean {
    fn drop(&mut self) {
        corun::sleep(Duration::from_millis(1));
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn named<'a>(error: &'a ShutdownError, name: &str) -> &'a Unfinished {
    let mut all = error.unfinished().iter();
    let found = all.find(|one| one.coroutine().name() == Some(name));
    found.unwrap_or_else(|| panic!("no '{name}' in {error}"))
}

#[inline(never)]
fn wait_for_a_letter(letters: &channel::Receiver<()>) {
    let _ = letters.recv();
}

#[test]
fn who_is_left_is_cancelled_and_reported() {
    each(|runtime| {
        let (sender, letters) = channel::unbounded::<()>();
        let cleaned = Arc::new(AtomicUsize::new(0));
        let (ready, wait) = std::sync::mpsc::channel();
        for number in 0..10 {
            let (letters, clean) = (letters.clone(), Clean(Arc::clone(&cleaned)));
            let ready = ready.clone();
            Builder::new()
                .name(format!("reader {number}"))
                .spawn_on(runtime.handle(), move || {
                    let _clean = clean;
                    ready.send(()).unwrap();
                    wait_for_a_letter(&letters);
                })
                .unwrap();
        }
        (0..10).for_each(|_| wait.recv().unwrap());
        let error = runtime.shutdown(PATIENT).unwrap_err();
        assert_eq!(cleaned.load(Ordering::SeqCst), 10);
        assert_eq!(error.unfinished_coroutines(), 10);
        assert_eq!(
            (error.unfinished_tasks(), error.unfinished_workers()),
            (0, 0)
        );
        let reader = named(&error, "reader 3");
        assert!(
            reader
                .coroutine()
                .spawn_site()
                .file()
                .ends_with("shutdown.rs")
        );
        assert_eq!(reader.state(), State::Suspended);
        assert!(reader.has_ended());
        let text = error.to_string();
        assert!(text.contains("'reader 3'"), "{text}");
        assert!(text.contains("it has ended"), "{text}");
        #[cfg(all(target_os = "linux", target_env = "gnu"))]
        {
            let backtrace = reader.backtrace().to_string();
            assert!(backtrace.contains("wait_for_a_letter"), "{backtrace}");
            // With tables of lines alone, it has no path.
            let places = ["shutdown::wait_for_a_letter", "wait_for_a_letter"];
            let said = |place: &str| text.contains(&format!("waited in {place} at "));
            assert!(places.into_iter().any(said), "{text}");
        }
        drop(sender);
    });
}

#[test]
fn one_that_does_not_end_is_said_not_to_have() {
    each(|runtime| {
        let (sender, letters) = channel::bounded::<()>(0);
        let (ready, wait) = std::sync::mpsc::channel();
        let stubborn = Builder::new().name("stubborn".into());
        let stubborn = stubborn
            .spawn_on(runtime.handle(), move || {
                ready.send(()).unwrap();
                corun::shield(|| letters.recv().unwrap());
            })
            .unwrap();
        wait.recv().unwrap();
        let error = runtime.shutdown(PATIENT).unwrap_err();
        assert_eq!(error.unfinished_workers(), 1);
        assert!(!named(&error, "stubborn").has_ended());
        sender.send(()).unwrap();
        stubborn.join().unwrap();
        assert!(named(&error, "stubborn").has_ended());
    });
}

#[test]
fn one_that_computes_is_found() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let busy = Builder::new().name("busy".into());
    let busy = busy
        .spawn_on(runtime.handle(), move || {
            while !stopped.load(Ordering::Relaxed) {
                std::hint::spin_loop();
            }
        })
        .unwrap();
    while busy.coroutine().state() != State::Running {
        std::thread::yield_now();
    }
    let unstarted = runtime.spawn(|| ());
    let error = runtime.shutdown(SHORT).unwrap_err();
    assert_eq!(error.unfinished_workers(), 1);
    if cfg!(target_os = "linux") {
        assert_eq!(named(&error, "busy").state(), State::Running);
    }
    assert!(error.to_string().contains("kept by a coroutine"), "{error}");
    stop.store(true, Ordering::Relaxed);
    busy.join().unwrap();
    // It ran if a spare worker came before the time was over.
    let _ = unstarted.join();
}

#[test]
fn nobody_is_cancelled_who_ends_in_time() {
    each(|runtime| {
        let coroutines: Vec<_> = (0..100)
            .map(|n| {
                runtime.spawn(move || {
                    corun::sleep(Duration::from_millis(n % 7));
                    corun::spawn(move || n).join().unwrap()
                })
            })
            .collect();
        runtime.shutdown(LONG).unwrap();
        for (n, coroutine) in coroutines.into_iter().enumerate() {
            assert_eq!(coroutine.join().unwrap(), n as u64);
        }
    });
}

#[test]
fn without_time_all_are_cancelled_at_once() {
    each(|runtime| {
        let parked: Vec<_> = (0..100).map(|_| runtime.spawn(corun::park)).collect();
        let start = Instant::now();
        // Those that had not even started may all have ended before anybody looked.
        let _ = runtime.shutdown(Duration::ZERO);
        assert!(start.elapsed() < LONG);
        for coroutine in parked {
            assert!(coroutine.join().unwrap_err().is::<corun::Cancelled>());
        }
    });
}

#[test]
fn those_that_the_cancelled_spawn_are_cancelled_as_well() {
    struct Spawns;
    impl Drop for Spawns {
        fn drop(&mut self) {
            corun::spawn(corun::park);
        }
    }
    each(|runtime| {
        let (ready, wait) = std::sync::mpsc::channel();
        runtime.spawn(move || {
            let _spawns = Spawns;
            ready.send(()).unwrap();
            corun::park();
        });
        wait.recv().unwrap();
        let error = runtime.shutdown(PATIENT).unwrap_err();
        assert_eq!(error.unfinished_workers(), 0, "{error}");
    });
}

#[test]
fn very_many_are_counted_and_some_listed() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    let parked: Vec<_> = (0..3000).map(|_| runtime.spawn(corun::park)).collect();
    while parked
        .iter()
        .any(|one| one.coroutine().state() != State::Suspended)
    {
        std::thread::yield_now();
    }
    let error = runtime.shutdown(SHORT).unwrap_err();
    assert_eq!(error.unfinished_coroutines(), 3000);
    assert!((512..3000).contains(&error.unfinished().len()));
    assert!(error.to_string().contains("more coroutines"));
}

/// Drops a future that is told of.
struct Told(Arc<AtomicUsize>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Those that wait for somebody who never comes, however they wait, and those that are bound to a worker.
#[test]
fn async_tasks_are_named_and_cancelled() {
    each(|runtime| {
        let dropped = Arc::new(AtomicUsize::new(0));
        let (sender, letters) = channel::unbounded::<()>();
        let (ready, wait) = std::sync::mpsc::channel();
        let line = line!() + 3;
        for n in 0..10 {
            let named = Builder::new().name(format!("reader {n}"));
            let (letters, told) = (letters.clone(), Told(Arc::clone(&dropped)));
            let ready = ready.clone();
            let reader = async move {
                let _told = told;
                ready.send(()).unwrap();
                let _ = letters.recv_async().await;
            };
            // On a worker, and from outside.
            let spawned = match n % 2 {
                0 => runtime.block_on(|| named.spawn_async(reader)),
                _ => runtime.block_on(|| named.spawn_async_local(reader)),
            };
            drop(spawned.unwrap());
        }
        // Its waker is kept, and never called.
        let (told, sent) = (Told(Arc::clone(&dropped)), ready.clone());
        let mut once = Some(sent);
        drop(runtime.spawn_async(std::future::poll_fn(move |cx| {
            let _told = &told;
            if let Some(sent) = once.take() {
                std::mem::forget(cx.waker().clone());
                sent.send(()).unwrap();
            }
            std::task::Poll::<()>::Pending
        })));
        (0..11).for_each(|_| wait.recv().unwrap());
        let error = runtime.shutdown(PATIENT).unwrap_err();
        assert_eq!(error.unfinished_workers(), 0, "{error}");
        assert_eq!(error.unfinished_coroutines(), 0, "{error}");
        assert_eq!(dropped.load(Ordering::SeqCst), 11);
        assert_eq!(error.unfinished_async_tasks().len(), 11, "{error}");
        let mut all = error.unfinished_async_tasks().iter();
        let third = all.find(|one| one.coroutine().name() == Some("reader 3"));
        let third = third.unwrap();
        assert!(third.coroutine().spawn_site().line() > line);
        assert_eq!(third.state(), State::Suspended);
        assert_eq!(third.coroutine().state(), State::Cancelled);
        assert!(third.has_ended() && third.frames().is_empty());
        assert!(
            error.to_string().contains("async task 'reader 3'"),
            "{error}"
        );
        drop(sender);
    });
}

/// They end in line, while others wait for them.
#[test]
fn a_crowd_of_async_tasks_ends() {
    each(|runtime| {
        let tasks: Vec<_> = (0..20_000)
            .map(|n: u32| {
                let inner = runtime.spawn_async(std::future::pending::<()>());
                runtime.spawn_async(async move {
                    let _ = inner.await;
                    n
                })
            })
            .collect();
        while !tasks
            .iter()
            .all(|task| task.coroutine().state() == State::Suspended)
        {
            std::thread::yield_now();
        }
        let error = runtime.shutdown(PATIENT).unwrap_err();
        assert_eq!(error.unfinished_tasks(), 40_000);
        assert!(error.unfinished_async_tasks().len() >= 512);
        // Each of the outer ones is cancelled, or sees that the inner one was.
        for (n, task) in tasks.into_iter().enumerate() {
            match task.join() {
                Ok(number) => assert_eq!(number as usize, n),
                Err(payload) => assert!(payload.is::<corun::Cancelled>()),
            }
        }
    });
}
