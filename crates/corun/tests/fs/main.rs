//! Files, and the pool of threads behind them. One program, since each is linked several times in CI.
#![cfg(unix)]

#[path = "../bad/mod.rs"]
mod bad;
#[path = "../common/mod.rs"]
mod common;

mod bad_days;
mod dns;
mod locks;
mod pool;
#[cfg(target_os = "linux")]
mod ring;
mod same_as_std;
mod scratch;
mod waits;
