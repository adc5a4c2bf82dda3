//! They change threads, wherever they wait or give way, and nothing that keeps a worker busy holds them up.

use std::collections::HashSet;
use std::hint;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use corun::JoinHandle;
use corun::runtime::Handle;

use crate::{runtime, spawn, thread_id, until_waiting};

/// Keeps workers busy until it is dropped.
struct Kept {
    threads: HashSet<ThreadId>,
    _until: Vec<mpsc::Sender<()>>,
}

/// Blocks as many threads as there are workers, by coroutines that are pinned to them.
fn keep_workers(handle: &Handle, workers: usize) -> Kept {
    let (tell, told) = mpsc::channel();
    let until = (0..workers)
        .map(|_| {
            let (until, end) = mpsc::channel::<()>();
            let tell = tell.clone();
            handle.spawn(move || {
                tell.send(thread_id()).unwrap();
                end.recv().unwrap_err();
            });
            until
        })
        .collect();
    Kept {
        threads: (0..workers).map(|_| told.recv().unwrap()).collect(),
        _until: until,
    }
}

fn spawn_on<T: Send + 'static>(
    handle: &Handle,
    body: impl FnOnce() -> T + Send + 'static,
) -> JoinHandle<T> {
    // SAFETY: the bodies keep nothing of their thread.
    unsafe { corun::Builder::new().spawn_migratable_on(handle, body) }.unwrap()
}

#[test]
fn one_that_waits_goes_on_elsewhere_when_its_worker_is_kept() {
    for workers in [1, 2, 8] {
        let runtime = runtime(workers);
        let (tell, told) = mpsc::channel();
        let waiter = spawn_on(runtime.handle(), move || {
            tell.send(thread_id()).unwrap();
            corun::park();
            thread_id()
        });
        let before = told.recv().unwrap();
        let kept = keep_workers(runtime.handle(), workers);
        waiter.coroutine().unpark();
        let after = waiter.join().unwrap();
        assert!(
            !kept.threads.contains(&after),
            "it goes on where nobody blocks"
        );
        if kept.threads.contains(&before) {
            assert_ne!(before, after);
        }
    }
}

#[test]
fn one_that_gives_way_goes_on_elsewhere_when_its_worker_is_kept() {
    let runtime = runtime(1);
    let turns = Arc::new(AtomicUsize::new(0));
    let turning = spawn_on(runtime.handle(), {
        let turns = Arc::clone(&turns);
        move || {
            while turns.load(Ordering::Relaxed) < usize::MAX / 2 {
                turns.fetch_add(1, Ordering::Relaxed);
                corun::yield_now();
            }
        }
    });
    let kept = keep_workers(runtime.handle(), 1);
    let seen = turns.load(Ordering::Relaxed);
    while turns.load(Ordering::Relaxed) < seen + 1000 {
        thread::yield_now();
    }
    turns.store(usize::MAX / 2, Ordering::Relaxed);
    turning.join().unwrap();
    drop(kept);
}

#[test]
fn timers_and_sockets_of_a_worker_that_is_kept_wake_them() {
    let runtime = runtime(1);
    let listener = runtime.block_on(|| corun::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    let sleeper = spawn_on(runtime.handle(), || {
        // Longer than it takes to keep its worker, even on a machine that is busy.
        corun::sleep(Duration::from_millis(200));
        thread_id()
    });
    let server = spawn_on(runtime.handle(), move || {
        listener.accept().unwrap();
        thread_id()
    });
    runtime.block_on(|| {
        until_waiting(&server);
        until_waiting(&sleeper);
    });
    let kept = keep_workers(runtime.handle(), 1);
    let _client = std::net::TcpStream::connect(address).unwrap();
    assert!(!kept.threads.contains(&server.join().unwrap()));
    assert!(!kept.threads.contains(&sleeper.join().unwrap()));
}

#[test]
fn one_spawner_feeds_all_workers() {
    for workers in [2, 4] {
        let together = Arc::new(AtomicUsize::new(0));
        runtime(workers).block_on(move || {
            let all: Vec<_> = (0..workers)
                .map(|_| {
                    let together = Arc::clone(&together);
                    // Without a safepoint: they can only meet on as many threads.
                    spawn(move || {
                        together.fetch_add(1, Ordering::Relaxed);
                        while together.load(Ordering::Relaxed) < workers {
                            hint::spin_loop();
                        }
                        thread_id()
                    })
                })
                .collect();
            let threads: HashSet<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert_eq!(threads.len(), workers);
        });
    }
}

#[test]
fn those_that_give_way_and_wait_change_threads_by_themselves() {
    runtime(2).block_on(|| {
        let moved = Arc::new(AtomicUsize::new(0));
        let all: Vec<_> = (0..16)
            .map(|_| {
                let moved = Arc::clone(&moved);
                spawn(move || {
                    let began = thread_id();
                    // Until it has been seen on two threads, and all others have.
                    let mut counted = false;
                    while moved.load(Ordering::Relaxed) < 16 {
                        if !counted && thread_id() != began {
                            counted = true;
                            moved.fetch_add(1, Ordering::Relaxed);
                        }
                        corun::yield_now();
                        corun::sleep(Duration::from_micros(50));
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|one| one.join().unwrap());
    });
}

#[test]
fn a_pinned_one_beside_them_never_does() {
    runtime(2).block_on(|| {
        let pinned = corun::spawn(|| {
            let began = thread_id();
            for _ in 0..2000 {
                corun::yield_now();
                assert_eq!(thread_id(), began);
            }
        });
        let others: Vec<_> = (0..8)
            .map(|_| spawn(|| (0..2000).for_each(|_| corun::yield_now())))
            .collect();
        pinned.join().unwrap();
        others.into_iter().for_each(|one| one.join().unwrap());
    });
}
