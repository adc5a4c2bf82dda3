//! The real clock that tests may pause and the real timer; and a stand-in for timeouts.

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

pub mod limit {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::time::Instant;

    crate::checker::thread_local! {
        static OF_SCOPE: Cell<Option<Instant>> = Cell::new(None);
    }

    /// Runs `f` with a deadline, which comes when the timers are fired. `None` if it was left by unwinding.
    pub fn with_deadline<T>(f: impl FnOnce() -> T) -> Option<T> {
        OF_SCOPE.with(|scope| scope.set(Some(Instant::now())));
        let result = catch_unwind(AssertUnwindSafe(f));
        OF_SCOPE.with(|scope| scope.set(None));
        match result {
            Ok(value) => Some(value),
            Err(payload) if payload.is::<&str>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }

    pub struct Innermost;

    pub struct Limit(Option<Instant>);

    impl Limit {
        pub fn new(own: Option<Instant>) -> Limit {
            Limit(own.or(OF_SCOPE.with(Cell::get)))
        }

        pub fn deadline(&self) -> Option<Instant> {
            self.0
        }

        pub fn expired(&self) {
            if OF_SCOPE.with(Cell::get).is_some() {
                resume_unwind(Box::new("cancelled"));
            }
        }
    }
}
