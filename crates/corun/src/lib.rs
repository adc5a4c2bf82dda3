//! Stackful coroutines in the shape of std: a million blocking-style tasks on a few threads.
//!
//! Write ordinary blocking Rust. [`spawn`] starts a coroutine where [`std::thread::spawn`] starts a thread; whatever would block the thread
//! ([`sleep`], [`JoinHandle::join`], [`park`], the sockets of [`net`]) suspends the coroutine instead, and the worker thread runs others. There is no
//! `async`, no function colour, and nothing to learn: the names and signatures are std's.
//!
//! ```
//! use std::time::Duration;
//!
//! let sleepers: Vec<_> = (0..10_000u64)
//!     .map(|n| {
//!         corun::spawn(move || {
//!             corun::sleep(Duration::from_millis(20));
//!             n
//!         })
//!     })
//!     .collect();
//! let sum: u64 = sleepers.into_iter().map(|sleeper| sleeper.join().unwrap()).sum();
//! assert_eq!(sum, 49_995_000);
//! ```
//!
//! # What is different from threads
//! - Coroutines are cheap: a few dozen nanoseconds to make, about five KiB when parked, a few nanoseconds to switch.
//! - A coroutine that computes for long keeps its worker from others. Call [`checkpoint`] in long loops, or move the work to the thread pool of
//!   [`blocking`].
//! - A suspension may run other coroutines of the same thread. What that means for thread locals and for locks of std is in docs/safety.md.
//! - The environment variables `CORUN_WORKERS` and `CORUN_STACK_SIZE` override the number of workers and the default stack size.
//!
//! # Features
//! None is on by default.
//! - `events`: an observer is told what happens, step by step: see [`inspect`].
//! - `futures-io`: `AsyncRead` and `AsyncWrite` of the crate `futures-io` for the streams of [`net`].
//! - `hickory`: the module `dns::hickory`, which asks name servers itself, by hickory-resolver. Implies `futures-io`.
//! - `hyper`: the module `hyper`, with which hyper 1 serves and asks on corun. Implies `futures-io`.
//! - `tokio`: the module `tokio`, with which coroutines use what needs tokio's reactor (reqwest, tokio-postgres, sqlx, ...). Implies `futures-io`.

#[doc(hidden)]
#[path = "macros_support.rs"]
pub mod __private;
mod blocking;
mod cancel;
pub mod channel;
mod compat;
mod coroutine;
pub mod dns;
pub mod fs;
pub mod future;
mod group;
#[doc(hidden)]
pub mod hooking;
pub mod inspect;
pub mod io;
pub mod net;
mod platform;
mod primitive;
#[cfg(unix)]
pub mod process;
mod reactor;
pub mod runtime;
mod scheduler;
#[cfg(unix)]
pub mod signal;
pub mod sync;
pub mod time;

pub use blocking::{blocking, try_blocking};
pub use cancel::{CancelToken, Cancelled, WaitForCancel, cancel_scope, check_cancelled, shield};
#[cfg(feature = "hyper")]
pub use compat::hyper;
#[cfg(feature = "tokio")]
pub use compat::tokio;
pub use coroutine::{
    AccessError, Builder, Coroutine, CoroutineId, InheritedKey, JoinHandle, LocalKey, Scope,
    ScopedJoinHandle, StartError, State, checkpoint, current, no_suspend, park, park_timeout,
    scope, spawn, spawn_local, spawn_migratable, yield_now,
};
pub use corun_macros::{main, test};
pub use future::{block_on, spawn_async, spawn_async_local};
pub use group::{
    Frame, TaskGroup, map_concurrent, task_group, try_map_concurrent, try_task_group, xasync,
    xawait,
};
pub use runtime::Runtime;
pub use time::{deadline, sleep, sleep_until, timeout, timeout_at};

/// The names of `std::thread`, so that a threaded program moves by changing `std::` to `corun::` in its imports.
pub mod thread {
    pub use crate::coroutine::{
        AccessError, Builder, Coroutine as Thread, CoroutineId as ThreadId, JoinHandle, LocalKey,
        Scope, ScopedJoinHandle, current, park, park_timeout, scope, spawn, yield_now,
    };
    pub use crate::coroutine_local as thread_local;
    pub use crate::time::{sleep, sleep_until};
    pub use std::thread::{Result, available_parallelism, panicking};
}

/// Compiles the programs of the README with the other examples of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
