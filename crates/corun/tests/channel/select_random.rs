//! Selects that send and receive at random on a few channels lose nothing and double nothing, and come to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use corun::Runtime;
use corun::channel::{Receiver, Select, Sender, bounded, unbounded};

type Channels = Vec<(Sender<u64>, Receiver<u64>)>;

const ROUNDS: u64 = 3_000;

/// Each of several coroutines sends `ROUNDS` numbers, each on whichever channel takes it, while it receives whatever comes.
fn everybody_selects(workers: usize, channels: fn() -> Channels) {
    let runtime = Runtime::builder().workers(workers).build().unwrap();
    runtime.block_on(move || {
        let channels = Arc::new(channels());
        let (sum, count) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let members = 4;
        let total = members * ROUNDS;
        let (done, end) = bounded::<()>(0);
        let children: Vec<_> = (0..members)
            .map(|_| {
                let (channels, sum, count) = (channels.clone(), sum.clone(), count.clone());
                let (done, end) = (done.clone(), end.clone());
                corun::spawn(move || {
                    let mut next = 1;
                    loop {
                        let mut select = Select::new();
                        for (_, receiver) in channels.iter() {
                            select.recv(receiver);
                        }
                        let ended = select.recv(&end);
                        if next <= ROUNDS {
                            for (sender, _) in channels.iter() {
                                select.send(sender);
                            }
                        }
                        let operation = select.select();
                        let index = operation.index();
                        if index == ended {
                            assert!(operation.recv(&end).is_err());
                            return;
                        } else if index < ended {
                            let number = operation.recv(&channels[index].1).unwrap();
                            sum.fetch_add(number, Ordering::Relaxed);
                            if count.fetch_add(1, Ordering::Relaxed) + 1 == total {
                                done.close();
                            }
                        } else {
                            operation
                                .send(&channels[index - ended - 1].0, next)
                                .unwrap();
                            next += 1;
                        }
                    }
                })
            })
            .collect();
        for child in children {
            child.join().unwrap();
        }
        assert_eq!(count.load(Ordering::Relaxed), total);
        assert_eq!(
            sum.load(Ordering::Relaxed),
            members * ROUNDS * (ROUNDS + 1) / 2
        );
    });
}

#[test]
fn at_rendezvous_channels() {
    for workers in [1, 2, 4] {
        everybody_selects(workers, || vec![bounded(0), bounded(0)]);
    }
}

#[test]
fn at_one_rendezvous_channel() {
    for workers in [1, 2, 4] {
        everybody_selects(workers, || vec![bounded(0)]);
    }
}

#[test]
fn at_channels_of_all_kinds() {
    for workers in [1, 2, 4] {
        everybody_selects(workers, || {
            vec![bounded(0), bounded(1), bounded(3), unbounded()]
        });
    }
}
