//! Locks and what goes with them, in the shape of [`std::sync`]: a program moves by changing `std::sync` to `corun::sync` in its imports.
//!
//! Whoever has to wait here is suspended, if it is a coroutine, and others run on its worker meanwhile; a plain thread is blocked. A coroutine,
//! a thread and an async task may share any of these.
//!
//! ```
//! use corun::sync::{Arc, Condvar, Mutex};
//!
//! // One place, for a message at a time.
//! let place = Arc::new((Mutex::new(None), Condvar::new()));
//! let theirs = Arc::clone(&place);
//! let reader = corun::spawn(move || {
//!     let (message, changed) = &*theirs;
//!     let mut message = changed
//!         .wait_while(message.lock().unwrap(), |message| message.is_none())
//!         .unwrap();
//!     message.take()
//! });
//! *place.0.lock().unwrap() = Some("hello");
//! place.1.notify_one();
//! assert_eq!(reader.join().unwrap(), Some("hello"));
//! ```
//!
//! # What there is, and where it can wait
//! | | coroutine, thread | async task | order of waiters |
//! |---|---|---|---|
//! | [`Mutex`] | `lock` | no: its guard stays on its thread | barging, then a hand-over after 1 ms |
//! | [`RwLock`] | `read`, `write` | no, as above | first come, first served; a waiting writer stops new readers |
//! | [`Condvar`] | `wait...` | no, as above | first come, first served |
//! | [`Barrier`], [`Once`], [`OnceLock`], [`LazyLock`] | all | no | together |
//! | [`Semaphore`] | `acquire...` | `acquire_async` and its kin | first come, first served |
//! | [`Notify`] | `wait` | `notified().await` | first come, first served |
//! | [`WaitGroup`] | `wait` | `group.await` | together |
//! | [`SingleFlight`] | `run` | no | together |
//! | [`RateLimiter`] | `wait` | no: `reserve`, and sleep in the executor's way | first come, first served |
//!
//! An async task may use all of them as it would use std's: for moments, as a wait blocks its thread.
//!
//! # What is different from std
//! - Guards may be held across waits: see [`Mutex`](Mutex#across-suspensions). Initialisers of `Once`, `OnceLock` and `LazyLock` may wait as well.
//! - A wait can be cancelled, by [`timeout`](crate::timeout): it unwinds, takes nothing along that others wait for, and stands in nobody's way.
//!   What is notified or granted at the same moment is kept or passed on.
//! - An initialiser that comes back to what it initialises panics, where std may wait for itself for ever.
//! - Calls that need not wait are safepoints: a coroutine gives way at them when its time slice is over, and always before it locks.
//! - `mpsc` is not here: [`channel`](crate::channel) has channels.
//!
//! Waiting allocates nothing: waiters stand in lists on their own stacks, or in their pinned futures.

mod acquire;
mod barrier;
mod condvar;
mod lazy_lock;
mod mutex;
mod notify;
mod once;
mod once_lock;
mod patience;
mod place;
mod poison;
mod rate_limiter;
mod raw_mutex;
mod raw_rwlock;
mod rwlock;
mod semaphore;
mod single_flight;
mod wait_group;
pub(crate) mod waiters;

pub use acquire::Acquire;
pub use barrier::{Barrier, BarrierWaitResult};
pub use condvar::{Condvar, WaitTimeoutResult};
pub use lazy_lock::LazyLock;
pub use mutex::{Mutex, MutexGuard};
pub use notify::{Notified, Notify};
pub use once::{Once, OnceState};
pub use once_lock::OnceLock;
pub use rate_limiter::{RateLimiter, Reservation};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use semaphore::{
    AcquireError, OwnedSemaphorePermit, Permit, Semaphore, SemaphorePermit, TryAcquireError,
};
pub use single_flight::{Flown, SingleFlight};
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
pub use wait_group::{WaitGroup, WaitGroupFuture};
