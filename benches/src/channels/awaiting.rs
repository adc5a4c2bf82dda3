//! The workloads for tasks that await: tokio's, with whatever channels run there.

use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use tokio::task::{JoinHandle, spawn};

use super::{CAPACITY, CROWD, LOCKERS, PRIMES, RING, capacity, report_rate, report_sieve};
use crate::{Args, report_per_operation};

/// A kind of channel.
pub trait Channel: 'static {
    /// The sending half.
    type Sender: Send + Sync + 'static;
    /// The receiving half.
    type Receiver: Send + 'static;

    /// A channel; `None` asks for an unbounded one, 0 for a rendezvous or the nearest thing that there is.
    fn channel(capacity: Option<usize>) -> (Self::Sender, Self::Receiver);
    /// Sends; false if nobody can receive any more.
    fn send(sender: &Self::Sender, value: u64) -> impl Future<Output = bool> + Send;
    /// Receives; `None` once nothing can come any more.
    fn recv(receiver: &mut Self::Receiver) -> impl Future<Output = Option<u64>> + Send;
}

/// A lock around a number.
pub trait Lock: Send + Sync + 'static {
    /// A lock around 0.
    fn new() -> Self;
    /// Adds one to the number.
    fn increment(&self) -> impl Future<Output = ()> + Send;
    /// Reads the number.
    fn value(&self) -> impl Future<Output = u64> + Send;
}

impl Lock for tokio::sync::Mutex<u64> {
    fn new() -> Self {
        Self::new(0)
    }

    async fn increment(&self) {
        *self.lock().await += 1;
    }

    async fn value(&self) -> u64 {
        *self.lock().await
    }
}

/// Runs the workloads that any channel can run; false if it is not one of these.
pub async fn run<C: Channel>(workload: &str, args: &mut Args) -> bool {
    match workload {
        "pingpong" => pingpong::<C>(args.next()).await,
        "buffered" => buffered::<C>(capacity(&args.next::<String>()), args.next()).await,
        "select" => select::<C>(args.next()).await,
        "ring" => ring::<C>(args.next()).await,
        "sieve" => sieve::<C>().await,
        _ => return false,
    }
    true
}

async fn join(task: JoinHandle<()>) {
    task.await.expect("no panic");
}

async fn pingpong<C: Channel>(messages: u64) {
    let (there, mut from_there) = C::channel(Some(0));
    let (back, mut from_back) = C::channel(Some(0));
    let start = Instant::now();
    let partner = spawn(async move {
        while let Some(value) = C::recv(&mut from_there).await {
            C::send(&back, value + 1).await;
        }
    });
    for round in 0..messages / 2 {
        C::send(&there, round).await;
        assert_eq!(C::recv(&mut from_back).await, Some(round + 1));
    }
    report_per_operation(start.elapsed(), messages);
    drop(there);
    join(partner).await;
}

/// One sender, one receiver.
pub async fn buffered<C: Channel>(capacity: Option<usize>, messages: u64) {
    let (sender, mut receiver) = C::channel(capacity);
    let start = Instant::now();
    let producer = spawn(async move {
        for value in 0..messages {
            C::send(&sender, value).await;
        }
    });
    let mut received = 0;
    while C::recv(&mut receiver).await.is_some() {
        received += 1;
    }
    assert_eq!(received, messages);
    report_rate(start.elapsed(), messages);
    join(producer).await;
}

/// Eight senders, eight receivers, one channel.
pub async fn crowd<C: Channel<Sender: Clone, Receiver: Clone>>(messages: u64) {
    let (sender, receiver) = C::channel(Some(CAPACITY));
    let start = Instant::now();
    let mut tasks = Vec::new();
    for _ in 0..CROWD {
        let mut receiver = receiver.clone();
        tasks.push(spawn(async move {
            while C::recv(&mut receiver).await.is_some() {}
        }));
    }
    for _ in 0..CROWD {
        let sender = sender.clone();
        tasks.push(spawn(async move {
            for value in 0..messages / CROWD {
                assert!(C::send(&sender, value).await);
            }
        }));
    }
    drop((sender, receiver));
    for task in tasks {
        join(task).await;
    }
    report_rate(start.elapsed(), messages);
}

/// One receiver that waits for two channels, each with a sender.
async fn select<C: Channel>(messages: u64) {
    let start = Instant::now();
    let [(mut one, first), (mut other, second)] = [(); 2].map(|()| {
        let (sender, receiver) = C::channel(Some(CAPACITY));
        let task = spawn(async move {
            for value in 0..messages / 2 {
                C::send(&sender, value).await;
            }
            // Never closed: an arm that is would be ready for ever.
            std::mem::forget(sender);
        });
        (receiver, task)
    });
    for _ in 0..messages {
        tokio::select! {
            value = C::recv(&mut one) => value,
            value = C::recv(&mut other) => value,
        };
    }
    report_per_operation(start.elapsed(), messages);
    join(first).await;
    join(second).await;
}

async fn ring<C: Channel>(hops: u64) {
    let (first, mut receiver) = C::channel(Some(0));
    let mut tasks = Vec::new();
    // The caller is one of them.
    for _ in 1..RING {
        let (sender, next) = C::channel(Some(0));
        let mut from = std::mem::replace(&mut receiver, next);
        tasks.push(spawn(async move {
            while let Some(token) = C::recv(&mut from).await {
                C::send(&sender, token + 1).await;
            }
        }));
    }
    let lap = async |receiver: &mut C::Receiver| {
        C::send(&first, 1).await;
        assert_eq!(C::recv(receiver).await, Some(RING));
    };
    lap(&mut receiver).await;
    let laps = hops / RING;
    let start = Instant::now();
    for _ in 0..laps {
        lap(&mut receiver).await;
    }
    report_per_operation(start.elapsed(), laps * RING);
    drop(first);
    for task in tasks {
        join(task).await;
    }
}

async fn sieve<C: Channel>() {
    let start = Instant::now();
    let (sender, mut receiver) = C::channel(Some(0));
    let mut tasks = vec![spawn(async move {
        for number in 2..=PRIMES.1 {
            C::send(&sender, number).await;
        }
    })];
    while let Some(prime) = C::recv(&mut receiver).await {
        let (sender, next) = C::channel(Some(0));
        let mut from = std::mem::replace(&mut receiver, next);
        tasks.push(spawn(async move {
            while let Some(number) = C::recv(&mut from).await {
                if number % prime != 0 {
                    C::send(&sender, number).await;
                }
            }
        }));
    }
    report_sieve(start.elapsed(), tasks.len() as u64 - 1);
    for task in tasks {
        join(task).await;
    }
}

/// 64 tasks that take one lock again and again.
pub async fn mutex<L: Lock>(operations: u64) {
    let each = operations / LOCKERS;
    let mutex = Arc::new(L::new());
    let start = Instant::now();
    let task = || {
        let mutex = mutex.clone();
        spawn(async move {
            for _ in 0..each {
                mutex.increment().await;
            }
        })
    };
    let tasks: Vec<_> = (0..LOCKERS).map(|_| task()).collect();
    for task in tasks {
        join(task).await;
    }
    assert_eq!(mutex.value().await, each * LOCKERS);
    report_per_operation(start.elapsed(), each * LOCKERS);
}
