//! Everything at once, at several worker counts: the first thing to break when the scheduler does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::Runtime;

fn on_each_worker_count(test: fn()) {
    for workers in [1, 2, 8] {
        let runtime = Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(test);
        runtime.shutdown(Duration::from_secs(20)).unwrap();
    }
}

#[test]
fn spawn_and_join() {
    on_each_worker_count(|| {
        let handles: Vec<_> = (0..10_000u64).map(|n| corun::spawn(move || n)).collect();
        let sum: u64 = handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .sum();
        assert_eq!(sum, 49_995_000);
    });
}

#[test]
fn detached_coroutines_run() {
    on_each_worker_count(|| {
        let count = Arc::new(AtomicUsize::new(0));
        for _ in 0..10_000 {
            let count = Arc::clone(&count);
            corun::spawn(move || {
                corun::yield_now();
                count.fetch_add(1, Ordering::Relaxed);
            });
        }
        while count.load(Ordering::Relaxed) != 10_000 {
            corun::yield_now();
        }
    });
}

#[test]
fn park_and_unpark_across_workers() {
    on_each_worker_count(|| {
        let sleepers: Vec<_> = (0..1000)
            .map(|_| corun::spawn(|| (0..10).for_each(|_| corun::park())))
            .collect();
        let done = Arc::new(AtomicUsize::new(0));
        for sleeper in &sleepers {
            let sleeper = sleeper.coroutine().clone();
            let done = Arc::clone(&done);
            corun::spawn(move || {
                while !matches!(sleeper.state(), corun::State::Completed) {
                    sleeper.unpark();
                    corun::yield_now();
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        while done.load(Ordering::Relaxed) != 1000 {
            corun::yield_now();
        }
    });
}

#[test]
fn a_panic_reaches_join_and_harms_nobody() {
    on_each_worker_count(|| {
        let handles: Vec<_> = (0..100)
            .map(|n| {
                corun::spawn(move || {
                    corun::yield_now();
                    assert!(n % 2 == 0, "odd");
                    n
                })
            })
            .collect();
        for (n, handle) in handles.into_iter().enumerate() {
            match handle.join() {
                Ok(value) => assert_eq!(value, n),
                Err(payload) => {
                    assert_eq!(n % 2, 1);
                    assert_eq!(payload.downcast_ref::<&str>(), Some(&"odd"));
                }
            }
        }
    });
}

#[test]
fn sleepers_wake_in_time_and_never_early() {
    on_each_worker_count(|| {
        let handles: Vec<_> = (0..1000u64)
            .map(|n| {
                corun::spawn(move || {
                    let start = Instant::now();
                    let duration = Duration::from_millis(n % 20);
                    corun::sleep(duration);
                    assert!(start.elapsed() >= duration);
                })
            })
            .collect();
        for handle in handles {
            handle.join().unwrap();
        }
    });
}

#[test]
fn a_scope_borrows() {
    on_each_worker_count(|| {
        let mut squares = [0usize; 100];
        corun::scope(|scope| {
            for (n, slot) in squares.iter_mut().enumerate() {
                scope.spawn(move || {
                    corun::yield_now();
                    *slot = n * n;
                });
            }
        });
        assert!(
            squares
                .iter()
                .enumerate()
                .all(|(n, &square)| square == n * n)
        );
    });
}

#[test]
fn a_loop_of_yields_starves_nobody() {
    on_each_worker_count(|| {
        let stop = Arc::new(AtomicUsize::new(0));
        let spinners: Vec<_> = (0..10)
            .map(|_| {
                let stop = Arc::clone(&stop);
                corun::spawn(move || {
                    while stop.load(Ordering::Relaxed) == 0 {
                        corun::yield_now();
                    }
                })
            })
            .collect();
        corun::sleep(Duration::from_millis(2));
        corun::spawn(|| ()).join().unwrap();
        stop.store(1, Ordering::Relaxed);
        for spinner in spinners {
            spinner.join().unwrap();
        }
    });
}

#[test]
fn deep_spawns_return_to_their_parents() {
    fn tree(depth: u32) -> u32 {
        if depth == 0 {
            return 1;
        }
        let children: Vec<_> = (0..4)
            .map(|_| corun::spawn(move || tree(depth - 1)))
            .collect();
        children
            .into_iter()
            .map(|child| child.join().unwrap())
            .sum()
    }
    on_each_worker_count(|| assert_eq!(tree(7), 4u32.pow(7)));
}

#[test]
fn files_are_written_and_read() {
    on_each_worker_count(|| {
        let name = format!("corun-smoke-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        corun::fs::write(&path, b"on a thread or by the kernel").unwrap();
        let text = corun::fs::read_to_string(&path).unwrap();
        assert_eq!(text, "on a thread or by the kernel");
        corun::fs::remove_file(&path).unwrap();
        let error = corun::fs::read(&path).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    });
}

#[test]
fn a_runtime_on_this_thread_is_driven_by_hand() {
    let runtime = corun::runtime::LocalRuntime::new().unwrap();
    let (sender, receiver) = corun::channel::bounded(0);
    let sending = runtime.spawn_local(move || (0..100).try_for_each(|n| sender.send(n)));
    let sum = runtime.spawn_local(move || receiver.iter().sum::<u32>());
    runtime.run_until_idle();
    assert!(sending.is_finished() && sum.is_finished());
    let waited = runtime.block_on(move || {
        let start = Instant::now();
        corun::sleep(Duration::from_millis(2));
        sending.join().unwrap().unwrap();
        assert_eq!(sum.join().unwrap(), 4950);
        start.elapsed()
    });
    assert!(waited >= Duration::from_millis(2));
}
