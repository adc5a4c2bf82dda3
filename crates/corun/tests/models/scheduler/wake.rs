//! `signal.rs` and `inbox.rs`: who waits is woken once, sees what was done before, and may be gone the moment it is woken.

use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::checker::cell::UnsafeCell;
use crate::checker::sync::Mutex;
use crate::checker::thread;

use super::signal::Signal;
use super::worker::{Shared, Worker};
use crate::check;
use crate::primitive::{Mistake, with_mistake};

/// A signal's address on its way to a waker.
#[derive(Clone, Copy)]
struct Address(*const Signal);

// SAFETY: signals are made to be notified from other threads.
unsafe impl Send for Address {}

impl Address {
    fn notify(self) -> bool {
        // SAFETY: whether it is alive is what the models find out: a signal that is dropped tells loom so.
        unsafe { Signal::notify(self.0) }
    }
}

/// What the waker does before it wakes, and the waiter looks at afterwards.
struct Message(UnsafeCell<u32>);

// SAFETY: whether it is used by one at a time is what loom finds out.
unsafe impl Sync for Message {}

impl Message {
    fn new() -> Arc<Message> {
        Arc::new(Message(UnsafeCell::new(0)))
    }
    fn write(&self) {
        // SAFETY: loom checks that nobody else has access.
        self.0.with_mut(|value| unsafe { *value = 1 });
    }
    fn read(&self) -> u32 {
        // SAFETY: loom checks that nobody writes.
        self.0.with(|value| unsafe { *value })
    }
}

fn wait_for_a_message() {
    wait_for_a_message_with(Signal::new());
}

fn wait_for_a_message_with(signal: Signal) {
    let message = Message::new();
    let waker = thread::spawn({
        let (message, address) = (Arc::clone(&message), Address(&raw const signal));
        move || {
            message.write();
            assert!(address.notify());
        }
    });
    signal.wait();
    assert_eq!(message.read(), 1);
    drop(signal);
    waker.join().unwrap();
}

fn coroutine_is_woken() {
    check(3, || {
        let shared = Shared::new();
        Worker::run(&shared, wait_for_a_message);
    });
}

fn coroutine_is_woken_by_one_alone() {
    check(3, || {
        let shared = Shared::new();
        Worker::run(&shared, || wait_for_a_message_with(Signal::sole()));
    });
}

fn thread_is_woken() {
    check(3, wait_for_a_message);
}

#[test]
fn a_coroutine_is_woken() {
    coroutine_is_woken();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_coroutine_with_relaxed_operations_is_not() {
    with_mistake(Mistake::Relaxed, coroutine_is_woken);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn a_coroutine_without_fences_is_not() {
    with_mistake(Mistake::NoFences, coroutine_is_woken);
}

#[test]
fn a_coroutine_is_woken_by_the_one_that_alone_may() {
    coroutine_is_woken_by_one_alone();
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "deadlock")]
fn a_coroutine_without_fences_is_not_woken_by_one_alone() {
    with_mistake(Mistake::NoFences, coroutine_is_woken_by_one_alone);
}

/// Wakes the thread that polls.
struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// A task polls under the lock under which it is claimed, and is woken after unlocking.
#[test]
fn a_task_is_woken() {
    check(3, || {
        let message = Message::new();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let list = Arc::new(Mutex::new(None::<Address>));
        let signal = Signal::for_task(&waker);
        *list.lock().unwrap() = Some(Address(&raw const signal));
        let notifier = thread::spawn({
            let (message, list) = (Arc::clone(&message), Arc::clone(&list));
            move || {
                message.write();
                let mut list = list.lock().unwrap();
                let address = list.take().expect("nobody else takes it");
                // SAFETY: in the list, hence alive.
                let wakeup = unsafe { Signal::claim(address.0) };
                drop(list);
                wakeup.expect("nobody else claims it").wake();
            }
        });
        loop {
            let mut waker = waker.clone();
            let locked = list.lock().unwrap();
            // SAFETY: under the lock.
            if unsafe { signal.poll(&mut waker) } {
                break;
            }
            drop(locked);
            thread::park();
        }
        assert_eq!(message.read(), 1);
        drop(signal);
        notifier.join().unwrap();
    });
}

#[test]
fn a_thread_is_woken() {
    thread_is_woken();
}

// No twin with relaxed operations: in loom to unpark a thread is one step with what comes before, and orders by itself.

/// A wait with a deadline, in a list under a lock as everywhere; the waker and the watch thread's look at the timers come at once.
fn notified_or_expired(takes_itself_out: bool) {
    check(3, move || {
        let shared = Arc::new(Shared::new());
        let list = Arc::new(Mutex::new(None::<Address>));
        let waker = thread::spawn({
            let list = Arc::clone(&list);
            move || {
                let mut list = list.lock().unwrap();
                // Under the lock: whoever gives up takes it too, before the signal goes.
                usize::from(list.take().is_some_and(Address::notify))
            }
        });
        let watch = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.fire()
        });
        let mut outcome = None;
        Worker::run(&shared, || {
            let signal = Signal::new();
            *list.lock().unwrap() = Some(Address(&raw const signal));
            // The two may have come before the signal was there: so somebody comes once more.
            let last = thread::spawn({
                let (list, shared) = (Arc::clone(&list), Arc::clone(&shared));
                move || {
                    let mut woken = shared.fire();
                    woken += usize::from(list.lock().unwrap().take().is_some_and(Address::notify));
                    woken
                }
            });
            let notified = signal.wait_until(Some(Instant::now()));
            if takes_itself_out {
                *list.lock().unwrap() = None;
            }
            drop(signal);
            outcome = Some((notified, last));
        });
        let (_, last) = outcome.unwrap();
        let wins = waker.join().unwrap() + watch.join().unwrap() + last.join().unwrap();
        assert_eq!(wins, 1, "one wake-up for one wait");
    });
}

#[test]
fn notification_and_deadline_race_for_one_wake_up() {
    notified_or_expired(true);
}

#[cfg(not(corun_shuttle))]
#[test]
#[should_panic(expected = "Causality violation")]
fn a_waiter_that_gives_up_without_the_lock_is_used_after_it_has_gone() {
    notified_or_expired(false);
}

#[test]
fn the_inbox_keeps_each_wakers_order() {
    check(2, || {
        use super::inbox::Inbox;
        use corun_context::raw::Context;

        let inbox = Arc::new(Inbox::new());
        let signals: Arc<[Signal; 3]> = Arc::new([Signal::new(), Signal::new(), Signal::new()]);
        for (n, signal) in signals.iter().enumerate() {
            // SAFETY: a context is one word, and this one is only compared.
            signal
                .context
                .set(unsafe { std::mem::transmute::<usize, Context>(n + 1) });
        }
        let push = |which: &'static [usize]| {
            let (inbox, signals) = (Arc::clone(&inbox), Arc::clone(&signals));
            thread::spawn(move || {
                for &n in which {
                    // SAFETY: the model keeps the signals.
                    unsafe { inbox.push(&raw const signals[n]) };
                }
            })
        };
        let wakers = [push(&[0, 1]), push(&[2])];
        let mut order = Vec::new();
        inbox.drain(|context| order.push(context.stack_pointer()));
        for waker in wakers {
            waker.join().unwrap();
        }
        inbox.drain(|context| order.push(context.stack_pointer()));
        assert!(
            matches!(order[..], [1, 2, 3] | [1, 3, 2] | [3, 1, 2]),
            "{order:?}"
        );
    });
}
