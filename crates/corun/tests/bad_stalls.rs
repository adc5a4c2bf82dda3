//! A coroutine that never gives way holds up those that share its worker, and nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use corun::{Runtime, State};

fn runtime(workers: usize) -> Runtime {
    // Nobody needs to see the stalls of this test.
    let builder = Runtime::builder().workers(workers).on_stall(|_| ());
    builder.build().unwrap()
}

/// Keeps its thread until told to stop.
fn spin(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        std::hint::spin_loop();
    }
}

/// Stalls as many workers as it is given, returns once they all are, and lets go when it is dropped.
struct Stalled {
    stop: Arc<AtomicBool>,
    spinners: Vec<corun::JoinHandle<()>>,
}

impl Stalled {
    fn new(runtime: &Runtime, count: usize) -> Stalled {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicUsize::new(0));
        let spinners = (0..count).map(|_| {
            let (stop, begun) = (Arc::clone(&stop), Arc::clone(&begun));
            runtime.spawn(move || {
                begun.fetch_add(1, Ordering::Relaxed);
                spin(&stop);
            })
        });
        let spinners = spinners.collect();
        while begun.load(Ordering::Relaxed) != count {
            std::thread::yield_now();
        }
        Stalled { stop, spinners }
    }
}

impl Drop for Stalled {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for spinner in self.spinners.drain(..) {
            spinner.join().unwrap();
        }
    }
}

#[test]
fn new_coroutines_run_although_every_worker_is_stalled() {
    for workers in [1, 2] {
        let runtime = runtime(workers);
        let stalled = Stalled::new(&runtime, workers);
        let others: Vec<_> = (0..100)
            .map(|n| {
                runtime.spawn(move || {
                    corun::sleep(Duration::from_millis(1));
                    n
                })
            })
            .collect();
        let sum: usize = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(sum, 4950);
        drop(stalled);
        runtime.shutdown(Duration::from_secs(60)).unwrap();
    }
}

#[test]
fn what_a_stalled_coroutine_has_spawned_runs_elsewhere() {
    for workers in [1, 2] {
        let runtime = runtime(workers);
        runtime.block_on(|| {
            let stop = Arc::new(AtomicBool::new(false));
            let child = corun::spawn({
                let stop = Arc::clone(&stop);
                move || stop.store(true, Ordering::Relaxed)
            });
            // Only another worker can run the child.
            spin(&stop);
            child.join().unwrap();
        });
    }
}

#[test]
fn spare_workers_may_stall_as_well() {
    let runtime = runtime(1);
    let stalled: Vec<Stalled> = (0..5).map(|_| Stalled::new(&runtime, 1)).collect();
    assert_eq!(runtime.spawn(|| 7).join().unwrap(), 7);
    assert_eq!(runtime.handle().workers(), 1);
    drop(stalled);
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}

#[test]
fn a_stalled_coroutine_gives_way_at_its_next_checkpoint() {
    let runtime = runtime(1);
    let checkpoints = runtime.block_on(|| {
        let turns = Arc::new(AtomicUsize::new(0));
        let done = Arc::new(AtomicBool::new(false));
        let other = corun::spawn_local({
            let (turns, done) = (Arc::clone(&turns), Arc::clone(&done));
            move || {
                while !done.load(Ordering::Relaxed) {
                    turns.fetch_add(1, Ordering::Relaxed);
                    corun::yield_now();
                }
            }
        });
        corun::yield_now();
        // The other one has started, so that nobody but this worker can run it.
        let before = turns.load(Ordering::Relaxed);
        assert_ne!(before, 0);
        let mut checkpoints = 0;
        while turns.load(Ordering::Relaxed) == before {
            let start = Instant::now();
            while start.elapsed() < Duration::from_millis(30) {
                std::hint::spin_loop();
            }
            corun::checkpoint();
            checkpoints += 1;
        }
        done.store(true, Ordering::Relaxed);
        other.join().unwrap();
        checkpoints
    });
    // By count alone it would give way at the 128th.
    assert!(checkpoints < 64, "{checkpoints}");
}

#[test]
fn descriptors_that_a_stalled_worker_watches_still_wake_others() {
    let runtime = runtime(1);
    let (tell, told) = mpsc::channel();
    let stalled = runtime.spawn(move || {
        let socket = corun::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(1)))
            .unwrap();
        // It has to wait, and so this worker watches the socket from now on.
        socket.recv(&mut [0]).unwrap_err();
        socket.set_read_timeout(None).unwrap();
        let address = socket.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let reader = corun::spawn({
            let stop = Arc::clone(&stop);
            move || {
                let mut buffer = [0; 8];
                let count = socket.recv(&mut buffer).unwrap();
                stop.store(true, Ordering::Relaxed);
                buffer[..count].to_vec()
            }
        });
        tell.send((address, reader.coroutine().clone())).unwrap();
        spin(&stop);
        reader.join().unwrap()
    });
    let (address, reader) = told.recv().unwrap();
    while reader.state() != State::Suspended {
        std::thread::yield_now();
    }
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"hello", address).unwrap();
    assert_eq!(stalled.join().unwrap(), b"hello");
}

/// Also with coroutines that keep some spare workers alive for longer.
#[test]
fn many_stalls_one_after_the_other_do_not_use_up_the_room_for_spare_workers() {
    let runtime = runtime(1);
    let mut sleepers = Vec::new();
    for round in 0..24 {
        let stalled = Stalled::new(&runtime, 1);
        if round % 4 == 0 {
            let sleeper = runtime.spawn(corun::park);
            while sleeper.coroutine().state() != State::Suspended {
                std::thread::yield_now();
            }
            sleepers.push(sleeper);
        } else {
            runtime.spawn(corun::yield_now).join().unwrap();
        }
        drop(stalled);
    }
    for sleeper in sleepers {
        sleeper.coroutine().unpark();
        sleeper.join().unwrap();
    }
    runtime.shutdown(Duration::from_secs(60)).unwrap();
}
