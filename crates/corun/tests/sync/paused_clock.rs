//! Deadlines and rates go by the clock that tests may stop: hours pass in no time, and to the nanosecond.

use std::time::Duration;

use corun::sync::{Condvar, Mutex, RateLimiter};
use corun::time::now;

const HOUR: Duration = Duration::from_secs(3600);

#[corun::test(start_paused)]
fn a_rate_of_one_an_hour() {
    let limiter = RateLimiter::new(1, HOUR).burst(2);
    let start = now();
    for _ in 0..10 {
        limiter.wait();
    }
    assert_eq!(now() - start, 8 * HOUR);
    assert!(!limiter.try_acquire());
    corun::sleep(2 * HOUR);
    assert!(limiter.try_acquire_many(2) && !limiter.try_acquire());
    let third = limiter.reserve();
    assert_eq!(third.delay(), HOUR);
    third.wait();
    assert_eq!(now() - start, 11 * HOUR);
}

#[corun::test(start_paused)]
fn a_condvars_deadline_is_met_to_the_nanosecond() {
    let (mutex, condvar) = (Mutex::new(()), Condvar::new());
    let start = now();
    let (guard, result) = condvar.wait_timeout(mutex.lock().unwrap(), HOUR).unwrap();
    assert!(result.timed_out());
    assert_eq!(now() - start, HOUR);
    let (_guard, result) = condvar.wait_timeout_while(guard, HOUR, |()| true).unwrap();
    assert!(result.timed_out());
    assert_eq!(now() - start, 2 * HOUR);
}
