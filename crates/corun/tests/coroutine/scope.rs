//! `scope`: coroutines that borrow from their parent, with std's rules on waiting and panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

#[corun::test(workers = [1, 2, 8])]
fn coroutines_borrow_and_change_locals() {
    let numbers = [1, 2, 3];
    let mut total = 0;
    let mut label = String::from("sum");
    corun::scope(|scope| {
        scope.spawn(|| total = numbers.iter().sum());
        scope.spawn(|| label.push_str(" of three"));
        assert_eq!(numbers.len(), 3);
    });
    assert_eq!((total, &*label), (6, "sum of three"));
}

#[corun::test(workers = [1, 2, 8])]
fn the_scope_waits_for_all_and_returns_the_closures_value() {
    let done = AtomicUsize::new(0);
    let value = corun::scope(|scope| {
        for i in 0..100 {
            let done = &done;
            scope.spawn(move || {
                for _ in 0..i % 7 {
                    corun::yield_now();
                }
                done.fetch_add(1, Ordering::Relaxed);
            });
        }
        "value"
    });
    assert_eq!((done.into_inner(), value), (100, "value"));
}

#[corun::test(workers = [1, 2, 8])]
fn children_may_spawn_siblings() {
    let count = AtomicUsize::new(0);
    let count = &count;
    corun::scope(|scope| {
        scope.spawn(move || {
            for _ in 0..10 {
                scope.spawn(move || {
                    scope.spawn(move || count.fetch_add(1, Ordering::Relaxed));
                    count.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
    });
    assert_eq!(count.load(Ordering::Relaxed), 20);
}

#[corun::test(workers = [1, 2, 8])]
fn scopes_nest_and_cross_threads() {
    let mut grid = vec![vec![0_usize; 16]; 16];
    corun::scope(|outer| {
        for (y, row) in grid.iter_mut().enumerate() {
            outer.spawn(move || {
                corun::scope(|inner| {
                    for (x, cell) in row.iter_mut().enumerate() {
                        inner.spawn(move || *cell = x * y);
                    }
                });
            });
        }
    });
    assert_eq!(grid.iter().flatten().sum::<usize>(), 120 * 120);
}

#[corun::test(workers = [1, 2, 8])]
fn a_joined_panic_is_the_joiners() {
    let result = corun::scope(|scope| {
        scope
            .spawn(|| -> u32 { std::panic::resume_unwind(Box::new(4_u8)) })
            .join()
    });
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&4_u8));
    assert_eq!(corun::scope(|scope| scope.spawn(|| 5).join().unwrap()), 5);
}

/// Counts those that have ended, one way or another.
struct Ended<'a>(&'a AtomicUsize);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        // The scope waits for destructors as well.
        corun::yield_now();
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[corun::test(workers = [1, 2, 8])]
fn a_panic_that_nobody_joined_cancels_all_and_is_rethrown() {
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let _ended = Ended(&ended);
                    corun::park();
                });
            }
            scope.spawn(|| std::panic::resume_unwind(Box::new("a child's")));
            // The closure is left as well.
            corun::park();
            unreachable!();
        })
    }));
    let result: std::thread::Result<()> = result;
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"a child's"));
    assert_eq!(begun.into_inner(), ended.into_inner());
}

#[test]
fn a_plain_threads_closure_is_left_too() {
    let result = catch_unwind(|| {
        corun::scope(|scope| {
            scope.spawn(|| std::panic::resume_unwind(Box::new(5_u8)));
            corun::park();
            unreachable!();
        })
    });
    let result: std::thread::Result<()> = result;
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&5_u8));
}

#[corun::test(workers = [1, 2, 8])]
fn a_failure_counts_once_its_handle_is_dropped_unjoined() {
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            let bad = scope.spawn(|| std::panic::resume_unwind(Box::new(6_u8)));
            let good = scope.spawn(corun::park);
            while !bad.is_finished() {
                corun::yield_now();
            }
            assert!(!good.is_finished());
            drop(bad);
            good.join()
                .unwrap_err()
                .downcast::<corun::Cancelled>()
                .unwrap();
        })
    }));
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&6_u8));
}

#[corun::test(workers = [1, 2, 8])]
fn a_panic_of_the_closure_cancels_the_children_and_wins() {
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    begun.fetch_add(1, Ordering::Relaxed);
                    let _ended = Ended(&ended);
                    corun::park();
                });
            }
            corun::yield_now();
            std::panic::resume_unwind(Box::new("the closure's"));
        })
    }));
    let result: std::thread::Result<()> = result;
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"the closure's"));
    assert_eq!(begun.into_inner(), ended.into_inner());
}

#[corun::test(workers = [1, 2, 8])]
fn a_child_that_was_cancelled_has_not_failed() {
    let value = corun::scope(|scope| {
        let cancelled = scope.spawn(corun::park);
        cancelled.cancel();
        let other = scope.spawn(|| corun::sleep(std::time::Duration::from_millis(1)));
        drop(cancelled);
        other.join().unwrap();
        7
    });
    assert_eq!(value, 7);
}

#[corun::test(workers = [1, 2, 8])]
fn whoever_cancels_the_caller_cancels_the_children() {
    let short = std::time::Duration::from_millis(1);
    let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let parked = || {
        begun.fetch_add(1, Ordering::Relaxed);
        let _ended = Ended(&ended);
        corun::park();
    };
    // While it waits for them, in the closure, and through another scope.
    corun::timeout(short, || corun::scope(|scope| drop(scope.spawn(parked)))).unwrap_err();
    let joined = corun::timeout(short, || {
        corun::scope(|scope| scope.spawn(parked).join().map_err(drop))
    });
    joined.unwrap_err();
    let nested = corun::timeout(short, || {
        corun::scope(|outer| {
            for _ in 0..3 {
                outer.spawn(|| {
                    corun::scope(|inner| {
                        inner.spawn(parked);
                        inner.spawn(parked);
                    });
                });
            }
        });
    });
    nested.unwrap_err();
    let token = corun::CancelToken::new();
    let outcome = token.run(|| {
        corun::scope(|scope| {
            scope.spawn(|| token.cancel());
            scope.spawn(parked);
        });
    });
    assert!(outcome.is_err());
    assert_eq!(begun.into_inner(), ended.into_inner());
}

#[corun::test(workers = [1, 2, 8])]
fn one_whose_handle_is_cancelled_takes_its_children_along() {
    let child_waits = std::sync::Arc::new(corun::sync::Notify::new());
    let told = std::sync::Arc::clone(&child_waits);
    let parent = corun::spawn(move || {
        corun::scope(|scope| {
            scope.spawn(|| {
                told.notify_one();
                corun::park();
            });
        });
    });
    child_waits.wait();
    parent.cancel();
    assert!(parent.join().unwrap_err().is::<corun::Cancelled>());
}

#[corun::test(workers = [1, 2, 8])]
fn a_shield_around_a_scope_keeps_the_children() {
    let mut done = false;
    let outcome = corun::timeout(std::time::Duration::from_millis(1), || {
        corun::shield(|| {
            corun::scope(|scope| {
                scope.spawn(|| {
                    corun::sleep(std::time::Duration::from_millis(5));
                    done = true;
                });
            });
        });
        corun::park();
    });
    assert!(outcome.is_err() && done);
}

#[corun::test(workers = [1, 2, 8])]
fn handles_tell_when_they_are_finished_and_who_they_are() {
    corun::scope(|scope| {
        let handle = scope.spawn(|| corun::current().id());
        let id = handle.coroutine().id();
        while !handle.is_finished() {
            corun::yield_now();
        }
        assert_eq!(handle.join().unwrap(), id);
        let named = corun::Builder::new()
            .name("scoped".into())
            .spawn_scoped(scope, || corun::current().name().map(String::from));
        assert_eq!(named.unwrap().join().unwrap().as_deref(), Some("scoped"));
    });
}

#[test]
fn from_a_plain_thread() {
    let mut values = [1, 2, 3, 4];
    corun::scope(|scope| {
        for value in &mut values {
            scope.spawn(move || {
                corun::yield_now();
                *value *= 10;
            });
        }
    });
    assert_eq!(values, [10, 20, 30, 40]);
    assert_eq!(corun::scope(|_| 3), 3);
}

#[corun::test(workers = [1, 2, 8])]
fn results_may_borrow_too() {
    let words = String::from("one two three");
    let longest = corun::scope(|scope| {
        let handles: Vec<_> = words
            .split(' ')
            .map(|word| scope.spawn(move || (word.len(), word)))
            .collect();
        handles
            .into_iter()
            .map(|handle| handle.join().unwrap())
            .max()
            .unwrap()
            .1
    });
    assert_eq!(longest, "two three".split(' ').next_back().unwrap());
}
