//! `selection.rs`, `commit.rs`, `waiter.rs`: selects choose one of their arms, lose no message, and nobody waits in vain.

use std::sync::Arc;

use crate::checker::thread;

use super::core::Take;
use super::error::RecvTimeoutError;
use super::receiver::Source;
use super::select::{Select, SelectedOperation};
use super::selection::{SelectHandle, Token};
use super::waiter::{Role, Waiter};
use super::{Message, Receiver, Sender, at_once, channel};
use crate::cancel::limit::Limit;
use crate::check;
use crate::primitive::{Mistake, with_mistake};

/// Random numbers would differ between two runs of the same interleaving.
fn arms<'a>(receivers: &[&'a Receiver<Message>], senders: &[&'a Sender<Message>]) -> Select<'a> {
    let mut select = Select::new_biased();
    for receiver in receivers {
        select.recv(receiver);
    }
    for sender in senders {
        select.send(sender);
    }
    select
}

/// Does what was selected: what was received, if it is a receive.
fn finish(
    operation: SelectedOperation<'_>,
    receivers: &[&Receiver<Message>],
    senders: &[&Sender<Message>],
) -> Option<u32> {
    let index = operation.index();
    if index < receivers.len() {
        return Some(operation.recv(receivers[index]).unwrap().number());
    }
    assert!(
        operation
            .send(senders[index - receivers.len()], Message::new(7))
            .is_ok()
    );
    None
}

fn select(receivers: &[&Receiver<Message>], senders: &[&Sender<Message>]) -> Option<u32> {
    finish(arms(receivers, senders).select(), receivers, senders)
}

/// A select that waits for one of two channels, while something is sent to both.
fn one_of_two(capacity: usize) {
    check(2, move || {
        let (first, from_first) = channel(capacity);
        let (second, from_second) = channel(capacity);
        let sending = thread::spawn(move || {
            assert!(first.send(Message::new(1)).is_ok());
            assert!(second.send(Message::new(2)).is_ok());
            // Not dropped before the end, which would be a second thing to be received.
            (first, second)
        });
        let one = select(&[&from_first, &from_second], &[]).unwrap();
        let other = select(&[&from_second, &from_first], &[]).unwrap();
        assert_eq!(one + other, 3);
        drop(sending.join().unwrap());
    });
}

#[test]
fn a_select_receives_from_both_at_a_rendezvous() {
    one_of_two(0);
}

#[test]
fn a_select_receives_from_both_through_buffers() {
    one_of_two(1);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "oncurrent")]
fn relaxed_operations_are_found() {
    with_mistake(Mistake::Relaxed, || one_of_two(1));
}

/// Each of two could send to the other, or receive from it: one does the one, and one the other.
fn two_selects() {
    check(2, || {
        let (sender, receiver) = channel(0);
        let other = {
            let (sender, receiver) = (sender.clone(), receiver.clone());
            thread::spawn(move || select(&[&receiver], &[&sender]))
        };
        let mine = select(&[&receiver], &[&sender]);
        let results = [mine, other.join().unwrap()];
        assert!(results == [Some(7), None] || results == [None, Some(7)]);
    });
}

#[test]
fn two_selects_find_each_other() {
    two_selects();
}

/// Loom alone does not find it (`blind_spot.rs`).
#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "decides its party")]
fn with_relaxed_loads_one_does_not_know_what_the_other_decided() {
    with_mistake(Mistake::RelaxedLoads, two_selects);
}

#[test]
fn two_selects_find_each_other_at_two_channels() {
    check(2, || {
        let (one, from_one) = channel(0);
        let (two, from_two) = channel(0);
        let other = {
            let (two, from_one) = (two.clone(), from_one.clone());
            thread::spawn(move || select(&[&from_one], &[&two]))
        };
        let mine = select(&[&from_two], &[&one]);
        let results = [mine, other.join().unwrap()];
        assert!(results == [Some(7), None] || results == [None, Some(7)]);
    });
}

#[test]
fn a_select_that_sends_and_a_receiver_meet() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let receiving = thread::spawn(move || receiver.recv().map(Message::number));
        assert_eq!(select(&[], &[&sender]), None);
        assert_eq!(receiving.join().unwrap(), Ok(7));
    });
}

#[test]
fn a_select_that_gives_its_commitment_up_leaves_the_receiver_to_another() {
    check(1, || {
        let (sender, receiver) = channel(0);
        let receiving = thread::spawn(move || receiver.recv().map(Message::number));
        let giving_up = {
            let sender = sender.clone();
            thread::spawn(move || {
                let mut token = Token::new();
                if sender.attempt(&mut token, None) {
                    sender.abandon(&mut token);
                }
            })
        };
        assert!(sender.send(Message::new(1)).is_ok());
        assert_eq!(receiving.join().unwrap(), Ok(1));
        giving_up.join().unwrap();
    });
}

#[test]
fn a_message_for_a_receiver_that_has_given_up_is_received_by_another() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let hasty = {
            let receiver = receiver.clone();
            thread::spawn(move || receiver.recv_deadline(at_once()).map(Message::number))
        };
        let sent = match arms(&[], &[&sender]).try_select() {
            Ok(operation) => finish(operation, &[], &[&sender]).is_none(),
            Err(_) => false,
        };
        let received = hasty.join().unwrap();
        let left = receiver.try_recv().map(Message::number);
        match (sent, received) {
            (true, Ok(7)) | (false, Err(RecvTimeoutError::Timeout)) => assert!(left.is_err()),
            (true, Err(RecvTimeoutError::Timeout)) => assert_eq!(left, Ok(7)),
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn a_select_that_gives_up_loses_no_message() {
    check(3, || {
        let (sender, receiver) = channel(0);
        let receiving = thread::spawn(move || {
            let chosen = arms(&[&receiver], &[]).select_deadline(at_once());
            chosen
                .ok()
                .and_then(|operation| finish(operation, &[&receiver], &[]))
        });
        let sent = sender.try_send(Message::new(1)).is_ok();
        assert_eq!(receiving.join().unwrap(), sent.then_some(1));
    });
}

#[test]
fn who_waits_for_readiness_is_told() {
    check(3, || {
        let (sender, receiver) = channel(1);
        let watching = thread::spawn(move || {
            let mut select = arms(&[&receiver], &[]);
            assert_eq!(select.ready(), 0);
            receiver.try_recv().map(Message::number)
        });
        assert!(sender.try_send(Message::new(1)).is_ok());
        assert_eq!(watching.join().unwrap(), Ok(1));
    });
}

/// Pass 1, and then a node is linked: with a second look under the lock, or without.
fn wait_for_message(receiver: &Receiver<Message>, second_look: bool) -> u32 {
    let Source::Chan(chan) = receiver.source() else {
        unreachable!()
    };
    let mut message = std::mem::MaybeUninit::<Message>::uninit();
    let slot = message.as_mut_ptr();
    // SAFETY: there is room for a message in the slot, and the node stays until it was told.
    unsafe {
        if let Take::Received = chan.take(chan.lock(), slot, None) {
            return message.assume_init().number();
        }
        let signal = Limit::new(None).signal();
        let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
        let inner = chan.lock();
        if second_look {
            let place = super::core::Place::Last;
            if let Take::Received = chan.take(inner, slot, Some((&waiter, place))) {
                return message.assume_init().number();
            }
        } else {
            waiter.state.set(super::waiter::State::Waiting);
            inner.receivers.push_back(&waiter);
            drop(inner);
        }
        signal.wait();
        message.assume_init().number()
    }
}

fn second_look(second_look: bool) {
    check(2, move || {
        let (sender, receiver) = channel(1);
        let receiver = Arc::new(receiver);
        let waiting = {
            let receiver = Arc::clone(&receiver);
            thread::spawn(move || wait_for_message(&receiver, second_look))
        };
        assert!(sender.send(Message::new(1)).is_ok());
        assert_eq!(waiting.join().unwrap(), 1);
    });
}

#[test]
fn a_message_between_the_looks_is_received() {
    second_look(true);
}

#[test]
#[should_panic(expected = "deadlock")]
fn a_missing_second_look_is_found() {
    second_look(false);
}
