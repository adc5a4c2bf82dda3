//! The workloads for tasks that block: coroutines and threads.

use std::sync::Arc;
use std::thread;
use std::time::Instant;

use super::{CAPACITY, CROWD, LOCKERS, PRIMES, RING, capacity, report_rate, report_sieve};
use crate::{Args, report_per_operation};

/// A kind of task that blocks.
pub trait Tasks: 'static {
    /// What a task is joined by.
    type Handle;
    /// Starts a task.
    fn spawn(task: impl FnOnce() + Send + 'static) -> Self::Handle;
    /// Waits for its end.
    fn join(handle: Self::Handle);
}

/// Threads.
pub struct Threads;

impl Tasks for Threads {
    type Handle = thread::JoinHandle<()>;

    fn spawn(task: impl FnOnce() + Send + 'static) -> Self::Handle {
        thread::spawn(task)
    }

    fn join(handle: Self::Handle) {
        handle.join().expect("no panic");
    }
}

/// A kind of channel.
pub trait Channel: 'static {
    /// The sending half.
    type Sender: Send + 'static;
    /// The receiving half.
    type Receiver: Send + 'static;

    /// A channel; `None` asks for an unbounded one, 0 for a rendezvous or the nearest thing that there is.
    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver);
    /// Sends; false if nobody can receive any more.
    fn send(sender: &Self::Sender, value: u64) -> bool;
    /// Receives; `None` once nothing can come any more.
    fn recv(receiver: &Self::Receiver) -> Option<u64>;
}

/// Channels that can be waited for together.
pub trait Select: Channel {
    /// Receives from whichever has something.
    fn recv_either(one: &Self::Receiver, other: &Self::Receiver) -> u64;
}

/// A lock around a number.
pub trait Lock: Send + Sync + 'static {
    /// A lock around 0.
    fn new() -> Self;
    /// Adds one to the number.
    fn increment(&self);
    /// Reads the number.
    fn value(&self) -> u64;
}

impl Lock for std::sync::Mutex<u64> {
    fn new() -> Self {
        Self::new(0)
    }

    fn increment(&self) {
        *self.lock().expect("no panic") += 1;
    }

    fn value(&self) -> u64 {
        *self.lock().expect("no panic")
    }
}

impl Lock for parking_lot::Mutex<u64> {
    fn new() -> Self {
        Self::new(0)
    }

    fn increment(&self) {
        *self.lock() += 1;
    }

    fn value(&self) -> u64 {
        *self.lock()
    }
}

/// Runs the workloads that any channel can run; false if it is not one of these.
pub fn run<T: Tasks, C: Channel>(workload: &str, args: &mut Args) -> bool {
    match workload {
        "pingpong" => pingpong::<T, C>(args.next()),
        "buffered" => buffered::<T, C>(capacity(&args.next::<String>()), args.next()),
        "ring" => ring::<T, C>(args.next()),
        "sieve" => sieve::<T, C>(),
        _ => return false,
    }
    true
}

/// Two tasks that answer each other.
pub fn pingpong<T: Tasks, C: Channel>(messages: u64) {
    let (there, from_there) = C::channel(Some(0));
    let (back, from_back) = C::channel(Some(0));
    let start = Instant::now();
    let partner = T::spawn(move || {
        while let Some(value) = C::recv(&from_there) {
            C::send(&back, value + 1);
        }
    });
    for round in 0..messages / 2 {
        C::send(&there, round);
        assert_eq!(C::recv(&from_back), Some(round + 1));
    }
    report_per_operation(start.elapsed(), messages);
    drop(there);
    T::join(partner);
}

/// One sender, one receiver.
pub fn buffered<T: Tasks, C: Channel>(capacity: Option<usize>, messages: u64) {
    let (sender, receiver) = C::channel(capacity);
    let start = Instant::now();
    let producer = T::spawn(move || {
        for value in 0..messages {
            C::send(&sender, value);
        }
    });
    let mut received = 0;
    while C::recv(&receiver).is_some() {
        received += 1;
    }
    assert_eq!(received, messages);
    report_rate(start.elapsed(), messages);
    T::join(producer);
}

/// Eight senders, eight receivers, one channel.
pub fn crowd<T: Tasks, C: Channel<Sender: Clone, Receiver: Clone>>(messages: u64) {
    let (sender, receiver) = C::channel(Some(CAPACITY));
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CROWD {
        let receiver = receiver.clone();
        tasks.push(T::spawn(move || while C::recv(&receiver).is_some() {}));
    }
    for _ in 0..CROWD {
        let sender = sender.clone();
        tasks.push(T::spawn(move || {
            for value in 0..messages / CROWD {
                assert!(C::send(&sender, value));
            }
        }));
    }
    drop((sender, receiver));
    for task in tasks {
        T::join(task);
    }
    report_rate(start.elapsed(), messages);
}

/// One receiver that waits for two channels, each with a sender.
pub fn select<T: Tasks, C: Select>(messages: u64) {
    let start = Instant::now();
    let [(one, first), (other, second)] = [(); 2].map(|()| {
        let (sender, receiver) = C::channel(Some(CAPACITY));
        let task = T::spawn(move || {
            for value in 0..messages / 2 {
                C::send(&sender, value);
            }
            // Never closed: an arm that is would be ready for ever.
            std::mem::forget(sender);
        });
        (receiver, task)
    });
    for _ in 0..messages {
        C::recv_either(&one, &other);
    }
    report_per_operation(start.elapsed(), messages);
    T::join(first);
    T::join(second);
}

fn ring<T: Tasks, C: Channel>(hops: u64) {
    let (first, mut receiver) = C::channel(Some(0));
    let mut tasks = Vec::new();
    // The caller is one of them.
    for _ in 1..RING {
        let (sender, next) = C::channel(Some(0));
        let from = std::mem::replace(&mut receiver, next);
        tasks.push(T::spawn(move || {
            while let Some(token) = C::recv(&from) {
                C::send(&sender, token + 1);
            }
        }));
    }
    let lap = || {
        C::send(&first, 1);
        assert_eq!(C::recv(&receiver), Some(RING));
    };
    lap();
    let laps = hops / RING;
    let start = Instant::now();
    for _ in 0..laps {
        lap();
    }
    report_per_operation(start.elapsed(), laps * RING);
    drop(first);
    for task in tasks {
        T::join(task);
    }
}

fn sieve<T: Tasks, C: Channel>() {
    let start = Instant::now();
    let (sender, mut receiver) = C::channel(Some(0));
    let mut tasks = vec![T::spawn(move || {
        for number in 2..=PRIMES.1 {
            C::send(&sender, number);
        }
    })];
    while let Some(prime) = C::recv(&receiver) {
        let (sender, next) = C::channel(Some(0));
        let from = std::mem::replace(&mut receiver, next);
        tasks.push(T::spawn(move || {
            while let Some(number) = C::recv(&from) {
                if number % prime != 0 {
                    C::send(&sender, number);
                }
            }
        }));
    }
    report_sieve(start.elapsed(), tasks.len() as u64 - 1);
    for task in tasks {
        T::join(task);
    }
}

/// 64 tasks that take one lock again and again.
pub fn mutex<T: Tasks, L: Lock>(operations: u64) {
    let each = operations / LOCKERS;
    let mutex = Arc::new(L::new());
    let start = Instant::now();
    let task = || {
        let mutex = mutex.clone();
        T::spawn(move || {
            for _ in 0..each {
                mutex.increment();
            }
        })
    };
    let tasks: Vec<_> = (0..LOCKERS).map(|_| task()).collect();
    for task in tasks {
        T::join(task);
    }
    assert_eq!(mutex.value(), each * LOCKERS);
    report_per_operation(start.elapsed(), each * LOCKERS);
}
