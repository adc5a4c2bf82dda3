//! `signal.rs`: a wait that is cut short against its notification. Whoever takes the node out of the list decides; the signal may go afterwards.

use std::sync::Arc;

use crate::check;
use crate::checker::sync::Mutex;
use crate::checker::thread;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::{Shared, Worker};

/// A signal's address in a list.
struct Address(*const Signal);

// SAFETY: signals are made to be notified from other threads.
unsafe impl Send for Address {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Omission {
    Nothing,
    /// The waiter that finds its node gone goes away without having been told.
    Settle,
}

fn interrupted(make: fn() -> Signal, omission: Omission) {
    check(3, move || {
        let shared = Shared::new();
        let list = Arc::new(Mutex::new(None::<Address>));
        let notifier = thread::spawn({
            let list = Arc::clone(&list);
            move || {
                let mut list = list.lock().unwrap();
                let wakeup = list.take().and_then(|address| {
                    // SAFETY: in the list, hence alive.
                    unsafe { Signal::claim(address.0) }
                });
                drop(list);
                if let Some(wakeup) = wakeup {
                    wakeup.wake();
                }
            }
        });
        Worker::run_interrupting(&shared, || {
            let signal = make();
            *list.lock().unwrap() = Some(Address(&raw const signal));
            if !signal.wait_within(None, true) {
                let left = list.lock().unwrap().take().is_some();
                if !left && omission != Omission::Settle {
                    signal.settle();
                }
            }
            drop(signal);
        });
        notifier.join().unwrap();
    });
}

#[test]
fn a_sole_signal_is_done_with_when_its_wait_has_been_cut_short() {
    interrupted(Signal::sole, Omission::Nothing);
}

#[test]
fn so_is_one_with_a_state() {
    interrupted(Signal::new, Omission::Nothing);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic]
fn a_sole_signal_that_is_not_settled_is_not() {
    interrupted(Signal::sole, Omission::Settle);
}
