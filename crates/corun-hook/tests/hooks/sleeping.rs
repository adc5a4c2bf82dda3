//! Sleeping parks the coroutine, by whichever name.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{errno, on_one_worker, set_errno, takes_at_least};

/// Twenty milliseconds, by each of the calls that sleep.
const WAYS: [fn(); 6] = [
    || thread::sleep(Duration::from_millis(20)),
    // SAFETY: no pointers.
    || assert_eq!(unsafe { libc::usleep(20_000) }, 0),
    || {
        let time = libc::timespec {
            tv_sec: 0,
            tv_nsec: 20_000_000,
        };
        // SAFETY: a time.
        assert_eq!(
            // SAFETY: the arguments are what the call wants, and as long as they say.
            unsafe { libc::nanosleep(&raw const time, std::ptr::null_mut()) },
            0
        );
    },
    || absolute(libc::CLOCK_MONOTONIC),
    || absolute(libc::CLOCK_REALTIME),
    // SAFETY: no descriptors.
    || assert_eq!(unsafe { libc::poll(std::ptr::null_mut(), 0, 20) }, 0),
];

fn absolute(clock: libc::clockid_t) {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a time to be written, and then read.
    unsafe {
        libc::clock_gettime(clock, &raw mut time);
        time.tv_nsec += 20_000_000;
        if time.tv_nsec >= 1_000_000_000 {
            time.tv_nsec -= 1_000_000_000;
            time.tv_sec += 1;
        }
        let result = libc::clock_nanosleep(
            clock,
            libc::TIMER_ABSTIME,
            &raw const time,
            std::ptr::null_mut(),
        );
        assert_eq!(result, 0);
    }
}

#[test]
fn a_hundred_sleep_at_once_in_each_way() {
    for way in WAYS {
        on_one_worker(move || {
            let start = Instant::now();
            let sleepers: Vec<_> = (0..100)
                .map(|_| corun::spawn(move || takes_at_least(Duration::from_millis(19), way)))
                .collect();
            for sleeper in sleepers {
                sleeper.join().unwrap();
            }
            assert!(
                start.elapsed() < Duration::from_millis(1500),
                "one after the other"
            );
        });
    }
}

#[test]
fn a_second_by_sleep() {
    on_one_worker(|| {
        let start = Instant::now();
        // SAFETY: no pointers.
        let sleepers: Vec<_> = (0..5)
            .map(|_| corun::spawn(|| unsafe { libc::sleep(1) }))
            .collect();
        for sleeper in sleepers {
            assert_eq!(sleeper.join().unwrap(), 0);
        }
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert!(start.elapsed() < Duration::from_secs(4));
    });
}

#[test]
fn what_is_no_time_is_refused() {
    on_one_worker(|| {
        for bad in [
            libc::timespec {
                tv_sec: -1,
                tv_nsec: 0,
            },
            libc::timespec {
                tv_sec: 0,
                tv_nsec: 1_000_000_000,
            },
        ] {
            // SAFETY: a time, if a bad one.
            unsafe {
                assert_eq!(libc::nanosleep(&raw const bad, std::ptr::null_mut()), -1);
                assert_eq!(errno(), libc::EINVAL);
                let result = libc::clock_nanosleep(
                    libc::CLOCK_MONOTONIC,
                    0,
                    &raw const bad,
                    std::ptr::null_mut(),
                );
                assert_eq!(result, libc::EINVAL);
            }
        }
    });
}

#[test]
fn errno_is_the_coroutines_own() {
    on_one_worker(|| {
        let tasks: Vec<_> = (1..50)
            .map(|number| {
                corun::spawn(move || {
                    for _ in 0..10 {
                        set_errno(number);
                        thread::sleep(Duration::from_micros(100));
                        assert_eq!(errno(), number);
                        thread::yield_now();
                        assert_eq!(errno(), number);
                    }
                })
            })
            .collect();
        for task in tasks {
            task.join().unwrap();
        }
    });
}

#[test]
fn giving_way_lets_others_run() {
    on_one_worker(|| {
        let other = corun::spawn(|| ());
        while !other.is_finished() {
            thread::yield_now();
        }
        other.join().unwrap();
    });
}

#[test]
fn no_suspend_blocks_the_thread_instead() {
    on_one_worker(|| {
        let other = corun::spawn(|| ());
        corun::no_suspend(|| thread::sleep(Duration::from_millis(5)));
        assert!(!other.is_finished());
        other.join().unwrap();
    });
}
