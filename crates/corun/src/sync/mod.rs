//! Locks and what goes with them, in the shape of [`std::sync`].

mod condvar;
mod mutex;
mod patience;
mod place;
mod poison;
mod raw_mutex;
mod waiters;

pub use condvar::{Condvar, WaitTimeoutResult};
pub use mutex::{Mutex, MutexGuard};
pub use std::sync::{Arc, LockResult, PoisonError, TryLockError, TryLockResult, Weak, atomic};
