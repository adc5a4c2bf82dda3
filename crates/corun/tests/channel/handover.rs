//! Who waits gets the value directly: nobody who comes later can take it away.

use crate::channels::{BOUNDED, CAPACITIES, channel, spawn_waiting, until_waiting};
use corun::channel::{TryRecvError, TrySendError, bounded};

#[corun::test(workers = [1, 2, 4, 16])]
fn a_waiting_receiver_owns_the_value_before_it_runs() {
    for capacity in CAPACITIES {
        for _ in 0..100 {
            let (sender, receiver) = channel(capacity);
            let first = receiver.clone();
            let waiting = spawn_waiting(move || first.recv());
            sender.send(7).unwrap();
            // Whether the other has run by now or not:
            assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
            assert!(sender.is_empty());
            assert_eq!(waiting.join().unwrap(), Ok(7));
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_try_send_meets_a_waiting_receiver() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel(capacity);
        let waiting = spawn_waiting(move || receiver.recv());
        assert_eq!(sender.try_send(7), Ok(()));
        assert_eq!(waiting.join().unwrap(), Ok(7));
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_try_recv_meets_a_waiting_sender() {
    let (sender, receiver) = bounded(0);
    let waiting = spawn_waiting(move || sender.send(7));
    assert_eq!(receiver.try_recv(), Ok(7));
    assert_eq!(waiting.join().unwrap(), Ok(()));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_rendezvous_needs_two() {
    let (sender, receiver) = bounded(0);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn the_place_that_a_receiver_makes_belongs_to_the_first_waiting_sender() {
    for capacity in [1, 5] {
        for _ in 0..100 {
            let (sender, receiver) = bounded(capacity);
            for n in 0..capacity {
                sender.send(n).unwrap();
            }
            let second = sender.clone();
            let waiting = spawn_waiting(move || second.send(100));
            assert_eq!(receiver.recv(), Ok(0));
            // Whether the waiting sender has run by now or not:
            assert!(sender.is_full());
            assert_eq!(sender.try_send(200), Err(TrySendError::Full(200)));
            waiting.join().unwrap().unwrap();
            let rest: Vec<_> = receiver.try_iter().collect();
            assert_eq!(rest, (1..capacity).chain([100]).collect::<Vec<_>>());
        }
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_send_that_has_room_does_not_wait() {
    for capacity in BOUNDED {
        let (sender, receiver) = bounded(capacity);
        let filler = corun::spawn(move || {
            for n in 0..=capacity {
                sender.send(n).unwrap();
            }
        });
        until_waiting(&filler);
        assert_eq!(receiver.len(), capacity);
        assert_eq!(receiver.recv(), Ok(0));
        filler.join().unwrap();
    }
}
