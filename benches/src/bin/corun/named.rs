//! The workloads of the benchmarks of Go's own runtime, with their names and parameters, written anew: ../../../go/named.go has
//! the same for Go.

use std::arch::asm;
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use corun::channel::{Receiver, Sender, after, bounded, select};
use corun::{JoinHandle, spawn};
use corun_bench::{Args, report_per_operation};

const CALLS_PER_SCHED: u64 = 1000;
/// How many operations a coroutine draws at once.
const GRAIN: i64 = 64;
const HOUR: Duration = Duration::from_secs(3600);

/// `named BENCHMARK OPERATIONS`.
pub fn workload(workers: usize, mut args: Args) {
    let (name, count) = (args.next::<String>(), args.next());
    let start = Instant::now();
    match name.as_str() {
        "ChanUncontended" => chan_uncontended(workers, count),
        "ChanContended" => chan_contended(workers, count),
        "ChanSync" => chan_sync(count),
        "ChanProdCons0" => chan_prod_cons(workers, count, 0),
        "ChanProdCons10" => chan_prod_cons(workers, count, 10),
        "ChanProdCons100" => chan_prod_cons(workers, count, 100),
        "SelectUncontended" => select_uncontended(workers, count),
        "SelectSyncContended" => select_sync_contended(workers, count),
        "SelectProdCons" => select_prod_cons(workers, count),
        "ChanSem" => chan_sem(workers, count),
        "ChanPopular" => chan_popular(count),
        other => panic!("no such benchmark: {other}"),
    }
    report_per_operation(start.elapsed(), count);
}

/// The operations that are left, shared by coroutines that each draw some at a time.
struct Left(AtomicI64);

impl Left {
    fn new(count: u64) -> Arc<Left> {
        Arc::new(Left(AtomicI64::new(count as i64)))
    }

    fn draw(&self) -> i64 {
        self.0.fetch_sub(1, Ordering::Relaxed) - 1
    }
}

/// A coroutine's share of the operations.
struct Share {
    left: Arc<Left>,
    drawn: Cell<i64>,
}

impl Share {
    /// Whether the coroutine is to do one more operation.
    fn next(&self) -> bool {
        if self.drawn.get() == 0 {
            let before = self.left.0.fetch_sub(GRAIN, Ordering::Relaxed);
            self.drawn.set(before.clamp(0, GRAIN));
            if self.drawn.get() == 0 {
                return false;
            }
        }
        self.drawn.set(self.drawn.get() - 1);
        true
    }
}

/// Runs `body` in as many coroutines as there are workers.
fn parallel(workers: usize, count: u64, body: impl Fn(Share) + Clone + Send + 'static) {
    let left = Left::new(count);
    let start = |_| {
        let (body, left) = (body.clone(), left.clone());
        spawn(move || {
            body(Share {
                left,
                drawn: Cell::new(0),
            })
        })
    };
    join((0..workers).map(start).collect());
}

fn join(handles: Vec<JoinHandle<()>>) {
    for handle in handles {
        handle.join().expect("no panic");
    }
}

fn fill_and_empty((sender, receiver): &(Sender<u64>, Receiver<u64>), size: usize) {
    for _ in 0..size {
        sender.send(0).expect("open");
    }
    for _ in 0..size {
        receiver.recv().expect("open");
    }
}

fn chan_uncontended(workers: usize, count: u64) {
    const SIZE: usize = 100;
    parallel(workers, count, |share| {
        let channel = bounded(SIZE);
        while share.next() {
            fill_and_empty(&channel, SIZE);
        }
    });
}

fn chan_contended(workers: usize, count: u64) {
    const SIZE: usize = 100;
    let channel = bounded(SIZE * workers);
    parallel(workers, count, move |share| {
        while share.next() {
            fill_and_empty(&channel, SIZE);
        }
    });
}

fn chan_sync(count: u64) {
    const PAIR: u64 = 2;
    let left = Left::new(count / CALLS_PER_SCHED / PAIR * PAIR);
    let (sender, receiver) = bounded(0);
    let start = |_| {
        let (left, sender, receiver) = (left.clone(), sender.clone(), receiver.clone());
        spawn(move || {
            loop {
                let turn = left.draw();
                if turn < 0 {
                    return;
                }
                for _ in 0..CALLS_PER_SCHED {
                    if turn % 2 == 0 {
                        receiver.recv().expect("open");
                        sender.send(0).expect("open");
                    } else {
                        sender.send(0).expect("open");
                        receiver.recv().expect("open");
                    }
                }
            }
        })
    };
    join((0..PAIR).map(start).collect());
}

fn chan_prod_cons(workers: usize, count: u64, size: usize) {
    let left = Left::new(count / CALLS_PER_SCHED);
    let (sender, receiver) = bounded(size);
    let mut handles = Vec::new();
    for _ in 0..workers {
        let (left, sender, receiver) = (left.clone(), sender.clone(), receiver.clone());
        handles.push(spawn(move || {
            while left.draw() >= 0 {
                for _ in 0..CALLS_PER_SCHED {
                    sender.send(1).expect("open");
                }
            }
            sender.send(0).expect("open");
        }));
        handles.push(spawn(move || while receiver.recv() != Ok(0) {}));
    }
    join(handles);
}

fn select_uncontended(workers: usize, count: u64) {
    parallel(workers, count, |share| {
        let ((to_one, one), (to_other, other)) = (bounded::<u64>(1), bounded::<u64>(1));
        to_one.send(0).expect("open");
        while share.next() {
            select! {
                recv(one) -> _ => to_other.send(0).expect("open"),
                recv(other) -> _ => to_one.send(0).expect("open"),
            }
        }
    });
}

fn select_sync_contended(workers: usize, count: u64) {
    let channels: [(Sender<u64>, Receiver<u64>); 3] = std::array::from_fn(|_| bounded(0));
    let (done, is_done) = bounded::<u64>(0);
    parallel(workers, count, move |share| {
        let (channels, is_done) = (channels.clone(), is_done.clone());
        let [(_, one), (_, two), (_, three)] = channels.clone();
        spawn(move || {
            // With their receivers, so that a send never fails before it is done.
            let [(one, _keep_one), (two, _keep_two), (three, _keep_three)] = channels;
            loop {
                select! {
                    send(one, 0) -> sent => sent.expect("open"),
                    send(two, 0) -> sent => sent.expect("open"),
                    send(three, 0) -> sent => sent.expect("open"),
                    recv(is_done) -> _ => return,
                }
            }
        });
        while share.next() {
            select! {
                recv(one) -> value => value.expect("open"),
                recv(two) -> value => value.expect("open"),
                recv(three) -> value => value.expect("open"),
            };
        }
    });
    drop(done);
}

/// What a coroutine does between two operations. The compiler may not look through it, so that it does the same as Go's.
fn local_work(mut number: i64) -> i64 {
    for _ in 0..100 {
        number = number.wrapping_mul(2) / 2;
        // SAFETY: no instruction at all; the number stays in its register.
        unsafe {
            asm!("/* {0} */", inout(reg) number, options(pure, nomem, nostack, preserves_flags))
        };
    }
    number
}

fn select_prod_cons(workers: usize, count: u64) {
    let left = Left::new(count / CALLS_PER_SCHED);
    let (sender, receiver) = bounded::<u64>(128);
    let (_open, closed) = bounded::<u64>(0);
    let mut handles = Vec::new();
    for _ in 0..workers {
        let (left, sender, receiver) = (left.clone(), sender.clone(), receiver.clone());
        let (closed, closed_too) = (closed.clone(), closed.clone());
        handles.push(spawn(move || {
            let (mut number, late) = (0, after(HOUR));
            while left.draw() >= 0 {
                for _ in 0..CALLS_PER_SCHED {
                    number = local_work(number);
                    select! {
                        send(sender, 1) -> sent => sent.expect("open"),
                        recv(late) -> _ => {}
                        recv(closed) -> _ => {}
                    }
                }
            }
            sender.send(number as u64).expect("open");
        }));
        handles.push(spawn(move || {
            let (mut number, late) = (0, after(HOUR));
            loop {
                select! {
                    recv(receiver) -> value => if value == Ok(0) { return },
                    recv(late) -> _ => {}
                    recv(closed_too) -> _ => {}
                }
                number = local_work(number);
            }
        }));
    }
    join(handles);
}

fn chan_sem(workers: usize, count: u64) {
    let (sender, receiver) = bounded::<()>(workers);
    parallel(workers, count, move |share| {
        while share.next() {
            sender.send(()).expect("open");
            receiver.recv().expect("open");
        }
    });
}

fn chan_popular(count: u64) {
    const CROWD: usize = 1000;
    let (_popular, popular) = bounded::<bool>(0);
    let (mut handles, mut senders) = (Vec::new(), Vec::new());
    for _ in 0..CROWD {
        let (sender, own) = bounded::<bool>(0);
        senders.push(sender);
        let popular = popular.clone();
        handles.push(spawn(move || {
            for _ in 0..count {
                select! {
                    recv(popular) -> value => value.expect("open"),
                    recv(own) -> value => value.expect("open"),
                };
            }
        }));
    }
    for _ in 0..count {
        for sender in &senders {
            sender.send(true).expect("open");
        }
    }
    join(handles);
}
