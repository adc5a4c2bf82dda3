//! `Timer`: delivered once, never early, never after `stop` and never at a time that `reset` has replaced; from threads and coroutines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::{everywhere, takes_at_least};
use corun::time::{Timer, advance, now};
use corun::{spawn, timeout};

const SHORT: Duration = Duration::from_millis(3);
const LONG: Duration = Duration::from_secs(3600);

#[test]
fn is_due_once_and_never_early() {
    everywhere(|_| {
        let start = now();
        // Its time begins when it is made.
        let (timer, due) = takes_at_least(SHORT, || {
            let timer = Timer::new(SHORT);
            let due = timer.wait();
            (timer, due)
        });
        assert!(due >= start + SHORT && due <= now());
        assert_eq!(timer.try_wait(), None);
        assert_eq!(timer.deadline(), None);
        assert!(!timer.stop());
        assert!(timeout(SHORT, || timer.wait()).is_err());
        // One that was due before is had at once.
        let timer = Timer::at(start);
        assert_eq!(timer.wait(), start);
        let timer = Timer::at(start);
        assert_eq!(timer.try_wait(), Some(start));
        assert_eq!(timer.try_wait(), None);
        assert_eq!(Timer::new(Duration::MAX).try_wait(), None);
    });
}

#[test]
fn nothing_is_left_after_stop() {
    everywhere(|_| {
        let timer = Timer::new(Duration::ZERO);
        assert!(timer.stop());
        assert!(!timer.stop());
        assert_eq!(timer.try_wait(), None);
        assert!(timeout(SHORT, || timer.wait()).is_err());
        takes_at_least(SHORT, || {
            assert!(!timer.reset(SHORT));
            timer.wait()
        });
    });
}

#[test]
fn a_reset_replaces_the_time() {
    everywhere(|_| {
        // Due already, but not had.
        let timer = Timer::new(Duration::ZERO);
        takes_at_least(SHORT, || {
            assert!(timer.reset(SHORT));
            timer.wait()
        });
        // To an earlier time.
        let timer = Timer::new(LONG);
        assert!(timer.reset(Duration::ZERO));
        timer.wait();
        let at = now();
        assert!(!timer.reset_at(at));
        assert_eq!(timer.wait(), at);
    });
}

#[test]
fn who_waits_waits_for_the_new_time() {
    everywhere(|place| {
        let timer = Arc::new(Timer::new(LONG));
        let waiter = {
            let timer = timer.clone();
            place.spawn(move || timer.wait())
        };
        let at = now();
        timer.reset_at(at);
        assert_eq!(waiter.join(), at);
    });
}

#[corun::test(start_paused, workers = [1, 2, 8])]
fn a_later_time_is_waited_for_and_a_stopped_one_is_not() {
    let start = now();
    let timer = Arc::new(Timer::new(SHORT));
    let waiter = {
        let timer = timer.clone();
        spawn(move || timer.wait())
    };
    for n in 1..=100 {
        assert!(timer.reset(n * SHORT + LONG));
        advance(SHORT);
        assert!(!waiter.is_finished());
        assert!(timer.stop());
        advance(2 * LONG);
        assert!(!waiter.is_finished());
        assert!(!timer.reset(LONG));
        advance(SHORT);
    }
    let due = timer.deadline().unwrap();
    assert_eq!(waiter.join().unwrap(), due);
    assert_eq!(now(), due);
    assert!(now() - start > 100 * LONG);
}

#[test]
fn of_many_who_wait_one_has_it() {
    everywhere(|place| {
        const WAITERS: usize = 8;
        let timer = Arc::new(Timer::new(LONG));
        let had = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..WAITERS)
            .map(|_| {
                let (timer, had) = (timer.clone(), had.clone());
                place.spawn(move || {
                    timer.wait();
                    had.fetch_add(1, Ordering::Relaxed);
                })
            })
            .collect();
        for n in 1..=WAITERS {
            timer.reset(Duration::from_micros(100));
            while had.load(Ordering::Relaxed) < n {
                corun::sleep(Duration::from_micros(50));
            }
            assert_eq!(timer.deadline(), None);
        }
        for waiter in waiters {
            waiter.join();
        }
        assert_eq!(had.load(Ordering::Relaxed), WAITERS);
    });
}

/// Resets, stops and waits from everywhere at once: as many deliveries as times that were set and neither replaced nor taken back.
#[test]
fn nothing_is_delivered_twice_or_lost() {
    everywhere(|place| {
        const ROUNDS: usize = 2000;
        let the_end = now();
        let timer = Arc::new(Timer::new(Duration::ZERO));
        let had = Arc::new(AtomicUsize::new(0));
        let waiters: Vec<_> = (0..2)
            .map(|_| {
                let (timer, had) = (timer.clone(), had.clone());
                place.spawn(move || {
                    while timer.wait() != the_end {
                        had.fetch_add(1, Ordering::Relaxed);
                    }
                })
            })
            .collect();
        let changers: Vec<_> = (0..2)
            .map(|_| {
                let timer = timer.clone();
                place.spawn(move || {
                    let mut expected = 0_isize;
                    for n in 0..ROUNDS as u64 {
                        let was_armed = if n % 3 == 0 {
                            timer.stop()
                        } else {
                            expected += 1;
                            timer.reset(Duration::from_micros(n % 20))
                        };
                        expected -= isize::from(was_armed);
                        corun::yield_now();
                    }
                    expected
                })
            })
            .collect();
        let set: isize = 1 + changers
            .into_iter()
            .map(crate::common::Task::join)
            .sum::<isize>();
        // One end for each waiter, none of which replaces what is still to be had.
        for _ in &waiters {
            while timer.deadline().is_some() {
                corun::sleep(Duration::from_micros(50));
            }
            assert!(!timer.reset_at(the_end));
        }
        for waiter in waiters {
            waiter.join();
        }
        assert_eq!(had.load(Ordering::Relaxed) as isize, set);
    });
}

#[corun::test(start_paused, workers = [1, 2])]
fn is_an_arm_of_a_select() {
    let start = now();
    let (_sender, messages) = corun::channel::unbounded::<()>();
    let timer = Timer::new(LONG);
    let select = || {
        corun::channel::select! {
            recv(timer.receiver()) -> due => due.ok(),
            recv(messages) -> _ => None,
            default(2 * LONG) => None,
        }
    };
    assert_eq!(select(), Some(start + LONG));
    assert_eq!(timer.try_wait(), Some(start + LONG));
    assert_eq!(select(), None, "it was had");
    timer.reset(SHORT);
    timer.stop();
    assert_eq!(select(), None);
    let at = now();
    timer.reset_at(at);
    assert_eq!(select(), Some(at));
}

#[test]
fn shows_itself() {
    assert!(format!("{:?}", Timer::new(LONG)).starts_with("Timer { deadline: Some("));
}
