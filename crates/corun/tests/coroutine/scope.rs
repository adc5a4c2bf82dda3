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

#[corun::test(workers = [1, 2, 8])]
fn a_panic_that_nobody_joined_makes_the_scope_panic_after_all_have_ended() {
    let done = AtomicUsize::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            scope.spawn(|| std::panic::resume_unwind(Box::new(())));
            for _ in 0..10 {
                scope.spawn(|| {
                    corun::yield_now();
                    done.fetch_add(1, Ordering::Relaxed);
                });
            }
        })
    }));
    let payload = result.unwrap_err();
    // std's words, with what they are about.
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .map(String::from)
        .or_else(|| payload.downcast_ref::<String>().cloned());
    assert!(
        text.as_ref()
            .is_some_and(|text| text.contains("scoped") && text.contains("panicked")),
        "{text:?}"
    );
    assert_eq!(done.into_inner(), 10);
}

#[corun::test(workers = [1, 2, 8])]
fn a_panic_of_the_closure_waits_for_the_children_and_wins() {
    let done = AtomicUsize::new(0);
    let result = catch_unwind(AssertUnwindSafe(|| {
        corun::scope(|scope| {
            for _ in 0..10 {
                scope.spawn(|| {
                    corun::yield_now();
                    done.fetch_add(1, Ordering::Relaxed);
                    if done.load(Ordering::Relaxed) == 5 {
                        std::panic::resume_unwind(Box::new("a child's"));
                    }
                });
            }
            std::panic::resume_unwind(Box::new("the closure's"));
        })
    }));
    let result: std::thread::Result<()> = result;
    assert_eq!(result.unwrap_err().downcast_ref(), Some(&"the closure's"));
    assert_eq!(done.into_inner(), 10);
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
