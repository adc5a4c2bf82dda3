//! `core.rs`, `endings.rs`: messages arrive once, whoever waits, gives up or closes meanwhile.

use std::sync::Arc;

use crate::checker::thread;

use super::at_once;
use super::channel;
use super::error::{RecvTimeoutError, TryRecvError};
use super::sender::Sender;
use super::{Message, Receiver};
use crate::check;
use crate::primitive::{Mistake, with_mistake};

/// Mistakes of a sender.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Omission {
    None,
    /// It puts the message into the buffer without a look at those who wait for it.
    HandOver,
}

fn send(sender: &Sender<Message>, number: u32, omission: Omission) {
    if omission == Omission::None {
        assert!(sender.send(Message::new(number)).is_ok());
        return;
    }
    let message = std::mem::ManuallyDrop::new(Message::new(number));
    let mut inner = sender.chan().lock();
    let capacity = inner.capacity;
    // SAFETY: there is room in the models that use it, and the message is forgotten.
    assert!(unsafe { inner.buffer.push(&raw const *message, capacity) });
    inner.len += 1;
}

fn number(message: Result<Message, impl std::fmt::Debug>) -> u32 {
    message.unwrap().number()
}

fn two_messages(capacity: usize, omission: Omission) {
    check(2, move || {
        let (sender, receiver) = channel(capacity);
        let sending = thread::spawn(move || {
            send(&sender, 1, omission);
            send(&sender, 2, omission);
            sender
        });
        assert_eq!(number(receiver.recv()), 1);
        assert_eq!(number(receiver.recv()), 2);
        drop(sending.join().unwrap());
        assert!(receiver.recv().is_err());
    });
}

fn two_receivers(capacity: usize) {
    check(1, move || {
        let (sender, receiver) = channel(capacity);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let receiver = receiver.clone();
                thread::spawn(move || number(receiver.recv()))
            })
            .collect();
        drop(receiver);
        let sending = thread::spawn(move || {
            send(&sender, 1, Omission::None);
            send(&sender, 2, Omission::None);
        });
        let got: u32 = others.into_iter().map(|other| other.join().unwrap()).sum();
        assert_eq!(got, 3);
        sending.join().unwrap();
    });
}

#[test]
fn messages_arrive_in_order_at_a_rendezvous() {
    two_messages(0, Omission::None);
}

#[test]
fn messages_arrive_in_order_through_a_buffer_of_one() {
    two_messages(1, Omission::None);
}

#[test]
fn messages_arrive_in_order_through_an_unbounded_channel() {
    two_messages(usize::MAX, Omission::None);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_sender_that_overlooks_who_waits_is_found() {
    two_messages(2, Omission::HandOver);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "oncurrent")]
fn relaxed_operations_are_found() {
    with_mistake(Mistake::Relaxed, || two_messages(1, Omission::None));
}

/// Loom alone does not find it (`blind_spot.rs`).
#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_loads_are_found() {
    with_mistake(Mistake::RelaxedLoads, || {
        two_messages(1, Omission::None);
    });
}

#[test]
fn each_receiver_gets_a_message_at_a_rendezvous() {
    two_receivers(0);
}

#[test]
fn each_receiver_gets_a_message_through_a_buffer_of_one() {
    two_receivers(1);
}

#[test]
fn who_gives_up_loses_no_message() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let receiving =
            thread::spawn(move || receiver.recv_deadline(at_once()).map(Message::number));
        let sent = sender.try_send(Message::new(1)).is_ok();
        match receiving.join().unwrap() {
            Ok(1) => assert!(sent),
            Err(RecvTimeoutError::Timeout) => assert!(!sent),
            // The sender is still there.
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_sender_that_gives_up_has_sent_or_has_its_message() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let sending = thread::spawn(move || {
            let result = sender.send_deadline(Message::new(1), at_once());
            let sent = result.is_ok();
            if let Err(error) = result {
                assert_eq!(error.into_inner().number(), 1);
            }
            sent
        });
        let received = receiver.try_recv().map(Message::number);
        let sent = sending.join().unwrap();
        assert_eq!(received.is_ok(), sent);
    });
}

#[test]
fn what_was_sent_before_the_end_is_received() {
    check(3, || {
        let (sender, receiver) = channel(1);
        let sending = thread::spawn(move || {
            send(&sender, 1, Omission::None);
            sender.close();
        });
        let closed = receiver.is_closed();
        match receiver.try_recv() {
            Ok(message) => assert_eq!(message.number(), 1),
            Err(TryRecvError::Empty) if !closed => {}
            Err(_) => panic!("a false failure"),
        }
        sending.join().unwrap();
    });
}

#[test]
fn closing_gives_a_waiting_sender_its_message_back() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let sending = thread::spawn(move || {
            sender
                .send(Message::new(1))
                .map_err(|error| error.0.number())
        });
        receiver.close();
        assert_eq!(sending.join().unwrap(), Err(1));
    });
}

#[test]
fn the_last_of_both_sides_frees_the_channel_with_its_messages() {
    check(3, || {
        let watched = Arc::new(());
        let (sender, receiver) = {
            let chan = std::ptr::NonNull::from(Box::leak(Box::new(super::core::Chan::new(2))));
            (Sender::first(chan), Receiver::first(chan))
        };
        let message = Arc::clone(&watched);
        let sending = thread::spawn(move || {
            _ = sender.send(message);
        });
        drop(receiver);
        sending.join().unwrap();
        assert_eq!(Arc::strong_count(&watched), 1);
    });
}
