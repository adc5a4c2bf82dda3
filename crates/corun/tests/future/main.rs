//! Promises, timers for async tasks, and groups of coroutines. One program, since each is linked four times in CI.

#[path = "../common/mod.rs"]
mod common;

mod groups;
mod promise;
mod timer;
