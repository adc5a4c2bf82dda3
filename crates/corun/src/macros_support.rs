//! What the attributes of corun-macros, and the macros of this crate, expand to calls of; and what corun-capi needs. Not public API.

use std::panic::resume_unwind;
use std::process::{ExitCode, Termination};
use std::ptr;

use crate::coroutine::task::TaskRef;
use crate::platform::fork;
use crate::runtime::config::Request;
use crate::runtime::{self, Handle, Runtime};
use crate::scheduler;
use crate::scheduler::worker::Worker;
use crate::{Builder, JoinHandle};

pub use crate::cancel::levels::is_cancellation;
pub use corun_macros::select;

/// Was the coroutine as a whole cancelled?
pub fn is_cancelled(coroutine: &crate::Coroutine) -> bool {
    coroutine.task().is_cancelled()
}

/// Gives way if the running coroutine has used up its slice. What was cancelled is not told.
#[inline]
pub fn safepoint() {
    scheduler::safepoint();
}

/// A word that the C interface keeps with the running coroutine; null if none was set, or none runs. Never inlined: the coroutine may be one that changes
/// threads, and must not keep where this one has its worker.
#[inline(never)]
pub fn foreign() -> *const () {
    let running = Worker::current().and_then(Worker::running);
    let meta = running.as_ref().and_then(|task| task.meta_ref().ok());
    meta.map_or(ptr::null(), |meta| meta.foreign.get())
}

/// Sets it, if the running coroutine was made by a [`Builder`].
#[inline(never)]
pub fn set_foreign(word: *const ()) {
    let running = Worker::current().and_then(Worker::running);
    if let Some(Ok(meta)) = running.as_ref().map(TaskRef::meta_ref) {
        meta.foreign.set(word);
    }
}

/// Takes no more coroutines, and cancels those that there are, when the host next drives them. Returns whether any are left.
pub fn wind_up(runtime: &crate::runtime::LocalRuntime) -> bool {
    runtime.wind_up()
}

/// What an attribute was told.
pub struct Config {
    pub workers: Option<usize>,
    pub stack_size: Option<usize>,
    pub start_paused: bool,
}

/// Runs `f` as the first coroutine of the default runtime, which is made as `config` says. The runtime is never ended: when `main`
/// returns the process exits, whatever still runs.
pub fn main<T: Termination + 'static>(config: Config, f: fn() -> T) -> ExitCode {
    let request = Request {
        workers: config.workers,
        stack_size: config.stack_size,
        ..Request::default()
    };
    match runtime::start_global(request) {
        Ok(handle) => run(handle, "main", f),
        Err(error) => {
            eprintln!("Error: the runtime could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a test in a coroutine of a runtime of its own, named as the test.
pub fn test<T: Termination + 'static>(
    config: Config,
    name: &'static str,
    f: fn() -> T,
) -> ExitCode {
    let mut builder = Runtime::builder().start_paused(config.start_paused);
    if let Some(count) = config.workers {
        builder = builder.workers(count);
    }
    if let Some(bytes) = config.stack_size {
        builder = builder.stack_size(bytes);
    }
    let runtime = builder
        .build()
        .unwrap_or_else(|error| panic!("failed to start a runtime for the test: {error}"));
    // The runtime is dropped and not shut down: a coroutine that the test leaves behind must not make it hang.
    run(runtime.handle(), name, f)
}

/// As [`test`], for tests that return `()`: `#[should_panic]` insists on that.
pub fn test_unit(config: Config, name: &'static str, f: fn()) {
    test(config, name, f);
}

/// The value is turned into an exit code in the coroutine, so that it need not be `Send` (`Box<dyn Error>` is not).
fn run<T: Termination + 'static>(handle: &Handle, name: &str, f: fn() -> T) -> ExitCode {
    let generation = fork::generation();
    let body = move || {
        let code = f().report();
        if fork::generation() != generation {
            exit(code);
        }
        code
    };
    // The panic was reported where it happened; from here it goes on as one of this thread.
    let spawned = Builder::new().name(name.into()).spawn_on(handle, body);
    let spawned = spawned
        .unwrap_or_else(|error| panic!("failed to start the coroutine of `{name}`: {error}"));
    JoinHandle::join(spawned).unwrap_or_else(|payload| resume_unwind(payload))
}

/// The value of an expression of `join!`, `try_join!` or `race!`.
pub fn part<T>(part: Option<T>) -> T {
    part.unwrap_or_else(|| unreachable!("whoever ends without a value unwinds its group"))
}

/// Keeps the value of an expression of `try_join!`.
pub fn keep<T, E>(part: &mut Option<T>, result: Result<T, E>) -> Result<(), E> {
    *part = Some(result?);
    Ok(())
}

/// In the child of a fork, where the thread that waits for the coroutine does not exist.
fn exit(code: ExitCode) -> ! {
    let same = |number: &u8| ExitCode::from(*number) == code;
    std::process::exit((0..=u8::MAX).find(same).map_or(1, i32::from))
}
