//! Every message that is sent is received once, in the order of its sender, whoever sends and receives, at every capacity.

use std::thread;

use corun::Runtime;
use corun::channel::{Receiver, Sender, bounded, unbounded};

/// The number of the sender, and that of the message among its own.
type Message = (u64, u64);

const SENDERS: u64 = 4;
const RECEIVERS: usize = 4;
const EACH: u64 = 2_000;

fn send_all(sender: &Sender<Message>, who: u64) {
    for n in 0..EACH {
        sender.send((who, n)).unwrap();
    }
}

/// What was received, sorted, after a check of the order.
fn receive_all(receiver: &Receiver<Message>) -> Vec<Message> {
    let messages: Vec<_> = receiver.iter().collect();
    for who in 0..SENDERS {
        let of_one = messages.iter().filter(|message| message.0 == who);
        assert!(of_one.clone().is_sorted(), "out of order");
    }
    messages
}

fn check(received: impl Iterator<Item = Vec<Message>>) {
    let mut all: Vec<_> = received.flatten().collect();
    all.sort_unstable();
    let expected: Vec<_> = (0..SENDERS)
        .flat_map(|who| (0..EACH).map(move |n| (who, n)))
        .collect();
    assert!(all == expected, "messages lost or doubled");
}

fn channels() -> [(Sender<Message>, Receiver<Message>); 5] {
    [
        bounded(0),
        bounded(1),
        bounded(2),
        bounded(100),
        unbounded(),
    ]
}

fn among_coroutines(workers: usize) {
    let runtime = Runtime::builder().workers(workers).build().unwrap();
    for (sender, receiver) in channels() {
        runtime.block_on(move || {
            for who in 0..SENDERS {
                let sender = sender.clone();
                corun::spawn(move || send_all(&sender, who));
            }
            drop(sender);
            let receivers: Vec<_> = (0..RECEIVERS)
                .map(|_| {
                    let receiver = receiver.clone();
                    corun::spawn(move || receive_all(&receiver))
                })
                .collect();
            check(receivers.into_iter().map(|it| it.join().unwrap()));
        });
    }
}

#[test]
fn among_coroutines_of_one_worker() {
    among_coroutines(1);
}

#[test]
fn among_coroutines_of_four_workers() {
    among_coroutines(4);
}

#[test]
fn among_threads() {
    for (sender, receiver) in channels() {
        for who in 0..SENDERS {
            let sender = sender.clone();
            thread::spawn(move || send_all(&sender, who));
        }
        drop(sender);
        let receivers: Vec<_> = (0..RECEIVERS)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || receive_all(&receiver))
            })
            .collect();
        check(receivers.into_iter().map(|it| it.join().unwrap()));
    }
}

#[test]
fn between_threads_and_coroutines() {
    for (sender, receiver) in channels() {
        for who in 0..SENDERS {
            let sender = sender.clone();
            if who % 2 == 0 {
                thread::spawn(move || send_all(&sender, who));
            } else {
                corun::spawn(move || send_all(&sender, who));
            }
        }
        drop(sender);
        let on_thread = {
            let receiver = receiver.clone();
            thread::spawn(move || receive_all(&receiver))
        };
        let in_coroutine = corun::spawn(move || receive_all(&receiver));
        check([on_thread.join().unwrap(), in_coroutine.join().unwrap()].into_iter());
    }
}
