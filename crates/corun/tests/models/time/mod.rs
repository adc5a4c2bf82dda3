//! The real clock that tests may pause and the real timer.

#[path = "../../../src/time/clock.rs"]
pub mod clock;
#[path = "../../../src/time/timer.rs"]
pub mod timer;

pub use clock::now;

/// No model sleeps.
pub fn sleep(_: std::time::Duration) {
    unreachable!("no model sleeps");
}

pub fn sleep_until(_: std::time::Instant) {
    unreachable!("no model sleeps");
}

mod timer_model;

mod pause {
    use std::time::Instant;

    pub fn now_of_caller(real: Instant) -> Instant {
        real
    }
}
