//! Sockets. One program, since each is linked four times in CI.

#[path = "../common/mod.rs"]
mod common;

mod asynchronous;
mod connect;
#[cfg(unix)]
mod convert;
mod copy;
mod datagrams;
#[cfg(unix)]
mod descriptors;
mod echo;
mod endings;
mod pieces;
mod sharing;
#[cfg(unix)]
mod std_surface;
mod timeouts;
