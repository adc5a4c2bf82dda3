//! What loom does not see, and what the models do about it (`primitive.rs`, `checker.rs`).
//!
//! If `loom_alone_tries_one_order` or `who_is_blind_does_not_see_it` fails with a later loom, it has learnt to see, and the stores behind loads are no longer needed.

use std::sync::Arc;

use crate::check;
use crate::checker::{explore, sync, thread};
use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::primitive::{Mistake, blindly, with_mistake};
use crate::sync::Data;

/// One thread looks; another one looks, and then changes what it saw.
#[test]
fn loom_alone_tries_one_order() {
    let explored = explore(3, || {
        let word = Arc::new(sync::atomic::AtomicU32::new(0));
        let other = thread::spawn({
            let word = Arc::clone(&word);
            move || {
                let seen = word.load(Ordering::Relaxed);
                word.compare_exchange(seen, 1, Ordering::AcqRel, Ordering::Relaxed)
            }
        });
        assert_eq!(word.load(Ordering::Acquire), 0, "which it need not be");
        assert_eq!(other.join().unwrap(), Ok(0));
    });
    assert_eq!(explored, 1);
}

/// Publishes something by a change after a look; the other one looks, and uses it.
fn a_look_and_a_change() {
    {
        let shared = Arc::new((AtomicU32::new(0), Data::default()));
        let other = thread::spawn({
            let shared = Arc::clone(&shared);
            move || {
                shared.1.add();
                let seen = shared.0.load(Ordering::Relaxed);
                let changed =
                    shared
                        .0
                        .compare_exchange(seen, 1, Ordering::AcqRel, Ordering::Relaxed);
                assert_eq!(changed, Ok(0));
            }
        });
        if shared.0.load(Ordering::Acquire) == 1 {
            assert_eq!(shared.1.get(), 1);
        }
        other.join().unwrap();
    }
}

#[test]
fn who_is_blind_does_not_see_it() {
    assert_eq!(blindly(|| explore(3, a_look_and_a_change)), 1);
    with_mistake(Mistake::RelaxedLoads, || {
        assert_eq!(blindly(|| explore(3, a_look_and_a_change)), 1);
    });
}

/// Two threads with an atomic each.
#[test]
#[should_panic(expected = "explored in one interleaving")]
fn a_model_that_is_explored_once_fails() {
    check(3, || {
        let other = thread::spawn(|| AtomicU32::new(0).store(1, Ordering::Relaxed));
        AtomicU32::new(0).store(1, Ordering::Relaxed);
        other.join().unwrap();
    });
}

#[test]
fn a_change_after_a_look_is_tried_before_the_looks_of_others() {
    check(3, a_look_and_a_change);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn what_relaxed_loads_publish_is_not_there() {
    with_mistake(Mistake::RelaxedLoads, || check(3, a_look_and_a_change));
}
