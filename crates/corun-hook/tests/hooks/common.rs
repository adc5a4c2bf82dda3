//! Runtimes in which a call that blocks its worker is found out.

use std::io;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

pub use crate::both::{connection, let_others_wait};

/// How long anything here may take: so long that it is over only if it never is.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs `body` in a coroutine of a runtime with one worker, with the hooks installed. Fails if it does not end.
///
/// What `body` starts shares that worker: if one of two that need each other blocks it, neither goes on.
#[track_caller]
pub fn on_one_worker<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    on_workers(1, body)
}

/// As `on_one_worker`, with more of them.
#[track_caller]
pub fn on_workers<T: Send + 'static>(
    workers: usize,
    body: impl FnOnce() -> T + Send + 'static,
) -> T {
    // In a box, so that the rest is compiled for each type of a result rather than for each body.
    on_workers_boxed(workers, Box::new(body))
}

fn on_workers_boxed<T: Send + 'static>(workers: usize, body: Box<dyn FnOnce() -> T + Send>) -> T {
    // SAFETY: nothing in these tests relies on a thread that blocks.
    unsafe { corun_hook::install() };
    let (tell, told) = mpsc::channel();
    let runner = thread::spawn(move || {
        let runtime = corun::Runtime::builder().workers(workers).build().unwrap();
        let result = runtime.block_on(body);
        tell.send(()).unwrap();
        result
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = told.recv_timeout(LIMIT) {
        panic!("a call has blocked the worker: no end after {LIMIT:?}");
    }
    match runner.join() {
        Ok(result) => result,
        Err(payload) => std::panic::resume_unwind(payload),
    }
}

/// The result of a call of the C library.
pub fn check(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

pub fn errno() -> i32 {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

pub fn set_errno(value: i32) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value };
}

/// Runs something, and checks that it took at least so long.
#[track_caller]
pub fn takes_at_least<T>(time: Duration, body: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = body();
    assert!(
        start.elapsed() >= time,
        "returned after {:?}",
        start.elapsed()
    );
    result
}
