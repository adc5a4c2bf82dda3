//! A timeout leaves its closure by unwinding: destructors run and may wait, the panic hook does not run, `catch_unwind` delays it only,
//! and a panic of the closure's own is not disturbed.

mod common;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::everywhere;
use corun::timeout;

const SHORT: Duration = Duration::from_millis(2);
const LONG: Duration = Duration::from_secs(3600);

struct OnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn destructors_run_from_the_inside_out() {
    everywhere(|_| {
        let order = Cell::new([0; 3]);
        let count = Cell::new(0);
        let mark = |n: i32| {
            let (order, count) = (&order, &count);
            OnDrop(move || {
                let mut list = order.get();
                list[count.get()] = n;
                order.set(list);
                count.set(count.get() + 1);
            })
        };
        let result = timeout(SHORT, || {
            let _outer = mark(1);
            let _middle = mark(2);
            let _inner = mark(3);
            corun::park();
        });
        assert!(result.is_err());
        assert_eq!(order.get(), [3, 2, 1]);
    });
}

#[test]
fn destructors_may_wait() {
    everywhere(|_| {
        let waited = Cell::new(0);
        let result = timeout(SHORT, || {
            let _slow = OnDrop(|| {
                corun::sleep(SHORT);
                corun::spawn(|| corun::sleep(SHORT)).join().unwrap();
                corun::park_timeout(SHORT);
                corun::blocking(|| ());
                corun::yield_now();
                waited.set(waited.get() + 1);
            });
            let _second = OnDrop(|| {
                corun::sleep(SHORT);
                waited.set(waited.get() + 1);
            });
            corun::park();
        });
        assert!(result.is_err());
        assert_eq!(waited.get(), 2);
    });
}

#[test]
fn catching_delays_it_until_the_next_wait() {
    everywhere(|_| {
        let caught = Cell::new(0);
        let result = timeout(SHORT, || {
            loop {
                let result = catch_unwind(AssertUnwindSafe(corun::park));
                assert!(result.is_err());
                caught.set(caught.get() + 1);
                if caught.get() == 5 {
                    break;
                }
            }
            corun::sleep(Duration::from_nanos(1));
            caught.set(100);
        });
        // The last wait had a deadline of its own that came first, or the timeout's: both may be.
        match result {
            Err(_) => assert_eq!(caught.get(), 5),
            Ok(()) => assert_eq!(caught.get(), 100),
        }
        let result = timeout(SHORT, || {
            for _ in 0..3 {
                let _ = catch_unwind(AssertUnwindSafe(|| corun::sleep(LONG)));
            }
            corun::sleep(LONG);
        });
        assert!(result.is_err());
    });
}

#[test]
fn a_payload_that_is_caught_may_be_sent_on_its_way_again() {
    everywhere(|_| {
        let result = timeout(SHORT, || {
            let payload = catch_unwind(AssertUnwindSafe(corun::park)).unwrap_err();
            resume_unwind(payload);
        });
        assert!(result.is_err());
    });
}

#[test]
fn a_payload_that_was_kept_stops_no_other_timeout() {
    everywhere(|_| {
        let mut kept = None;
        let result = timeout(SHORT, || {
            kept = catch_unwind(AssertUnwindSafe(corun::park)).err();
            corun::park();
        });
        assert!(result.is_err());
        // No longer anybody's, it goes through as a panic of the closure's.
        let late = catch_unwind(AssertUnwindSafe(|| {
            timeout(LONG, || resume_unwind(kept.take().unwrap()))
        }));
        assert!(late.is_err());
    });
}

#[test]
fn the_panic_hook_is_not_run() {
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        RUNS.fetch_add(1, Ordering::Relaxed);
        before(info);
    }));
    everywhere(|_| assert!(timeout(SHORT, corun::park).is_err()));
    // Tests of this file run at the same time, and none of them panics with a message.
    assert_eq!(RUNS.load(Ordering::Relaxed), 0);
}

/// A closure that panics by itself goes on doing so, and its destructors wait beyond the time.
#[test]
fn a_panic_is_not_disturbed() {
    everywhere(|_| {
        let waited = Cell::new(false);
        let result = catch_unwind(AssertUnwindSafe(|| {
            timeout(SHORT, || {
                let _slow = OnDrop(|| {
                    corun::sleep(2 * SHORT);
                    waited.set(true);
                });
                resume_unwind(Box::new("its own"));
            })
        }));
        assert_eq!(result.unwrap_err().downcast_ref(), Some(&"its own"));
        assert!(waited.get());
    });
}

/// `thread::panicking` speaks of the thread, and so of a coroutine that waits in a destructor while others of its thread run.
#[test]
fn a_panic_of_another_coroutine_is_not_ones_own() {
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    runtime.block_on(|| {
        let begun = corun::time::now();
        let waiters = [
            corun::spawn(|| timeout(5 * SHORT, corun::park).is_err()),
            corun::spawn(|| timeout(5 * SHORT, || corun::sleep(LONG)).is_err()),
            corun::spawn(|| {
                let endless = corun::spawn(|| corun::sleep(100 * SHORT));
                timeout(5 * SHORT, || endless.join()).is_err()
            }),
            corun::spawn(|| timeout(5 * SHORT, || timeout(LONG, corun::park)).is_err()),
        ];
        corun::yield_now();
        let (woken, wake) = (corun::current(), std::sync::Arc::new(AtomicUsize::new(0)));
        let panicking = corun::spawn({
            let wake = wake.clone();
            move || {
                let _slow = OnDrop(|| {
                    wake.store(1, Ordering::Relaxed);
                    woken.unpark();
                    while wake.load(Ordering::Relaxed) != 2 {
                        corun::park();
                    }
                });
                resume_unwind(Box::new("its own"));
            }
        });
        while wake.load(Ordering::Relaxed) != 1 {
            corun::park();
        }
        assert!(std::thread::panicking());
        for waiter in waiters {
            assert!(waiter.join().unwrap());
        }
        assert!(corun::time::now() - begun >= 5 * SHORT);
        wake.store(2, Ordering::Relaxed);
        panicking.coroutine().unpark();
        assert_eq!(
            panicking.join().unwrap_err().downcast_ref(),
            Some(&"its own")
        );
    });
}

/// They are cut short as well, but may have something to do that must not be.
#[test]
fn a_scope_waits_for_its_children_first() {
    everywhere(|_| {
        let finished = AtomicUsize::new(0);
        let child = || {
            corun::shield(|| corun::sleep(4 * SHORT));
            finished.fetch_add(1, Ordering::Relaxed);
            corun::sleep(LONG);
            finished.fetch_add(100, Ordering::Relaxed);
        };
        let result = timeout(SHORT, || {
            corun::scope(|scope| {
                // Who has not begun when the time is up never does.
                let (ready, is_ready) = corun::channel::bounded(4);
                for _ in 0..4 {
                    let ready = ready.clone();
                    scope.spawn(move || {
                        ready.send(()).unwrap();
                        child();
                    });
                }
                corun::shield(|| is_ready.iter().take(4).for_each(drop));
                corun::park();
            });
        });
        assert!(result.is_err());
        assert_eq!(finished.load(Ordering::Relaxed), 4);
    });
}

#[test]
fn a_join_of_a_scoped_child_is_left_but_the_child_is_waited_for() {
    everywhere(|_| {
        let finished = AtomicUsize::new(0);
        let result = timeout(SHORT, || {
            corun::scope(|scope| {
                let (ready, is_ready) = corun::channel::bounded(1);
                // Dropped when the join is left: the child does not end before.
                let (_stays, is_left) = corun::channel::bounded::<()>(0);
                let finished = &finished;
                let child = scope.spawn(move || {
                    corun::shield(|| {
                        ready.send(()).unwrap();
                        is_left.recv_timeout(Duration::from_secs(30)).unwrap_err();
                    });
                    finished.fetch_add(1, Ordering::Relaxed);
                });
                corun::shield(|| is_ready.recv().unwrap());
                child.join().unwrap();
            });
        });
        assert!(result.is_err());
        assert_eq!(finished.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn block_on_waits_for_its_closure_which_may_borrow() {
    let runtime = corun::Runtime::builder().workers(1).build().unwrap();
    let finished = Cell::new(false);
    let result = timeout(SHORT, || {
        let done = AtomicUsize::new(0);
        runtime.block_on(|| {
            corun::sleep(4 * SHORT);
            done.store(1, Ordering::Relaxed);
        });
        finished.set(done.load(Ordering::Relaxed) == 1);
        corun::park();
    });
    assert!(result.is_err());
    assert!(finished.get());
}
