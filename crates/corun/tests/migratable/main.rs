//! Migratable coroutines: they go on wherever a worker is free, and everything of corun works in them. One program, since each is linked four times in CI.
//!
//! The tests of locks, sockets and timers run in them as well: see `Place::Migratable` in `tests/common`.

mod crowd;
mod ends;
mod kinds;
mod moves;
mod states;
mod stress;
mod works;

use std::sync::Arc;
use std::thread::{self, ThreadId};

use corun::{JoinHandle, Runtime, State};

/// Spawns a migratable coroutine. All bodies here keep nothing of their thread across a suspension: what they ask of it they ask by `thread_id`.
#[track_caller]
fn spawn<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // In a box, so that this is compiled for each type of a result rather than for each body.
    let body: Box<dyn FnOnce() -> T + Send> = Box::new(body);
    // SAFETY: as above.
    unsafe { corun::spawn_migratable(body) }
}

/// Not inlined, as the thread's handle is in a thread local, whose address must not be kept across a suspension.
#[inline(never)]
fn thread_id() -> ThreadId {
    thread::current().id()
}

fn runtime(workers: usize) -> Runtime {
    Runtime::builder().workers(workers).build().unwrap()
}

/// Runs the body in a migratable coroutine on runtimes with 1, 2 and 8 workers.
fn everywhere(body: impl Fn() + Send + Sync + Copy + 'static) {
    everywhere_boxed(Arc::new(body));
}

fn everywhere_boxed(body: Arc<dyn Fn() + Send + Sync>) {
    for workers in [1, 2, 8] {
        let body = Arc::clone(&body);
        runtime(workers).block_on(move || spawn(move || body()).join().unwrap());
    }
}

/// Gives way until the coroutine waits for something.
#[track_caller]
fn until_waiting<T>(handle: &JoinHandle<T>) {
    loop {
        match handle.coroutine().state() {
            State::Suspended => return,
            State::Ready | State::Running => corun::yield_now(),
            ended => panic!("the coroutine was to wait, but is {ended:?}"),
        }
    }
}
