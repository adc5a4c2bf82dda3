//! Runtimes in which a call that blocks its worker is found out.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// How long anything here may take: so long that it is over only if it never is.
const LIMIT: Duration = Duration::from_secs(30);

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
