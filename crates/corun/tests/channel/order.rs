//! First come, first served; first in, first out.

use crate::channels::{BOUNDED, CAPACITIES, channel, spawn_waiting};
use corun::channel::{bounded, select};

const WAITERS: usize = 20;

#[corun::test(workers = [1, 2, 4, 16])]
fn waiting_receivers_are_served_in_the_order_of_their_coming() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let waiting: Vec<_> = (0..WAITERS)
            .map(|_| {
                let receiver = receiver.clone();
                spawn_waiting(move || receiver.recv())
            })
            .collect();
        for n in 0..WAITERS {
            sender.send(n).unwrap();
        }
        for (n, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.join().unwrap(), Ok(n));
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn waiting_senders_are_served_in_the_order_of_their_coming() {
    for capacity in BOUNDED {
        let (sender, receiver) = bounded(capacity);
        for n in 0..capacity {
            sender.send(n).unwrap();
        }
        let waiting: Vec<_> = (capacity..capacity + WAITERS)
            .map(|n| {
                let sender = sender.clone();
                spawn_waiting(move || sender.send(n))
            })
            .collect();
        drop(sender);
        assert_eq!(
            receiver.iter().collect::<Vec<_>>(),
            (0..capacity + WAITERS).collect::<Vec<_>>()
        );
        for waiting in waiting {
            waiting.join().unwrap().unwrap();
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn selects_stand_in_the_same_queue_as_plain_operations() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let (_other, never_sent) = bounded::<usize>(0);
        let waiting: Vec<_> = (0..WAITERS)
            .map(|n| {
                let (receiver, never_sent) = (receiver.clone(), never_sent.clone());
                spawn_waiting(move || match n % 2 {
                    0 => receiver.recv(),
                    _ => select! {
                        recv(receiver) -> value => value,
                        recv(never_sent) -> _ => unreachable!(),
                    },
                })
            })
            .collect();
        for n in 0..WAITERS {
            sender.send(n).unwrap();
        }
        for (n, waiting) in waiting.into_iter().enumerate() {
            assert_eq!(waiting.join().unwrap(), Ok(n));
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn the_messages_of_one_sender_arrive_in_order() {
    const SENDERS: usize = 4;
    const EACH: usize = 1_000;
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        for name in 0..SENDERS {
            let sender = sender.clone();
            corun::spawn(move || {
                for n in 0..EACH {
                    sender.send((name, n)).unwrap();
                }
            });
        }
        drop(sender);
        let mut next = [0; SENDERS];
        for (name, n) in receiver {
            assert_eq!(n, next[name], "of sender {name}, capacity {capacity:?}");
            next[name] += 1;
        }
        assert_eq!(next, [EACH; SENDERS]);
    }
}
