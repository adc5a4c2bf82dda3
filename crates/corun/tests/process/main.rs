//! Child processes. One program, since each is linked several times in CI.
#![cfg(unix)]

#[path = "../bad/mod.rs"]
mod bad;
#[path = "../common/mod.rs"]
mod common;

mod bad_days;
mod cancelled;
mod crowds;
mod output;
mod pipes;
mod same_as_std;
mod standard;
