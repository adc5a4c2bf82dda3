//! Groups of coroutines that stand and fall together: whatever happens, all have ended when the call returns.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::everywhere;
use corun::{
    join, map_concurrent, race, task_group, timeout, try_join, try_map_concurrent, try_task_group,
    xasync, xawait,
};

const NEVER: Duration = Duration::from_secs(3600);

/// Counts up when it goes: by unwinding too.
struct Counts<'a>(&'a AtomicUsize);

impl Drop for Counts<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn count(counter: &AtomicUsize) -> usize {
    counter.load(Ordering::SeqCst)
}

/// The payload of the panic with which something ends.
#[track_caller]
fn panic_of<T>(f: impl FnOnce() -> T) -> &'static str {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it ended without a panic"),
        Err(payload) => payload.downcast_ref::<&str>().unwrap(),
    }
}

/// A panic without the hook's report.
fn fall(why: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(why))
}

/// The same, with a type.
fn falls<T>(why: &'static str) -> T {
    fall(why)
}

#[test]
fn results_come_as_they_are_ready() {
    everywhere(|_| {
        let gates: Vec<_> = (0..3).map(|_| corun::sync::Semaphore::new(0)).collect();
        let mut order = Vec::new();
        task_group(|group| {
            for (index, gate) in gates.iter().enumerate() {
                group.spawn(move || {
                    gate.acquire().unwrap().forget();
                    index
                });
            }
            assert_eq!(group.try_next(), None);
            assert_eq!(group.running(), 3);
            for index in [2, 0, 1] {
                gates[index].add_permits(1);
                order.push(group.next().unwrap());
            }
            assert_eq!(group.next(), None);
        });
        assert_eq!(order, [2, 0, 1]);
    });
}

#[test]
fn all_have_ended_though_nobody_asks() {
    everywhere(|_| {
        let ended = AtomicUsize::new(0);
        task_group(|group| {
            for _ in 0..20 {
                group.spawn(|| {
                    let _counts = Counts(&ended);
                    corun::yield_now();
                });
            }
        });
        assert_eq!(count(&ended), 20);
    });
}

#[test]
fn no_more_run_at_a_time_than_are_allowed() {
    everywhere(|_| {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let results = map_concurrent(0..60, 4, |n| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            for _ in 0..n % 5 {
                corun::yield_now();
            }
            now.fetch_sub(1, Ordering::SeqCst);
            2 * n
        });
        assert_eq!(results, (0..60).map(|n| 2 * n).collect::<Vec<_>>());
        assert!((1..=4).contains(&count(&most)));
        assert!(map_concurrent(0..0, 1, |n: u8| n).is_empty());
    });
}

#[test]
fn the_first_panic_ends_siblings_and_body_and_goes_on() {
    everywhere(|_| {
        let (ended, mut reached) = (AtomicUsize::new(0), false);
        let why = panic_of(|| {
            task_group(|group| {
                for _ in 0..5 {
                    group.spawn(|| {
                        let _counts = Counts(&ended);
                        corun::sleep(NEVER);
                    });
                }
                group.spawn(|| fall("first"));
                let _counts = Counts(&ended);
                corun::sleep(NEVER);
                reached = true;
            })
        });
        assert_eq!(why, "first");
        // Those that had not started when it came to that never do.
        assert!((1..=6).contains(&count(&ended)) && !reached);
    });
}

#[test]
fn the_bodys_panic_ends_the_children() {
    everywhere(|_| {
        let (started, ended) = (corun::sync::Semaphore::new(0), AtomicUsize::new(0));
        let why = panic_of(|| {
            task_group(|group| {
                for _ in 0..3 {
                    group.spawn(|| {
                        let _counts = Counts(&ended);
                        started.add_permits(1);
                        corun::park();
                    });
                }
                started.acquire_many(3).unwrap().forget();
                fall("body")
            })
        });
        assert_eq!(why, "body");
        assert_eq!(count(&ended), 3);
    });
}

#[test]
fn the_first_error_ends_the_others_and_is_returned() {
    everywhere(|_| {
        let ended = AtomicUsize::new(0);
        let result: Result<(), _> = try_task_group(|group| {
            group.try_spawn(|| {
                let _counts = Counts(&ended);
                corun::sleep(NEVER);
                Ok(())
            });
            group.try_spawn(|| Err("broken"));
            while group.next().is_some() {}
            corun::sleep(NEVER);
            Ok(())
        });
        assert_eq!(result, Err("broken"));
        assert!(count(&ended) <= 1);
        // The body's own.
        let result: Result<(), _> = try_task_group(|group| {
            group.spawn(|| corun::sleep(NEVER));
            Err(1)
        });
        assert_eq!(result, Err(1));
        let result = try_task_group(|group| {
            for n in 0..10 {
                group.try_spawn(move || Ok::<u32, ()>(n));
            }
            Ok(std::iter::from_fn(|| group.next()).sum::<u32>())
        });
        assert_eq!(result, Ok(45));
        let failed = try_map_concurrent(0..100, 8, |n| if n == 40 { Err(n) } else { Ok(n) });
        assert_eq!(failed, Err(40));
    });
}

/// What cancels the caller cancels the children, who may take their time to end.
#[test]
fn a_timeout_around_a_group_ends_it() {
    everywhere(|_| {
        let live = AtomicUsize::new(0);
        for wait in [true, false] {
            let late = timeout(Duration::from_millis(10), || {
                task_group(|group| {
                    for _ in 0..3 {
                        group.spawn(|| {
                            let _live = Undo::of(&live);
                            corun::sleep(NEVER);
                        });
                    }
                    if wait {
                        group.next();
                    }
                })
            });
            assert!(late.is_err());
            assert_eq!(count(&live), 0);
        }
    });
}

/// In whatever group the coroutine waits when its handle cancels it, and wherever in that.
#[test]
fn who_is_cancelled_in_a_group_leaves_nobody_behind() {
    everywhere(|_| {
        for kind in 0..4 {
            let live = Arc::new(AtomicUsize::new(0));
            let (started, running) = corun::channel::bounded(0);
            let caller = corun::spawn({
                let live = Arc::clone(&live);
                move || {
                    let work = || {
                        let _live = Undo::of(&live);
                        started.send(()).unwrap();
                        corun::sleep(NEVER);
                    };
                    match kind {
                        0 => task_group(|group| {
                            group.spawn(work);
                            group.spawn(work);
                        }),
                        1 => drop(join!(work(), work())),
                        2 => race!(work(), work()),
                        _ => drop(map_concurrent(0..100, 2, |_| work())),
                    }
                }
            });
            running.recv().unwrap();
            running.recv().unwrap();
            caller.cancel();
            let payload = caller.join().unwrap_err();
            assert!(payload.is::<corun::Cancelled>());
            assert_eq!(count(&live), 0);
        }
    });
}

#[test]
fn a_group_that_is_cancelled_goes_on_without_its_children() {
    everywhere(|_| {
        let value = task_group(|group| {
            group.spawn(|| 1);
            let first = group.next();
            for _ in 0..3 {
                group.spawn(|| {
                    corun::sleep(NEVER);
                    2
                });
            }
            group.cancel();
            assert_eq!(group.next(), None);
            group.spawn(|| 3);
            assert_eq!(group.next(), None, "too late");
            corun::sleep(Duration::from_millis(1));
            first
        });
        assert_eq!(value, Some(1));
    });
}

#[test]
fn groups_within_groups() {
    everywhere(|_| {
        let ended = AtomicUsize::new(0);
        let why = panic_of(|| {
            task_group(|outer| {
                for index in 0..3 {
                    let ended = &ended;
                    outer.spawn(move || {
                        task_group(|inner| {
                            for _ in 0..3 {
                                inner.spawn(|| {
                                    let _counts = Counts(ended);
                                    corun::sleep(NEVER);
                                });
                            }
                            corun::yield_now();
                            if index == 1 {
                                fall("inner body");
                            }
                        });
                    });
                }
                while outer.next().is_some() {}
            })
        });
        assert_eq!(why, "inner body");
        assert!(count(&ended) <= 9);
    });
}

#[test]
fn joined_expressions_borrow_and_run_at_a_time() {
    everywhere(|_| {
        let (there, back) = (corun::channel::bounded(0), corun::channel::bounded(0));
        let mut list = vec![1];
        let text = String::from("text");
        let (sent, answer, (), length) = join!(
            there.0.send(20).is_ok(),
            back.1.recv().unwrap(),
            {
                let n: i32 = there.1.recv().unwrap();
                list.push(n);
                back.0.send(n + 1).unwrap();
            },
            text.len(),
        );
        assert_eq!((sent, answer, length), (true, 21, 4));
        assert_eq!(list, [1, 20]);
        assert_eq!(join!(text), (String::from("text"),));
    });
}

#[test]
fn a_panic_or_an_error_ends_what_is_joined() {
    everywhere(|_| {
        let why = panic_of(|| join!(corun::sleep(NEVER), falls::<()>("joined"), corun::park()));
        assert_eq!(why, "joined");
        let failed: Result<((), u8), &str> = try_join!(
            {
                corun::sleep(NEVER);
                Ok(())
            },
            Err::<u8, _>("failed"),
        );
        assert_eq!(failed, Err("failed"));
        let all = try_join!(Ok::<_, ()>(1), Ok("two"), Ok([3; 3]));
        assert_eq!(all, Ok((1, "two", [3; 3])));
        let why = panic_of(|| try_join!(Ok::<u8, ()>(1), falls::<Result<u8, ()>>("tried")));
        assert_eq!(why, "tried");
    });
}

/// Losers are cancelled, have ended, and took nothing that they did not get.
#[test]
fn the_first_wins_and_the_others_have_ended() {
    everywhere(|_| {
        let live = AtomicUsize::new(0);
        let (sender, receiver) = corun::channel::unbounded::<u8>();
        let winner = race!(
            {
                let _live = Undo::of(&live);
                receiver.recv().unwrap()
            },
            {
                let _live = Undo::of(&live);
                corun::sleep(Duration::from_millis(5));
                2
            },
        );
        assert_eq!((winner, count(&live)), (2, 0));
        sender.send(7).unwrap();
        assert_eq!(receiver.try_recv(), Ok(7), "nobody took it");
        let why = panic_of(|| race!(corun::sleep(NEVER), falls("raced")));
        assert_eq!(why, "raced");
        let late = timeout(Duration::from_millis(3), || {
            race!(corun::park(), corun::sleep(NEVER))
        });
        assert!(late.is_err());
    });
}

#[test]
fn calls_are_started_and_waited_for_when_needed() {
    everywhere(|_| {
        let (promise, future) = corun::future::promise::<u32, ()>();
        let frame = xasync(move || future.wait().unwrap());
        assert!(!frame.is_finished());
        promise.resolve(3);
        assert_eq!(xawait(frame), 3);
        let nested = xasync(|| [1, 2].map(|n| xasync(move || n + 1)).map(xawait));
        assert_eq!(xawait(nested), [2, 3]);
        let fallen = xasync(|| fall("in a frame"));
        assert_eq!(panic_of(|| xawait(fallen)), "in a frame");
        assert_eq!(xasync(|| 5).into_handle().join().unwrap(), 5);
    });
}

/// Many groups, ended in all the ways there are; nothing is left behind, and nobody hangs.
#[test]
fn many_groups() {
    everywhere(|place| {
        let live = Arc::new(AtomicUsize::new(0));
        let seen = Arc::new(Mutex::new([0; 3]));
        let tasks: Vec<_> = (0..4)
            .map(|task| {
                let (live, seen) = (Arc::clone(&live), Arc::clone(&seen));
                place.spawn(move || {
                    for round in 0..100 {
                        let ending = (task + round) % 3;
                        let result = catch_unwind(AssertUnwindSafe(|| {
                            try_task_group(|group| {
                                group.set_limit(3);
                                for n in 0..6 {
                                    let live = &live;
                                    group.try_spawn(move || {
                                        let _live = Undo::of(live);
                                        corun::yield_now();
                                        match (n, ending) {
                                            (4, 1) => Err(()),
                                            (4, 2) => fall("one of many"),
                                            _ => Ok(n),
                                        }
                                    });
                                }
                                Ok(std::iter::from_fn(|| group.next()).sum::<i32>())
                            })
                        }));
                        let ended = match result {
                            Ok(Ok(15)) => 0,
                            Ok(Err(())) => 1,
                            Err(_) => 2,
                            Ok(Ok(other)) => panic!("a sum of {other}"),
                        };
                        assert_eq!(ended, ending);
                        seen.lock().unwrap()[ended] += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join();
        }
        assert_eq!(count(&live), 0);
        assert_eq!(seen.lock().unwrap().iter().sum::<i32>(), 400);
    });
}

/// One more while it lives.
struct Undo<'a>(&'a AtomicUsize);

impl Undo<'_> {
    fn of(live: &AtomicUsize) -> Undo<'_> {
        live.fetch_add(1, Ordering::SeqCst);
        Undo(live)
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}
