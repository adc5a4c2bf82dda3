//! Timers, time limits and clocks. One program, since each is linked four times in CI.

#[path = "../common/mod.rs"]
mod common;

mod interval;
mod paused_clock;
mod paused_local_runtime;
mod timeout_crowd;
mod timeout_nesting;
mod timeout_sockets;
mod timeout_waits;
mod timer;
