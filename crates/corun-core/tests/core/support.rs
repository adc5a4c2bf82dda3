//! A machine for tests, and a log.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use corun_core::{Executor, HeapStack, JoinHandle, Machine};

/// A machine whose time passes only while it waits: the next moment is the next deadline.
#[derive(Clone, Default)]
pub struct Still {
    now: Rc<Cell<Duration>>,
}

impl Still {
    pub fn advance(&self, by: Duration) {
        self.now.set(self.now.get() + by);
    }
}

impl Machine for Still {
    fn now(&self) -> Duration {
        self.now.get()
    }

    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
        if !woken() {
            let deadline = deadline.expect("nothing interrupts this machine");
            self.now.set(self.now.get().max(deadline));
        }
    }
}

pub fn executor() -> Executor {
    Executor::new(Still::default())
}

/// A stack that unoptimised code, panics included, does not fill.
pub fn stack() -> HeapStack {
    // SAFETY: it is large enough for these tests.
    unsafe { HeapStack::new(256 * 1024) }.expect("the host has memory")
}

pub fn spawn<T: 'static>(executor: &Executor, f: impl FnOnce() -> T + 'static) -> JoinHandle<T> {
    executor.spawn(stack(), f)
}

pub const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What happened, in order.
#[derive(Clone, Default)]
pub struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub fn add(&self, entry: impl Into<String>) {
        self.0.borrow_mut().push(entry.into());
    }

    #[track_caller]
    pub fn assert(&self, expected: &[&str]) {
        assert_eq!(*self.0.borrow(), expected);
    }
}

/// Counts how often it was dropped.
#[derive(Clone, Default)]
pub struct Drops(Rc<Cell<usize>>);

impl Drops {
    pub fn count(&self) -> usize {
        self.0.get()
    }

    pub fn probe(&self) -> Probe {
        Probe(self.clone())
    }
}

pub struct Probe(Drops);

impl Drop for Probe {
    fn drop(&mut self) {
        self.0.0.set(self.0.0.get() + 1);
    }
}

/// The message of a panic.
#[track_caller]
pub fn panic_of<T: std::fmt::Debug>(f: impl FnOnce() -> T) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f))
        .expect_err("this should have panicked");
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => (*other
            .downcast::<&str>()
            .expect("panics come with a message"))
        .to_string(),
    }
}
