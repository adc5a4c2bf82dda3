//! Locks and what is like them. One program, since each is linked four times in CI.

#[path = "../common/mod.rs"]
mod common;

mod async_tasks;
mod barrier;
mod condvar;
mod lazy_lock;
mod mutex;
mod mutex_home;
mod notify;
mod once;
mod once_lock;
mod paused_clock;
mod rate_limiter;
mod rwlock;
mod semaphore;
mod single_flight;
mod timeout;
mod wait_group;
