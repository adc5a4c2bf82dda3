//! Locks and what goes with them, in the shape of [`std::sync`].

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
mod waiters;

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
