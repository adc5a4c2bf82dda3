//! 100,000 coroutines on one channel.

use crate::channels::{CAPACITIES, channel};
use corun::channel::{Receiver, bounded};

// Unoptimised stacks are larger, and tests of several worker counts run at the same time.
const CROWD: u64 = if cfg!(debug_assertions) {
    10_000
} else {
    100_000
};

#[corun::test(workers = [1, 2, 4, 16])]
fn a_crowd_of_receivers_gets_one_message_each() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u64>(capacity);
        let (results, sums) = channel(None);
        for _ in 0..CROWD {
            let (receiver, results) = (receiver.clone(), results.clone());
            corun::spawn(move || results.send(receiver.recv().unwrap()).unwrap());
        }
        (0..CROWD).for_each(|n| sender.send(n).unwrap());
        drop(results);
        assert_eq!(sums.iter().sum::<u64>(), CROWD * (CROWD - 1) / 2);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_crowd_of_senders_is_heard() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u64>(capacity);
        for n in 0..CROWD {
            let sender = sender.clone();
            corun::spawn(move || sender.send(n).unwrap());
        }
        drop(sender);
        assert_eq!(receiver.iter().sum::<u64>(), CROWD * (CROWD - 1) / 2);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn closing_wakes_the_whole_crowd() {
    let (sender, receiver) = bounded::<u64>(0);
    let (ready, started) = channel(None);
    let crowd: Vec<_> = (0..CROWD)
        .map(|_| {
            let (receiver, ready) = (receiver.clone(), ready.clone());
            corun::spawn(move || {
                ready.send(()).unwrap();
                receiver.recv().is_err()
            })
        })
        .collect();
    (0..CROWD).for_each(|_| started.recv().unwrap());
    sender.close();
    for one in crowd {
        assert!(one.join().unwrap());
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_message_passes_through_a_chain_of_coroutines() {
    let (first, mut last): (_, Receiver<u64>) = bounded(0);
    for _ in 0..CROWD {
        let (next, end) = bounded(0);
        let previous = std::mem::replace(&mut last, end);
        corun::spawn(move || next.send(previous.recv().unwrap() + 1).unwrap());
    }
    first.send(0).unwrap();
    assert_eq!(last.recv(), Ok(CROWD));
}
