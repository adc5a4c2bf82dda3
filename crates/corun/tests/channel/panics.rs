//! Panics in the middle of something leave channels usable, and nobody waits for ever.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::channels::{CAPACITIES, channel, spawn_waiting};
use corun::channel::{RecvError, Select, SendError, TrySendError, bounded, select, unbounded};

fn no_message() -> u32 {
    std::panic::resume_unwind(Box::new("on purpose"))
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_message_that_cannot_be_made_is_not_sent() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u32>(capacity);
        let first = receiver.clone();
        let waiting = spawn_waiting(move || first.recv());
        let (_quiet, other) = bounded::<u32>(0);
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            select! {
                send(sender, no_message()) -> _ => {}
                recv(other) -> _ => {}
            }
        }));
        assert!(outcome.is_err());
        // The receiver that the select had met waits for the next.
        sender.send(7).unwrap();
        assert_eq!(waiting.join().unwrap(), Ok(7));
        assert!(receiver.is_empty());
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_place_that_was_not_filled_is_free_again() {
    for capacity in [1u32, 5] {
        let (sender, receiver) = bounded(capacity as usize);
        let (_quiet, other) = bounded::<u32>(0);
        for _ in 0..20 {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                select! {
                    send(sender, no_message()) -> _ => {}
                    recv(other) -> _ => {}
                }
            }));
            assert!(outcome.is_err());
        }
        (0..capacity).for_each(|n| sender.try_send(n).unwrap());
        assert_eq!(sender.try_send(100), Err(TrySendError::Full(100)));
        assert_eq!(receiver.len(), capacity as usize);
    }
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_waiting_sender_gets_the_place_that_was_not_filled() {
    let (sender, receiver) = bounded(1);
    let (_quiet, other) = bounded::<u32>(0);
    let second = sender.clone();
    let mut waiting = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        select! {
            send(sender, {
                // The place is taken, so this one has to wait.
                waiting = Some(spawn_waiting(move || second.send(2)));
                no_message()
            }) -> _ => {}
            recv(other) -> _ => {}
        }
    }));
    assert!(outcome.is_err());
    assert_eq!(waiting.unwrap().join().unwrap(), Ok(()));
    assert_eq!(receiver.recv(), Ok(2));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn an_end_dies_with_the_coroutine_that_held_it() {
    for capacity in CAPACITIES {
        let (sender, receiver) = channel::<u32>(capacity);
        let waiting = spawn_waiting(move || receiver.recv());
        let failed = corun::spawn(move || {
            let _held = sender;
            std::panic::resume_unwind(Box::new("on purpose"));
        });
        assert!(failed.join().is_err());
        assert_eq!(waiting.join().unwrap(), Err(RecvError));
    }
    let (sender, receiver) = bounded(0);
    let waiting = spawn_waiting(move || sender.send(7));
    let failed = corun::spawn(move || {
        let _held = receiver;
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(failed.join().is_err());
    assert_eq!(waiting.join().unwrap(), Err(SendError(7)));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn a_body_that_panics_has_received() {
    let (sender, receiver) = unbounded();
    (0..2).for_each(|n| sender.send(n).unwrap());
    let (_quiet, other) = bounded::<u32>(0);
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        select! {
            recv(receiver) -> n => std::panic::resume_unwind(Box::new(n)),
            recv(other) -> _ => {}
        }
    }));
    assert!(outcome.is_err());
    assert_eq!(receiver.try_recv(), Ok(1));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn an_operation_that_is_dropped_panics_and_gives_back() {
    let (sender, receiver) = bounded(1);
    sender.send(7).unwrap();
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let mut select = Select::new();
        select.recv(&receiver);
        drop(select.select());
    }));
    assert!(outcome.is_err());
    assert_eq!(receiver.try_recv(), Ok(7));
}

#[corun::test(workers = [1, 2, 4, 16])]
fn destructors_may_use_the_channel_that_drops_them() {
    struct Echo(Option<corun::channel::Sender<Echo>>, Arc<AtomicUsize>);
    impl Drop for Echo {
        fn drop(&mut self) {
            self.1.fetch_add(1, Ordering::SeqCst);
            if let Some(sender) = self.0.take() {
                let _ = sender.try_send(Echo(None, self.1.clone()));
                sender.close();
            }
        }
    }
    for capacity in [Some(5), None] {
        let drops = Arc::new(AtomicUsize::new(0));
        let (sender, receiver) = channel(capacity);
        for _ in 0..3 {
            sender
                .send(Echo(Some(sender.clone()), drops.clone()))
                .unwrap();
        }
        drop(receiver);
        drop(sender);
        assert_eq!(drops.load(Ordering::SeqCst), 6, "capacity {capacity:?}");
    }
}
