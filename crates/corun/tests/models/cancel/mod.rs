//! The real file of how a coroutine is told that it was cancelled; and stand-ins for what it is inside of, and for limits.

#[path = "../../../src/cancel/nudge.rs"]
pub mod nudge;

#[derive(Default)]
pub struct Cancelled(());

impl crate::coroutine::task::TaskRef {
    pub fn cancel(self) {
        nudge::cancel(self);
    }
}

pub mod levels {
    use std::any::Any;
    use std::cell::Cell;

    use crate::coroutine::task::TaskRef;

    pub struct Innermost;

    crate::checker::thread_local! {
        static BLIND: Cell<bool> = Cell::new(false);
    }

    pub fn is_for_end(_: &(dyn Any + Send), _: TaskRef) -> bool {
        false
    }

    pub fn shield_for_good(_: &Innermost) {}

    /// It is inside of nothing but itself.
    ///
    /// # Safety
    /// As for the real one, of which nothing is needed here.
    pub unsafe fn is_cancelled(_: &Innermost, task: TaskRef) -> bool {
        task.is_cancelled() && !BLIND.with(Cell::get)
    }

    /// Makes the thread see nothing of what was cancelled, while `f` runs.
    pub fn blindly<T>(f: impl FnOnce() -> T) -> T {
        BLIND.with(|blind| blind.set(true));
        let result = f();
        BLIND.with(|blind| blind.set(false));
        result
    }
}

pub mod limit {
    use std::cell::Cell;
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    use std::time::Instant;

    use crate::scheduler::signal::Signal;

    crate::checker::thread_local! {
        static OF_LEVEL: Cell<Option<Instant>> = Cell::new(None);
    }

    /// Runs `f` with a deadline, which comes when the timers are fired. `None` if it was left by unwinding.
    pub fn with_deadline<T>(f: impl FnOnce() -> T) -> Option<T> {
        OF_LEVEL.with(|level| level.set(Some(Instant::now())));
        let result = catch_unwind(AssertUnwindSafe(f));
        OF_LEVEL.with(|level| level.set(None));
        match result {
            Ok(value) => Some(value),
            Err(payload) if payload.is::<&str>() => None,
            Err(payload) => resume_unwind(payload),
        }
    }

    pub struct Limit(Option<Instant>);

    impl Limit {
        pub fn new(own: Option<Instant>) -> Limit {
            Limit(own.or(OF_LEVEL.with(Cell::get)))
        }

        pub fn deadline(&self) -> Option<Instant> {
            self.0
        }

        pub fn signal(&self) -> Signal {
            match self.0 {
                None => Signal::sole(),
                Some(_) => Signal::new(),
            }
        }

        /// As the real one, with waits that are always open.
        pub fn wait(&self, signal: &Signal, withdraw: impl FnOnce() -> bool) -> bool {
            signal.wait_within(self.0, true) || (!withdraw() && signal.settle())
        }

        pub fn expired(&self) {
            if OF_LEVEL.with(Cell::get).is_some() {
                resume_unwind(Box::new("cancelled"));
            }
        }
    }
}

mod beginning;
mod interrupting;
