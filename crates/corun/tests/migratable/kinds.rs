//! Messages between all kinds of callers: each waits in its own way, and wakes the others in theirs.

use corun::channel::{Receiver, Sender, bounded, unbounded};

use crate::{runtime, spawn};

const MESSAGES: u32 = 500;

#[derive(Clone, Copy, Debug)]
enum Kind {
    Migratable,
    Pinned,
    Async,
    Thread,
}

const KINDS: [Kind; 4] = [Kind::Migratable, Kind::Pinned, Kind::Async, Kind::Thread];

enum Running {
    Coroutine(corun::JoinHandle<()>),
    Thread(std::thread::JoinHandle<()>),
}

impl Running {
    fn join(self) {
        match self {
            Running::Coroutine(one) => one.join().unwrap(),
            Running::Thread(one) => one.join().unwrap(),
        }
    }
}

/// Answers each message by the next number.
fn answer(kind: Kind, inbox: Receiver<u32>, outbox: Sender<u32>) -> Running {
    if let Kind::Async = kind {
        return Running::Coroutine(corun::spawn_async(async move {
            while let Ok(message) = inbox.recv_async().await {
                outbox.send_async(message + 1).await.unwrap();
            }
        }));
    }
    start(kind, move || {
        for message in &inbox {
            outbox.send(message + 1).unwrap();
        }
    })
}

/// Sends each number, and waits for its answer.
fn ask(kind: Kind, inbox: Receiver<u32>, outbox: Sender<u32>) -> Running {
    if let Kind::Async = kind {
        return Running::Coroutine(corun::spawn_async(async move {
            for message in 0..MESSAGES {
                outbox.send_async(message).await.unwrap();
                assert_eq!(inbox.recv_async().await.unwrap(), message + 1);
            }
        }));
    }
    start(kind, move || {
        for message in 0..MESSAGES {
            outbox.send(message).unwrap();
            assert_eq!(inbox.recv().unwrap(), message + 1);
        }
    })
}

fn start(kind: Kind, body: impl FnOnce() + Send + 'static) -> Running {
    match kind {
        Kind::Migratable => Running::Coroutine(spawn(body)),
        Kind::Pinned => Running::Coroutine(corun::spawn(body)),
        Kind::Thread => Running::Thread(std::thread::spawn(body)),
        Kind::Async => unreachable!("a task is no closure"),
    }
}

#[test]
fn messages_go_to_and_fro() {
    for workers in [1, 2, 8] {
        for capacity in [Some(0), Some(1), None] {
            for kind in KINDS {
                runtime(workers).block_on(move || {
                    let channel = || match capacity {
                        Some(capacity) => bounded(capacity),
                        None => unbounded(),
                    };
                    let ((to, inbox), (outbox, from)) = (channel(), channel());
                    let answers = answer(kind, inbox, outbox);
                    ask(Kind::Migratable, from.clone(), to.clone()).join();
                    ask(kind, from, to).join();
                    answers.join();
                });
            }
        }
    }
}

#[test]
fn each_kind_joins_and_unparks_each() {
    for workers in [1, 2, 8] {
        runtime(workers).block_on(|| {
            let parked = spawn(corun::park);
            let (coroutine, again) = (parked.coroutine().clone(), parked.coroutine().clone());
            let pinned = corun::spawn(move || coroutine.unpark());
            let joining = spawn(move || (parked.join().unwrap(), pinned.join().unwrap()));
            let awaiting = corun::spawn_async(joining);
            let thread = std::thread::spawn(move || {
                again.unpark();
                awaiting.join().unwrap().unwrap()
            });
            corun::blocking(|| thread.join().unwrap());
            let task = corun::spawn_async(async { 7 });
            assert_eq!(spawn(move || task.join().unwrap()).join().unwrap(), 7);
            let child = spawn(|| corun::spawn(|| 8).join().unwrap() + spawn(|| 1).join().unwrap());
            assert_eq!(corun::block_on(child).unwrap(), 9);
        });
    }
}

#[test]
fn select_finds_what_is_ready_from_anywhere() {
    for workers in [1, 2, 8] {
        runtime(workers).block_on(|| {
            let (left, right) = (bounded::<u32>(0), unbounded::<u32>());
            let (from_left, from_right) = (left.1, right.1);
            let receiver = spawn(move || {
                let mut sum = 0;
                for _ in 0..2 * MESSAGES {
                    corun::select! {
                        recv(from_left) -> message => sum += message.unwrap(),
                        recv(from_right) -> message => sum += message.unwrap(),
                    }
                }
                sum
            });
            // Kept, as a channel without senders is ready too.
            let (to_left, to_right) = (left.0.clone(), right.0.clone());
            let one = corun::spawn(move || (0..MESSAGES).for_each(|i| to_left.send(i).unwrap()));
            let two = spawn(move || (0..MESSAGES).for_each(|i| to_right.send(i).unwrap()));
            one.join().unwrap();
            two.join().unwrap();
            assert_eq!(receiver.join().unwrap(), MESSAGES * (MESSAGES - 1));
        });
    }
}
