//! Channels: order, capacity, closing, time limits.

use std::time::Duration;

use corun_core::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError, channel,
};

use crate::support::{Drops, Log, executor, ms, spawn};

#[test]
fn values_arrive_in_order_for_every_capacity() {
    for capacity in [0, 1, 2, 7, 1_000] {
        let executor = executor();
        let (sender, receiver) = channel(&executor, capacity);
        spawn(&executor, move || {
            (0..100).for_each(|n| sender.send(n).unwrap())
        });
        let all = spawn(&executor, move || receiver.iter().collect::<Vec<_>>());
        executor.run().unwrap();
        assert!(all.join().into_iter().eq(0..100), "capacity {capacity}");
    }
}

#[test]
fn a_rendezvous_waits_for_the_receiver() {
    let (executor, log) = (executor(), Log::default());
    let (sender, receiver) = channel(&executor, 0);
    let (own, mine) = (executor.clone(), log.clone());
    spawn(&executor, move || {
        assert_eq!(sender.try_send(0), Err(TrySendError::Full(0)));
        sender.send(1).unwrap();
        mine.add(format!("sent at {}", own.now().as_millis()));
    });
    let (own, mine) = (executor.clone(), log.clone());
    spawn(&executor, move || {
        own.sleep(ms(3));
        mine.add(format!("received {}", receiver.recv().unwrap()));
    });
    executor.run().unwrap();
    log.assert(&["received 1", "sent at 3"]);
}

#[test]
fn a_full_channel_takes_no_more_and_an_empty_one_gives_nothing() {
    let executor = executor();
    let (sender, receiver) = channel(&executor, 2);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!((sender.try_send(1), sender.try_send(2)), (Ok(()), Ok(())));
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!((sender.len(), receiver.is_empty()), (2, false));
    assert_eq!((receiver.try_recv(), receiver.try_recv()), (Ok(1), Ok(2)));
    assert!(sender.is_empty());
}

#[test]
fn senders_are_served_in_the_order_in_which_they_came() {
    let executor = executor();
    for capacity in [0, 1] {
        let (sender, receiver) = channel(&executor, capacity);
        for number in 0..5 {
            let sender = sender.clone();
            spawn(&executor, move || sender.send(number).unwrap());
        }
        drop(sender);
        executor.run_until_idle();
        let all = spawn(&executor, move || receiver.iter().collect::<Vec<_>>());
        executor.run().unwrap();
        assert_eq!(all.join(), [0, 1, 2, 3, 4]);
    }
}

#[test]
fn receivers_are_served_in_the_order_in_which_they_came() {
    let executor = executor();
    let (sender, receiver) = channel(&executor, 4);
    let receivers: Vec<_> = (0..3)
        .map(|_| {
            let receiver = receiver.clone();
            spawn(&executor, move || receiver.recv())
        })
        .collect();
    executor.run_until_idle();
    for number in 0..3 {
        sender.try_send(number).unwrap();
    }
    // They have been handed over, so that nobody who comes now overtakes.
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    executor.run().unwrap();
    let got: Vec<_> = receivers.into_iter().map(|r| r.join()).collect();
    assert_eq!(got, [Ok(0), Ok(1), Ok(2)]);
}

#[test]
fn closing_ends_every_wait_and_keeps_what_was_sent() {
    let executor = executor();
    let (sender, receiver) = channel(&executor, 1);
    let theirs = sender.clone();
    let blocked = spawn(&executor, move || (theirs.send(1), theirs.send(2)));
    executor.run_until_idle();
    assert!(receiver.close());
    assert!(!sender.close(), "it was closed already");
    executor.run().unwrap();
    assert_eq!(blocked.join(), (Ok(()), Err(SendError(2))));
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, receiver) = channel::<u32>(&executor, 1);
    let waiting = spawn(&executor, move || receiver.recv());
    executor.run_until_idle();
    drop(sender);
    executor.run().unwrap();
    assert_eq!(waiting.join(), Err(RecvError));
}

#[test]
fn the_last_receiver_takes_what_was_not_received_with_it() {
    let (executor, drops) = (executor(), Drops::default());
    let (sender, receiver) = channel(&executor, 8);
    let other = receiver.clone();
    for _ in 0..3 {
        assert!(sender.try_send(drops.probe()).is_ok());
    }
    drop(other);
    assert_eq!(drops.count(), 0);
    drop(receiver);
    assert_eq!(drops.count(), 3);
    assert!(sender.try_send(drops.probe()).is_err());
    assert_eq!(drops.count(), 4);
}

/// A value whose destructor uses the channel that it lies in finds it in order.
#[test]
fn values_may_use_their_channel_when_they_are_dropped() {
    struct Chatty(corun_core::Sender<Chatty>);
    impl Drop for Chatty {
        fn drop(&mut self) {
            assert!(self.0.is_empty());
            self.0.close();
        }
    }
    let executor = executor();
    let (sender, receiver) = channel(&executor, 2);
    assert!(sender.try_send(Chatty(sender.clone())).is_ok());
    drop(receiver);
    assert!(!sender.close());
}

#[test]
fn time_limits_give_the_value_back() {
    let executor = executor();
    let (sender, receiver) = channel(&executor, 0);
    let own = executor.clone();
    let late = spawn(&executor, move || {
        let sent = sender.send_timeout(1, ms(5));
        assert_eq!(sent, Err(SendTimeoutError::Timeout(1)));
        assert_eq!(sender.send_timeout(2, ms(5)), Ok(()));
        own.now()
    });
    let own = executor.clone();
    let receiving = spawn(&executor, move || {
        own.sleep(ms(7));
        let got = receiver.recv_timeout(Duration::ZERO);
        (
            got,
            receiver.recv_timeout(ms(2)),
            receiver.recv_timeout(ms(2)),
        )
    });
    executor.run().unwrap();
    assert_eq!(late.join(), ms(7));
    let closed = Err(RecvTimeoutError::Closed);
    assert_eq!(receiving.join(), (Ok(2), closed, closed));
    assert_eq!(executor.next_deadline(), None);
}

/// A value that is handed over in the round in which the receiver's time is up is neither lost nor received twice.
#[test]
fn no_value_is_lost_to_a_receiver_whose_time_is_up() {
    let executor = executor();
    let (sender, receiver) = channel(&executor, 0);
    let own = executor.clone();
    let sending = spawn(&executor, move || {
        own.sleep(ms(5));
        sender.send_timeout(1, ms(5))
    });
    let receiving = spawn(&executor, move || {
        (receiver.recv_timeout(ms(5)), receiver.try_recv())
    });
    executor.run().unwrap();
    let (sent, (first, second)) = (sending.join(), receiving.join());
    assert_eq!(sent, Ok(()));
    assert_eq!(first, Ok(1));
    assert_eq!(second, Err(TryRecvError::Closed));
}

#[test]
fn errors_say_what_happened_without_the_value() {
    struct Opaque;
    assert_eq!(format!("{:?}", SendError(Opaque)), "SendError(..)");
    assert_eq!(
        TrySendError::Full(Opaque).to_string(),
        "the channel is full"
    );
    assert_eq!(
        SendTimeoutError::Timeout(Opaque).to_string(),
        "the time was up"
    );
    assert_eq!(RecvError.to_string(), "the channel is closed");
}
