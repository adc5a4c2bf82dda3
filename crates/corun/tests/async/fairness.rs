//! Tasks share their workers with each other and with coroutines: whoever is ready has its turn, whatever the others do.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use corun::channel::{bounded, unbounded};
use corun::net::{TcpListener, TcpStream};
use corun::{JoinHandle, Runtime, block_on, spawn, spawn_async, spawn_async_local};

use crate::guests::yield_once;

fn on_one_worker<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let result = runtime.block_on(body);
    runtime.shutdown(Duration::from_secs(60)).unwrap();
    result
}

/// Tasks that keep the worker busy until the flag is up, each in another way; and how often they had a turn.
fn busy_tasks(done: &Arc<AtomicBool>, turns: &Arc<AtomicUsize>) -> Vec<JoinHandle<()>> {
    let mut tasks = Vec::new();
    // One that always wakes itself.
    let (stop, count) = (done.clone(), turns.clone());
    tasks.push(spawn_async(async move {
        while !stop.load(Ordering::Relaxed) {
            count.fetch_add(1, Ordering::Relaxed);
            yield_once().await;
        }
    }));
    // Two that wake each other.
    let (to_one, one) = unbounded::<()>();
    let (to_other, other) = unbounded::<()>();
    to_one.send(()).unwrap();
    for (from, to) in [(one, to_other), (other, to_one)] {
        let (stop, count) = (done.clone(), turns.clone());
        tasks.push(spawn_async(async move {
            while !stop.load(Ordering::Relaxed) && from.recv_async().await.is_ok() {
                count.fetch_add(1, Ordering::Relaxed);
                if to.send(()).is_err() {
                    return;
                }
            }
        }));
    }
    // One that never has to wait for what it awaits.
    let (full, always) = unbounded::<u32>();
    let (stop, count) = (done.clone(), turns.clone());
    tasks.push(spawn_async(async move {
        while !stop.load(Ordering::Relaxed) {
            full.send(1).unwrap();
            always.recv_async().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
        }
    }));
    tasks
}

/// Does something that takes many turns of others while busy tasks share its worker, in a bounded number of their turns.
fn goes_on(others: impl FnOnce() + Send + 'static) {
    on_one_worker(move || {
        let (done, turns) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicUsize::new(0)),
        );
        let busy = busy_tasks(&done, &turns);
        others();
        done.store(true, Ordering::Relaxed);
        let turns = turns.load(Ordering::Relaxed);
        assert!(turns < 3_000_000, "{turns} turns of the busy ones");
        busy.into_iter().for_each(|task| task.join().unwrap());
    });
}

#[test]
fn coroutines_go_on() {
    goes_on(|| {
        let coroutines: Vec<_> = (0..20)
            .map(|_| spawn(|| (0..50).for_each(|_| corun::yield_now())))
            .collect();
        coroutines
            .into_iter()
            .for_each(|coroutine| coroutine.join().unwrap());
    });
}

#[test]
fn new_coroutines_start() {
    goes_on(|| (0..100).for_each(|_| spawn(|| ()).join().unwrap()));
}

#[test]
fn other_tasks_go_on_local_ones_included() {
    goes_on(|| {
        let task = spawn_async(async {
            for _ in 0..100 {
                yield_once().await;
            }
        });
        let local = spawn_async_local(async {
            for _ in 0..100 {
                yield_once().await;
            }
        });
        block_on(async move {
            task.await.unwrap();
            local.await.unwrap();
        });
    });
}

#[test]
fn timers_and_sockets_are_looked_at() {
    goes_on(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let echo = spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() == 1 {
                stream.write_all(&byte).unwrap();
            }
        });
        let mut stream = TcpStream::connect(address).unwrap();
        for n in 0..50 {
            stream.write_all(&[n]).unwrap();
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            corun::sleep(Duration::from_micros(100));
        }
        drop(stream);
        echo.join().unwrap();
    });
}

#[test]
fn spawns_from_outside_are_taken() {
    let runtime = Runtime::builder().workers(1).build().unwrap();
    let (done, turns) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let busy = runtime.block_on(|| busy_tasks(&done, &turns));
    for n in 0..200 {
        assert_eq!(runtime.spawn_async(async move { n }).join().unwrap(), n);
        assert_eq!(runtime.spawn(move || n).join().unwrap(), n);
    }
    done.store(true, Ordering::Relaxed);
    busy.into_iter().for_each(|task| task.join().unwrap());
}

#[test]
fn tasks_go_on_beside_busy_coroutines() {
    on_one_worker(|| {
        let done = Arc::new(AtomicBool::new(false));
        let rounds = Arc::new(AtomicUsize::new(0));
        let busy: Vec<_> = (0..5)
            .map(|_| {
                let (done, rounds) = (done.clone(), rounds.clone());
                spawn(move || {
                    while !done.load(Ordering::Relaxed) {
                        rounds.fetch_add(1, Ordering::Relaxed);
                        corun::yield_now();
                    }
                })
            })
            .collect();
        let (to, from) = bounded::<u32>(0);
        let sender = spawn_async(async move {
            for n in 0..200 {
                to.send_async(n).await.unwrap();
            }
        });
        let receiver = spawn_async(async move {
            let mut sum = 0;
            while let Ok(n) = from.recv_async().await {
                yield_once().await;
                sum += n;
            }
            sum
        });
        assert_eq!(receiver.join().unwrap(), 19_900);
        sender.join().unwrap();
        done.store(true, Ordering::Relaxed);
        let rounds = rounds.load(Ordering::Relaxed);
        assert!(rounds < 1_000_000, "{rounds} turns of the busy ones");
        busy.into_iter()
            .for_each(|coroutine| coroutine.join().unwrap());
    });
}

/// Tasks that were spawned on a worker that is kept busy go on elsewhere, at every await; one that a long poll has woken, too.
#[test]
fn tasks_are_stolen_from_a_worker_that_does_not_come_to_them() {
    let runtime = Runtime::builder().workers(2).build().unwrap();
    runtime.block_on(|| {
        let threads = Arc::new(Mutex::new(HashSet::new()));
        let ended = Arc::new(AtomicUsize::new(0));
        let keeper = spawn_async({
            let (threads, ended) = (threads.clone(), ended.clone());
            async move {
                let (wake, woken) = bounded::<()>(1);
                let (all, also) = (threads.clone(), ended.clone());
                let next = spawn_async(async move {
                    woken.recv_async().await.unwrap();
                    all.lock().unwrap().insert(std::thread::current().id());
                    also.fetch_add(1, Ordering::SeqCst);
                });
                for _ in 0..100 {
                    let (threads, ended) = (threads.clone(), ended.clone());
                    drop(spawn_async(async move {
                        yield_once().await;
                        threads.lock().unwrap().insert(std::thread::current().id());
                        ended.fetch_add(1, Ordering::SeqCst);
                    }));
                }
                // Let it wait before it is woken.
                for _ in 0..4 {
                    yield_once().await;
                }
                wake.send(()).unwrap();
                // This poll lasts until the others have run, which they can only elsewhere.
                while ended.load(Ordering::SeqCst) < 101 {
                    std::thread::yield_now();
                }
                drop(next);
                threads
                    .lock()
                    .unwrap()
                    .contains(&std::thread::current().id())
            }
        });
        keeper.join().unwrap();
        assert!(!threads.lock().unwrap().is_empty());
    });
}

/// So that no test above passes because tasks are never polled by the worker that they keep busy.
#[test]
fn a_slice_ends_a_task_that_never_waits() {
    on_one_worker(|| {
        let (sender, receiver) = unbounded::<u32>();
        let longest = spawn_async_local(async move {
            let (longest, row) = (Cell::new(0), Cell::new(0));
            let mut counted = std::pin::pin!(async {
                for n in 0..10_000 {
                    sender.send(n).unwrap();
                    receiver.recv_async().await.unwrap();
                    row.set(row.get() + 1);
                }
            });
            std::future::poll_fn(|context| {
                row.set(0);
                let polled = counted.as_mut().poll(context);
                longest.set(longest.get().max(row.get()));
                polled
            })
            .await;
            longest.get()
        });
        let longest = longest.join().unwrap();
        assert!(
            (1..=200).contains(&longest),
            "{longest} operations in one poll"
        );
    });
}
