//! The real clock that tests may pause and the real timer; and stand-ins for timeouts, as no model is in one.

#[path = "../../../src/time/clock.rs"]
pub mod clock;
#[path = "../../../src/time/timer.rs"]
pub mod timer;

pub use clock::now;

mod timer_model;

mod pause {
    use std::time::Instant;

    pub fn now_of_caller(real: Instant) -> Instant {
        real
    }
}

pub mod limit {
    use std::time::Instant;

    pub struct Innermost;

    pub struct Limit(Option<Instant>);

    impl Limit {
        pub fn new(own: Option<Instant>) -> Limit {
            Limit(own)
        }

        pub fn deadline(&self) -> Option<Instant> {
            self.0
        }

        pub fn expired(&self) {}
    }
}
