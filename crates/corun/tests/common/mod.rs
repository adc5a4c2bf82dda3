//! Runs one test body from plain threads and from coroutines.
#![allow(dead_code, reason = "each test file uses what it needs")]

use std::time::{Duration, Instant};

/// Where a test body runs; it starts its helpers in the same kind of place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Thread,
    Coroutine,
}

pub enum Task<T> {
    Thread(std::thread::JoinHandle<T>),
    Coroutine(corun::JoinHandle<T>),
}

impl Place {
    pub fn spawn<T: Send + 'static>(self, body: impl FnOnce() -> T + Send + 'static) -> Task<T> {
        match self {
            Place::Thread => Task::Thread(std::thread::spawn(body)),
            Place::Coroutine => Task::Coroutine(corun::spawn(body)),
        }
    }
}

impl<T> Task<T> {
    #[track_caller]
    pub fn join(self) -> T {
        match self {
            Task::Thread(task) => task.join().unwrap(),
            Task::Coroutine(task) => task.join().unwrap(),
        }
    }

    pub fn is_finished(&self) -> bool {
        match self {
            Task::Thread(task) => task.is_finished(),
            Task::Coroutine(task) => task.is_finished(),
        }
    }
}

/// Runs the body on a plain thread, and in a coroutine on runtimes with 1, 2 and 8 workers.
pub fn everywhere(body: impl Fn(Place) + Send + Sync + Copy + 'static) {
    body(Place::Thread);
    for workers in [1, 2, 8] {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        runtime.block_on(move || body(Place::Coroutine));
    }
}

/// Runs something, and checks that it took at least as long as was asked for, and returned at all.
#[track_caller]
pub fn takes_at_least<T>(time: Duration, body: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = body();
    assert!(
        start.elapsed() >= time,
        "returned after {:?}, before {time:?}",
        start.elapsed()
    );
    result
}
