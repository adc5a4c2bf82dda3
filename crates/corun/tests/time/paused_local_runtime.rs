//! A paused clock in a runtime that a host drives: time jumps in `block_on`, and stands still between two calls of the host's.
#![cfg(unix)]

use std::time::{Duration, Instant};

use corun::runtime::LocalRuntime;
use corun::time::{advance, now, pause, resume};
use corun::{sleep, spawn};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn time_jumps_in_block_on() {
    let real = Instant::now();
    let runtime = LocalRuntime::new().unwrap();
    runtime.block_on(|| {
        pause();
        let start = now();
        let other = spawn(|| sleep(2 * HOUR));
        sleep(HOUR);
        assert_eq!(now() - start, HOUR);
        assert!(!other.is_finished());
        advance(HOUR);
        assert!(other.is_finished());
        assert_eq!(now() - start, 2 * HOUR);
        other.join().unwrap();
    });
    assert!(real.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_host_is_told_no_deadline_while_the_clock_stands_still() {
    let runtime = LocalRuntime::new().unwrap();
    let start = runtime.block_on(|| {
        pause();
        now()
    });
    let sleeper = runtime.spawn_local(|| sleep(HOUR));
    runtime.run_until_idle();
    assert_eq!(runtime.next_deadline(), None);
    assert!(!sleeper.is_finished());
    assert_eq!(runtime.block_on(now), start);
    // It goes again, and the host's deadline is one of real time.
    runtime.block_on(resume);
    let deadline = runtime.next_deadline().unwrap();
    assert!(deadline > Instant::now() && deadline <= Instant::now() + HOUR);
}
