//! `Interval`: the pace is kept, and missed ticks are treated as was asked for.

use std::time::Duration;

use corun::time::{Interval, MissedTickBehavior, interval, interval_at, now};
use corun::{sleep, timeout};

const SECOND: Duration = Duration::from_secs(1);

/// When the next ticks are seen, in milliseconds from now.
fn seen(interval: &mut Interval, ticks: usize) -> Vec<u128> {
    let start = now();
    let mut times = || {
        interval.tick();
        (now() - start).as_millis()
    };
    (0..ticks).map(|_| times()).collect()
}

#[corun::test(start_paused, workers = [1, 2])]
fn ticks_at_once_and_then_each_period() {
    let mut ticks = interval(SECOND);
    assert_eq!(ticks.period(), SECOND);
    assert_eq!(seen(&mut ticks, 4), [0, 1000, 2000, 3000]);
    let mut ticks = interval_at(now() + SECOND / 2, SECOND);
    assert_eq!(seen(&mut ticks, 3), [500, 1500, 2500]);
}

#[corun::test(start_paused, workers = [1, 2])]
fn work_between_two_ticks_does_not_delay_them() {
    let start = now();
    for (n, due) in interval(SECOND).take(10).enumerate() {
        assert_eq!(now(), due);
        assert_eq!(due - start, n as u32 * SECOND);
        sleep(SECOND * 9 / 10);
    }
}

/// Nobody looks for 2.5 s after the first tick.
fn after_a_pause(behavior: MissedTickBehavior) -> Vec<u128> {
    let mut ticks = interval(SECOND);
    ticks.set_missed_tick_behavior(behavior);
    assert_eq!(ticks.missed_tick_behavior(), behavior);
    ticks.tick();
    sleep(SECOND * 5 / 2);
    seen(&mut ticks, 4)
}

#[corun::test(start_paused)]
fn missed_ticks() {
    assert_eq!(after_a_pause(MissedTickBehavior::Burst), [0, 0, 500, 1500]);
    assert_eq!(
        after_a_pause(MissedTickBehavior::Delay),
        [0, 1000, 2000, 3000]
    );
    assert_eq!(
        after_a_pause(MissedTickBehavior::Skip),
        [0, 500, 1500, 2500]
    );
}

#[corun::test(start_paused)]
fn resetting() {
    let mut ticks = interval(SECOND);
    ticks.tick();
    sleep(SECOND / 2);
    ticks.reset();
    assert_eq!(ticks.next_tick(), now() + SECOND);
    assert_eq!(seen(&mut ticks, 2), [1000, 2000]);
    ticks.reset_immediately();
    assert_eq!(seen(&mut ticks, 2), [0, 1000]);
    ticks.reset_after(SECOND / 4);
    assert_eq!(seen(&mut ticks, 2), [250, 1250]);
    ticks.reset_at(now() + 3 * SECOND);
    assert_eq!(seen(&mut ticks, 2), [3000, 4000]);
}

#[corun::test(start_paused)]
fn a_tick_that_was_given_up_is_still_to_come() {
    let mut ticks = interval_at(now() + SECOND, SECOND);
    assert!(timeout(SECOND / 2, || ticks.tick()).is_err());
    assert_eq!(seen(&mut ticks, 2), [500, 1500]);
}

#[test]
fn in_real_time_and_on_a_thread_it_is_never_early() {
    let period = Duration::from_millis(2);
    for due in interval(period).take(5) {
        assert!(now() >= due);
    }
    corun::spawn(move || {
        for due in interval(period).take(5) {
            assert!(now() >= due);
        }
    })
    .join()
    .unwrap();
}

#[test]
#[should_panic(expected = "an interval of zero")]
fn a_period_of_zero() {
    interval(Duration::ZERO);
}
