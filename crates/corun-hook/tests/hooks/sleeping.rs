//! Sleeping parks the coroutine.

use std::thread;
use std::time::{Duration, Instant};

use crate::common::on_one_worker;

#[test]
fn a_hundred_sleep_at_once() {
    on_one_worker(|| {
        let start = Instant::now();
        let sleepers: Vec<_> = (0..100)
            .map(|_| corun::spawn(|| thread::sleep(Duration::from_millis(50))))
            .collect();
        for sleeper in sleepers {
            sleeper.join().unwrap();
        }
        assert!(start.elapsed() >= Duration::from_millis(50));
        assert!(start.elapsed() < Duration::from_secs(4));
    });
}
