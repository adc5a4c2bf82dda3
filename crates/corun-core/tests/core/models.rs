//! The inbox in every interleaving that C11's memory model allows, by loom. What is checked is the real file. Each model has a twin with a seeded
//! mistake, which has to fail: a model that cannot fail shows nothing.
//!
//! Loom 0.7 looks for what has to be interleaved from the last access to each atomic alone. A load right before a compare-and-swap of the same atomic would hide
//! from it what others did before; that is one more reason why the push begins with a guess.

#[path = "../../src/inbox.rs"]
mod inbox;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use inbox::{Inbox, Node};
use loom::cell::UnsafeCell;
use loom::thread;

use crate::primitive::{Arc, relaxed};

/// Explores a model completely within a bound on involuntary switches. One that was explored once fails: its threads have nothing to do with
/// each other, or loom does not see what they have.
#[track_caller]
fn check(model: impl Fn() + Send + Sync + 'static) {
    let explored = std::sync::Arc::new(AtomicUsize::new(0));
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check({
        let explored = std::sync::Arc::clone(&explored);
        move || {
            explored.fetch_add(1, Relaxed);
            model();
        }
    });
    let explored = explored.load(Relaxed);
    assert!(explored > 1, "explored in one interleaving");
}

#[track_caller]
fn must_fail(run: impl FnOnce()) {
    assert!(
        catch_unwind(AssertUnwindSafe(run)).is_err(),
        "the mistake was not found"
    );
}

fn node(inbox: &Arc<Inbox>) -> Arc<Node> {
    Arc::new(Node::new(Arc::clone(inbox)))
}

/// Two processors notify, of one event or of two, while the executor looks; what it is told of adds up.
fn none_is_lost(shared: bool) {
    let inbox = Arc::new(Inbox::new());
    let first = node(&inbox);
    let second = if shared {
        Arc::clone(&first)
    } else {
        node(&inbox)
    };
    let threads = [first, second].map(|node| {
        thread::spawn(move || {
            Node::notify(&node);
        })
    });
    let mut sum = 0;
    inbox.take(|node| sum += node.take_count());
    for thread in threads {
        thread.join().unwrap();
    }
    inbox.take(|node| sum += node.take_count());
    assert!(inbox.is_empty());
    assert_eq!(sum, 2);
}

#[test]
fn two_of_one_event() {
    check(|| none_is_lost(true));
}

#[test]
fn two_of_two_events() {
    check(|| none_is_lost(false));
}

/// As the executor does: it looks whether there is anything, finds nothing, and would wait. Whoever notified then must have been told to wake it.
#[test]
fn who_finds_the_inbox_empty_is_told_so() {
    check(|| {
        let inbox = Arc::new(Inbox::new());
        let node = node(&inbox);
        let theirs = Arc::clone(&node);
        let thread = thread::spawn(move || Node::notify(&theirs));
        let mut found = 0;
        inbox.take(|node| found += node.take_count());
        let told = thread.join().unwrap();
        let left = !inbox.is_empty();
        assert!(told, "it was the first and only one");
        assert_eq!(left, found == 0);
        inbox.close();
    });
}

/// What was written before a notification can be read by who took its count.
fn what_was_written_is_seen() {
    let inbox = Arc::new(Inbox::new());
    let node = node(&inbox);
    let cell = Arc::new(UnsafeCell::new(0));
    let (theirs, written) = (Arc::clone(&node), Arc::clone(&cell));
    let thread = thread::spawn(move || {
        // SAFETY: loom checks that nobody else uses it meanwhile.
        written.with_mut(|value| unsafe { *value = 7 });
        Node::notify(&theirs);
    });
    let mut seen = 0;
    inbox.take(|node| seen += node.take_count());
    if seen != 0 {
        // SAFETY: as above.
        assert_eq!(cell.with(|value| unsafe { *value }), 7);
    }
    thread.join().unwrap();
    inbox.close();
}

#[test]
fn data_before_a_notification() {
    check(what_was_written_is_seen);
}

#[test]
fn relaxed_operations_show_data_that_is_not_there() {
    must_fail(|| relaxed(|| check(what_was_written_is_seen)));
}

#[test]
fn relaxed_operations_lose_events() {
    must_fail(|| relaxed(|| check(|| none_is_lost(false))));
}

/// Who counts first and clears afterwards misses what comes in between.
#[test]
fn counting_before_clearing_loses_notifications() {
    must_fail(|| {
        check(|| {
            let inbox = Arc::new(Inbox::new());
            let node = node(&inbox);
            let theirs = Arc::clone(&node);
            let thread = thread::spawn(move || {
                Node::notify(&theirs);
                Node::notify(&theirs);
            });
            let mut sum = node.take_count();
            inbox.take(|_| ());
            thread.join().unwrap();
            inbox.take(|node| sum += node.take_count());
            assert_eq!(sum, 2);
        });
    });
}

/// The executor goes while somebody notifies: loom finds what is leaked, and what is used after it was freed.
#[test]
fn closing_while_somebody_notifies() {
    check(|| {
        let inbox = Arc::new(Inbox::new());
        let (first, second) = (node(&inbox), node(&inbox));
        let threads = [first, second].map(|node| {
            thread::spawn(move || {
                Node::notify(&node);
                Node::notify(&node);
            })
        });
        inbox.close();
        drop(inbox);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}
