//! Generators are iterators.
#![cfg(feature = "std")]

use std::cell::Cell;
use std::rc::Rc;

use corun_context::{Generator, Status};

fn upto(end: u32) -> Generator<u32> {
    Generator::new(move |to| (0..end).for_each(|n| to.suspend(n)))
}

#[test]
fn yields_all_items_and_then_none_for_ever() {
    let mut numbers = upto(3);
    assert_eq!(numbers.by_ref().collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!((numbers.next(), numbers.next()), (None, None));
    assert_eq!(numbers.status(), Status::Dead);
}

#[test]
fn several_run_at_once() {
    assert_eq!(upto(4).zip(upto(3)).map(|(a, b)| a * b).sum::<u32>(), 1 + 4);
    assert_eq!(upto(100).flat_map(upto).count(), 4950);
}

#[test]
fn an_early_end_unwinds_it() {
    struct Probe(Rc<Cell<bool>>);
    impl Drop for Probe {
        fn drop(&mut self) {
            self.0.set(true);
        }
    }
    let dropped = Rc::new(Cell::new(false));
    let probe = Probe(dropped.clone());
    let endless = Generator::new(move |to| {
        let _probe = probe;
        for n in 0u64.. {
            to.suspend(n);
        }
    });
    assert_eq!(endless.take(3).sum::<u64>(), 3);
    assert!(dropped.get());
}

#[test]
fn a_borrowed_one_can_be_used_from_several_places() {
    let numbers = upto(6);
    let (mut left, mut right) = (&numbers, &numbers);
    assert_eq!(
        (left.next(), right.next(), left.next()),
        (Some(0), Some(1), Some(2))
    );
    for n in &numbers {
        if n == 4 {
            break;
        }
    }
    assert_eq!(left.next(), Some(5));
    assert_eq!(right.next(), None);
}

#[test]
fn a_panic_ends_it() {
    let mut bad = Generator::<u8>::new(|to| {
        to.suspend(1);
        panic!("no more");
    });
    assert_eq!(bad.next(), Some(1));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bad.next())).is_err());
    assert_eq!(bad.next(), None);
}
