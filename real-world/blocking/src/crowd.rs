//! The same work on many OS threads and in many coroutines.

use std::fmt::Debug;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use real_world::raise_descriptor_limit;

/// How many OS threads carry the coroutines.
pub const WORKERS: usize = 2;

/// Databases, TLS and the formatting of numbers without optimisation like deep stacks. Only what is touched costs memory.
const STACK: usize = 1 << 20;

/// What a crowd returned, in the order of its members, and how long it took them.
#[derive(Debug)]
pub struct Crowd<T> {
    /// The result of each.
    pub results: Vec<T>,
    /// From the start of the first to the end of the last.
    pub took: Duration,
}

/// How long the two crowds took that [`both`] compared.
#[derive(Clone, Copy, Debug)]
pub struct Took {
    /// On OS threads.
    pub threads: Duration,
    /// In coroutines.
    pub coroutines: Duration,
}

/// Keeps the other tests of the program from running: 1,000 of anything at a time are enough, and times are measured.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    raise_descriptor_limit();
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `ask(0)`, `ask(1)`, ... on OS threads.
///
/// # Panics
/// With the panic of a member; if a thread cannot be started.
pub fn threads<T, F>(count: usize, ask: F) -> Crowd<T>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    let ask = Arc::new(ask);
    let began = Instant::now();
    let members: Vec<_> = (0..count)
        .map(|number| {
            let ask = Arc::clone(&ask);
            let member = thread::Builder::new().stack_size(STACK);
            member.spawn(move || ask(number)).expect("a thread")
        })
        .collect();
    let results = members.into_iter().map(|member| {
        member
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let results = results.collect();
    Crowd {
        results,
        took: began.elapsed(),
    }
}

/// Runs `ask(0)`, `ask(1)`, ... in coroutines on [`WORKERS`] workers, whose blocking calls suspend them.
///
/// # Panics
/// With the panic of a member; if the runtime cannot be started.
pub fn coroutines<T, F>(count: usize, ask: F) -> Crowd<T>
where
    T: Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    // SAFETY: what runs in coroutines here is the software under test, and whether it can is the question.
    unsafe { corun_hook::install() };
    let runtime = corun::Runtime::builder()
        .workers(WORKERS)
        .stack_size(STACK)
        .build()
        .expect("a runtime");
    let ask = Arc::new(ask);
    let began = Instant::now();
    let members: Vec<_> = (0..count)
        .map(|number| {
            let ask = Arc::clone(&ask);
            runtime.spawn(move || ask(number))
        })
        .collect();
    let results = members.into_iter().map(|member| {
        member
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    let results = results.collect();
    Crowd {
        results,
        took: began.elapsed(),
    }
}

/// Runs both kinds of crowd and compares what they return. The coroutines have to be done within `limit`, which has to be far below what
/// the waits of all members add up to, or in four times what the threads take.
///
/// # Panics
/// If a member panics, if the results differ, and if the coroutines took longer.
pub fn both<T, F>(name: &str, count: usize, limit: Duration, ask: F) -> Took
where
    T: Debug + PartialEq + Send + 'static,
    F: Fn(usize) -> T + Clone + Send + Sync + 'static,
{
    both_of(name, count, limit, || ask.clone())
}

/// As [`both`], with a closure made anew for each crowd: for what must not be shared by them, such as a pool of connections.
///
/// # Panics
/// As [`both`].
pub fn both_of<T, F>(name: &str, count: usize, limit: Duration, make: impl Fn() -> F) -> Took
where
    T: Debug + PartialEq + Send + 'static,
    F: Fn(usize) -> T + Send + Sync + 'static,
{
    let on_threads = threads(count, make());
    let in_coroutines = coroutines(count, make());
    // Not by `eprintln`, whose output the test harness keeps from view while all is well.
    let said = writeln!(
        io::stderr(),
        "{name}: {count} on as many threads in {:.0?}, in coroutines on {WORKERS} workers in {:.0?}",
        on_threads.took,
        in_coroutines.took
    );
    said.expect("standard error");
    for (number, pair) in on_threads
        .results
        .iter()
        .zip(&in_coroutines.results)
        .enumerate()
    {
        assert_eq!(
            pair.0, pair.1,
            "{name}: number {number}, on a thread and in a coroutine"
        );
    }
    assert_eq!(in_coroutines.results.len(), count);
    // On a machine that is busy with other things, threads are late too.
    let limit = limit.max(4 * on_threads.took);
    assert!(
        in_coroutines.took < limit,
        "{name}: {count} coroutines took {:?}, and may take {limit:?}",
        in_coroutines.took
    );
    Took {
        threads: on_threads.took,
        coroutines: in_coroutines.took,
    }
}

/// Gives each member thread-locals of its own, for software that takes its thread for itself.
pub fn as_thread<T, F>(ask: F) -> impl Fn(usize) -> T + Clone
where
    F: Fn(usize) -> T + Clone,
{
    // SAFETY: no test passes references to thread-locals, or ends its thread.
    move |number| unsafe { corun_hook::as_thread(|| ask(number)) }
}
