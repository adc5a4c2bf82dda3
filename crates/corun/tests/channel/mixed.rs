//! Coroutines, threads and async tasks at the two ends of the same channels.

use crate::channels::{CAPACITIES, block_on, channel};
use corun::channel::{Receiver, Sender, bounded, never, select};

const EACH: u64 = if cfg!(debug_assertions) {
    2_000
} else {
    20_000
};

type Task = (&'static str, fn(Box<dyn FnOnce() + Send>));

/// Where a closure may run.
const PLACES: [Task; 2] = [
    ("coroutine", |body| {
        corun::spawn(body);
    }),
    ("thread", |body| {
        std::thread::spawn(body);
    }),
];

fn send_all(sender: Sender<u64>) {
    for n in 1..=EACH {
        sender.send(n).unwrap();
    }
}

fn send_all_selecting(sender: Sender<u64>) {
    let (_keep, never_sent) = bounded::<()>(0);
    for n in 1..=EACH {
        select! {
            send(sender, n) -> sent => sent.unwrap(),
            recv(never_sent) -> _ => unreachable!(),
        }
    }
}

fn send_all_async(sender: Sender<u64>) {
    block_on(async {
        for n in 1..=EACH {
            sender.send_async(n).await.unwrap();
        }
    });
}

fn receive_all(receiver: Receiver<u64>) -> u64 {
    receiver.iter().sum()
}

fn receive_all_selecting(receiver: Receiver<u64>) -> u64 {
    let mut sum = 0;
    loop {
        select! {
            recv(receiver) -> n => match n {
                Ok(n) => sum += n,
                Err(_) => return sum,
            },
            recv(never::<()>()) -> _ => unreachable!(),
        }
    }
}

fn receive_all_async(receiver: Receiver<u64>) -> u64 {
    block_on(async {
        let mut sum = 0;
        while let Ok(n) = receiver.recv_async().await {
            sum += n;
        }
        sum
    })
}

#[corun::test(workers = [1, 2, 4, 16])]
fn all_kinds_of_senders_and_receivers_share_a_channel() {
    let senders: [fn(Sender<u64>); 3] = [send_all, send_all_selecting, send_all_async];
    let receivers: [fn(Receiver<u64>) -> u64; 3] =
        [receive_all, receive_all_selecting, receive_all_async];
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let (results, sums) = channel(None);
        for (_, start) in PLACES {
            for send in senders {
                let sender = sender.clone();
                start(Box::new(move || send(sender)));
            }
            for receive in receivers {
                let (receiver, results) = (receiver.clone(), results.clone());
                start(Box::new(move || results.send(receive(receiver)).unwrap()));
            }
        }
        drop((sender, receiver, results));
        let total: u64 = sums.iter().sum();
        assert_eq!(total, 6 * EACH * (EACH + 1) / 2, "capacity {capacity:?}");
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn ends_may_travel_between_threads_and_coroutines() {
    for capacity in CAPACITIES {
        // Each end does one thing, and is then handed to somebody elsewhere.
        let (sender, receiver) = channel(capacity);
        let (send_ends, from_senders) = bounded::<Sender<u64>>(1);
        let (receive_ends, from_receivers) = bounded::<Receiver<u64>>(1);
        let (results, received) = channel(None);
        send_ends.send(sender).unwrap();
        receive_ends.send(receiver).unwrap();
        for round in 0..100 {
            let (_, start) = PLACES[round % 2];
            let (end, back) = (from_senders.recv().unwrap(), send_ends.clone());
            start(Box::new(move || {
                end.send(round as u64).unwrap();
                back.send(end).unwrap();
            }));
            let (_, start) = PLACES[(round / 2) % 2];
            let (end, back, results) = (
                from_receivers.recv().unwrap(),
                receive_ends.clone(),
                results.clone(),
            );
            start(Box::new(move || {
                results.send(end.recv().unwrap()).unwrap();
                back.send(end).unwrap();
            }));
        }
        drop(results);
        assert_eq!(
            received.iter().collect::<Vec<_>>(),
            (0..100).collect::<Vec<_>>()
        );
    }
}

#[test]
fn channels_work_without_any_runtime() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let sending = std::thread::spawn(move || send_all(sender));
        assert_eq!(receive_all_selecting(receiver), EACH * (EACH + 1) / 2);
        sending.join().unwrap();
    }
}
