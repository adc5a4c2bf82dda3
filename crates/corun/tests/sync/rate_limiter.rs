//! `corun::sync::RateLimiter`, from coroutines and from threads.

use std::time::Duration;

use crate::common::{everywhere, takes_at_least};
use corun::sync::{Arc, RateLimiter};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn a_burst_and_no_more() {
    everywhere(|_| {
        let limiter = RateLimiter::new(1, MINUTE).burst(3);
        assert!(limiter.try_acquire());
        assert!(limiter.try_acquire_many(2));
        assert!(!limiter.try_acquire());
        assert!(!limiter.try_acquire(), "to try costs nothing");
        assert!(!limiter.try_acquire_many(4));
        assert!(limiter.reserve_many(4).is_none());
    });
}

#[test]
fn the_burst_is_the_count_unless_said_otherwise() {
    let limiter = RateLimiter::new(5, MINUTE);
    assert!(limiter.try_acquire_many(5) && !limiter.try_acquire());
}

#[test]
fn it_is_never_faster_than_its_rate() {
    everywhere(|place| {
        let limiter = Arc::new(RateLimiter::new(1, Duration::from_micros(500)).burst(4));
        takes_at_least(Duration::from_micros(500 * 20), || {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let limiter = Arc::clone(&limiter);
                    place.spawn(move || {
                        for _ in 0..3 {
                            limiter.wait();
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.join();
            }
        });
    });
}

#[test]
fn tokens_come_back_in_time() {
    everywhere(|_| {
        let limiter = RateLimiter::new(1, Duration::from_millis(2)).burst(1);
        // The first is there, the second and the third are not.
        takes_at_least(Duration::from_millis(4), || {
            assert!(limiter.try_acquire());
            while !limiter.try_acquire() {
                corun::yield_now();
            }
            limiter.wait();
        });
    });
}

#[test]
fn reservations_stand_in_order() {
    let limiter = RateLimiter::new(1, MINUTE).burst(2);
    let (first, second) = (limiter.reserve(), limiter.reserve());
    assert!(first.delay().is_zero() && second.delay().is_zero());
    let (third, fourth) = (limiter.reserve(), limiter.reserve());
    assert!(third.delay() > MINUTE / 2 && third.delay() <= MINUTE);
    let apart = fourth.ready_at() - third.ready_at();
    assert!(apart.abs_diff(MINUTE) <= Duration::from_secs(1));
    first.wait();
}

#[test]
fn the_last_reservation_can_be_given_back() {
    let limiter = RateLimiter::new(1, MINUTE).burst(1);
    let _now = limiter.reserve();
    let (second, third) = (limiter.reserve(), limiter.reserve());
    let third_at = third.ready_at();
    // Not the last one: its token is lost, as the third is told its time already.
    second.cancel();
    let fourth = limiter.reserve();
    assert!(fourth.ready_at() > third_at);
    fourth.cancel();
    third.cancel();
    assert!(limiter.reserve().ready_at() <= third_at + Duration::from_secs(1));
}

#[test]
fn a_wait_that_is_given_up_gives_its_token_back() {
    everywhere(|_| {
        let limiter = RateLimiter::new(1, MINUTE).burst(1);
        limiter.wait();
        for _ in 0..5 {
            assert!(corun::timeout(Duration::from_micros(100), || limiter.wait()).is_err());
        }
        assert!(limiter.reserve().delay() <= MINUTE);
    });
}

#[test]
fn thirds_of_a_second_add_up() {
    let limiter = RateLimiter::new(3, Duration::from_secs(1)).burst(u32::MAX);
    let start = limiter.reserve().ready_at();
    let at = limiter.reserve_many(u32::MAX).unwrap().ready_at();
    // All but the one before are there at once, so it is a third of a second.
    let wait = at - start;
    assert!(wait <= Duration::from_nanos(333_333_334), "{wait:?}");
}

#[test]
#[should_panic(expected = "a rate needs a count and a period")]
fn no_rate() {
    let _ = RateLimiter::new(0, MINUTE);
}

#[test]
fn shown_and_shared() {
    fn shared<T: Send + Sync + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
    shared::<RateLimiter>();
    static STATIC: RateLimiter = RateLimiter::new(2, Duration::from_secs(1));
    assert_eq!(
        format!("{STATIC:?}"),
        "RateLimiter { interval: 500ms, burst: 2, .. }"
    );
}
