//! Timeouts in timeouts: the earliest deadline counts, each reports its own, and an outer one goes through the inner ones.

use std::cell::Cell;
use std::time::Duration;

use crate::common::{everywhere, takes_at_least};
use corun::time::now;
use corun::{timeout, timeout_at};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn the_inner_one_ends_first() {
    everywhere(|_| {
        let result = timeout(LONG, || {
            assert!(timeout(SHORT, || corun::sleep(LONG)).is_err());
            corun::sleep(SHORT);
            "the outer one went on"
        });
        assert_eq!(result, Ok("the outer one went on"));
    });
}

#[test]
fn the_outer_one_goes_through_the_inner_one() {
    everywhere(|_| {
        let inner_returned = Cell::new(false);
        let result = takes_at_least(SHORT, || {
            timeout(SHORT, || {
                let _ = timeout(LONG, corun::park);
                inner_returned.set(true);
            })
        });
        assert!(result.is_err());
        assert!(!inner_returned.get());
    });
}

#[test]
fn with_both_over_the_outer_one_is_left() {
    everywhere(|_| {
        let deadline = now() + SHORT;
        let inner_returned = Cell::new(false);
        let result = timeout_at(deadline, || {
            let _ = timeout_at(deadline, corun::park);
            inner_returned.set(true);
        });
        assert!(result.is_err());
        assert!(!inner_returned.get());
    });
}

#[test]
fn many_levels() {
    fn level(depth: u32, entered: &Cell<u32>, left: &Cell<u32>) {
        struct Leave<'a>(&'a Cell<u32>);
        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                self.0.update(|count| count + 1);
            }
        }
        let _leave = Leave(left);
        entered.update(|count| count + 1);
        match depth {
            0 => corun::park(),
            _ => drop(timeout(LONG, || level(depth - 1, entered, left))),
        }
        unreachable!("the outermost one is over");
    }
    everywhere(|_| {
        let (entered, left) = (Cell::new(0), Cell::new(0));
        let result = timeout(SHORT, || level(20, &entered, &left));
        assert!(result.is_err());
        assert_eq!((entered.get(), left.get()), (21, 21));
    });
}

#[test]
fn one_after_the_other() {
    everywhere(|_| {
        for round in 0..100 {
            if round % 2 == 0 {
                assert_eq!(timeout(LONG, || round), Ok(round));
            } else {
                assert!(timeout(Duration::from_micros(50), corun::park).is_err());
            }
        }
    });
}

/// Each coroutine has its own, though they share a thread and their times overlap.
#[test]
fn coroutines_do_not_share_them() {
    everywhere(|_| {
        let handles: Vec<_> = (0..50_u64)
            .map(|n| {
                corun::spawn(move || {
                    let limit = Duration::from_millis(1 + n % 7);
                    if n % 2 == 0 {
                        timeout(limit, corun::park).is_err()
                    } else {
                        corun::sleep(limit);
                        timeout(LONG, corun::yield_now).is_ok()
                    }
                })
            })
            .collect();
        for handle in handles {
            assert!(handle.join().unwrap());
        }
    });
}
