//! What closing does, and what the end of all senders or receivers does.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::channels::{BOUNDED, CAPACITIES, Counted, channel, spawn_waiting};
use corun::channel::{
    Receiver, RecvError, RecvTimeoutError, SendError, SendTimeoutError, Sender, TryRecvError,
    TrySendError, bounded, select,
};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// The ways in which nothing more can be sent.
fn ends<T>() -> [fn(Sender<T>); 2] {
    [
        |sender| drop(sender),
        |sender| {
            sender.close();
        },
    ]
}

/// The ways in which nothing more can be received.
fn refusals<T>() -> [fn(Receiver<T>); 2] {
    [
        |receiver| drop(receiver),
        |receiver| {
            receiver.close();
        },
    ]
}

#[corun::test(workers = [1, 2, 4, 16])]
fn what_was_sent_before_can_be_received_after() {
    for capacity in [Some(1), Some(5), None] {
        for end in ends() {
            let (sender, receiver) = channel(capacity);
            let count = capacity.unwrap_or(100);
            for n in 0..count {
                sender.send(n).unwrap();
            }
            end(sender);
            assert_eq!(receiver.len(), count);
            for n in 0..count {
                assert_eq!(receiver.recv(), Ok(n));
            }
            assert_eq!(receiver.recv(), Err(RecvError));
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
            assert_eq!(
                receiver.recv_timeout(LONG),
                Err(RecvTimeoutError::Disconnected)
            );
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn nothing_is_sent_afterwards_and_the_value_comes_back() {
    for capacity in CAPACITIES {
        for refuse in refusals() {
            let (sender, receiver) = channel(capacity);
            refuse(receiver);
            assert_eq!(sender.send(1), Err(SendError(1)));
            assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
            assert_eq!(
                sender.send_timeout(3, LONG),
                Err(SendTimeoutError::Disconnected(3))
            );
            assert!(select! { send(sender, 4) -> sent => sent == Err(SendError(4)) });
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn all_waiting_receivers_are_woken() {
    for capacity in CAPACITIES {
        for end in ends() {
            let (sender, receiver) = channel::<u32>(capacity);
            let waiting: Vec<_> = (0..20)
                .map(|n| {
                    let receiver = receiver.clone();
                    spawn_waiting(move || match n % 3 {
                        0 => receiver.recv().is_err(),
                        1 => receiver.recv_timeout(LONG) == Err(RecvTimeoutError::Disconnected),
                        _ => select! { recv(receiver) -> value => value.is_err(), default(LONG) => false },
                    })
                })
                .collect();
            end(sender);
            for waiting in waiting {
                assert!(waiting.join().unwrap());
            }
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn all_waiting_senders_are_woken_with_their_values() {
    for capacity in BOUNDED {
        for refuse in refusals() {
            let (sender, receiver) = bounded(capacity);
            for _ in 0..capacity {
                sender.send(Box::new(1000)).unwrap();
            }
            let waiting: Vec<_> = (0..20)
                .map(|n| {
                    let sender = sender.clone();
                    spawn_waiting(move || match n % 3 {
                        0 => sender.send(Box::new(n)) == Err(SendError(Box::new(n))),
                        1 => sender.send_timeout(Box::new(n), LONG) == Err(SendTimeoutError::Disconnected(Box::new(n))),
                        _ => select! {
                            send(sender, Box::new(n)) -> sent => sent == Err(SendError(Box::new(n))),
                            default(LONG) => false,
                        },
                    })
                })
                .collect();
            refuse(receiver);
            for waiting in waiting {
                assert!(waiting.join().unwrap());
            }
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn closing_twice_is_harmless_and_says_so() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u32>(capacity);
        assert!(!sender.is_closed() && !receiver.is_closed());
        assert!(sender.close());
        assert!(sender.is_closed() && receiver.is_closed());
        assert!(!sender.close());
        assert!(!receiver.close());
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_channel_ends_with_the_last_of_several_ends() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u32>(capacity);
        let (second, third) = (sender.clone(), sender.clone());
        drop(sender);
        drop(third);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
        drop(second);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn every_message_is_dropped_once() {
    for capacity in CAPACITIES {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = channel(capacity);
        let senders: Vec<_> = (0..8)
            .map(|_| {
                let (sender, drops) = (sender.clone(), drops.clone());
                corun::spawn(move || {
                    (0..50)
                        .filter(|_| sender.send(Counted(drops.clone())).is_err())
                        .count()
                })
            })
            .collect();
        drop(sender);
        for _ in 0..100 {
            receiver.recv().unwrap();
        }
        receiver.close();
        for sender in senders {
            sender.join().unwrap();
        }
        drop(receiver);
        assert_eq!(drops.load(Ordering::SeqCst), 400, "capacity {capacity:?}");
    }
}

/// Go's TestNonblockRecvRace and its like.
#[corun::test(workers = [1, 2, 4, 16])]
fn a_try_recv_that_races_with_a_close_finds_the_value() {
    let rounds = if cfg!(debug_assertions) {
        1_000
    } else {
        20_000
    };
    for _ in 0..rounds {
        let (sender, receiver) = bounded(1);
        sender.send(1).unwrap();
        let receiving = corun::spawn(move || receiver.try_recv());
        sender.close();
        assert_eq!(receiving.join().unwrap(), Ok(1));
    }
}

/// As above from a plain thread, which runs at the same time even with one worker.
#[corun::test(workers = [1, 2, 4, 16])]
fn a_try_recv_in_a_thread_that_races_with_a_close_finds_the_value() {
    for _ in 0..if cfg!(debug_assertions) { 10 } else { 100 } {
        let channels: Vec<_> = (0..500).map(|_| bounded(1)).collect();
        for (sender, _) in &channels {
            sender.send(1).unwrap();
        }
        let receivers: Vec<_> = channels
            .iter()
            .map(|(_, receiver)| receiver.clone())
            .collect();
        let receiving = std::thread::spawn(move || {
            receivers
                .iter()
                .all(|receiver| receiver.try_recv() == Ok(1))
        });
        for (sender, _) in channels {
            drop(sender);
        }
        assert!(receiving.join().unwrap());
    }
}

/// Go's TestNonblockSelectRace2: a closed channel and a full one, of which one is ready at each time.
#[corun::test(workers = [1, 2, 4, 16])]
fn a_select_with_default_that_races_with_a_close_finds_something() {
    let rounds = if cfg!(debug_assertions) {
        1_000
    } else {
        20_000
    };
    for _ in 0..rounds {
        let (full, first) = bounded::<u32>(1);
        let (closing, second) = bounded::<u32>(1);
        full.send(1).unwrap();
        let drain = first.clone();
        let selecting = corun::spawn(move || {
            select! {
                recv(first) -> _ => true,
                recv(second) -> _ => true,
                default => false,
            }
        });
        closing.close();
        // From here on the second is ready, so the first may get empty.
        let _ = drain.try_recv();
        assert!(selecting.join().unwrap());
    }
}
