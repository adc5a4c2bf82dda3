//! Sockets. One program, since each is linked four times in CI.

#[path = "../common/mod.rs"]
mod common;

mod asynchronous;
mod connect;
mod convert;
mod copy;
mod datagrams;
mod descriptors;
mod echo;
mod endings;
mod pieces;
mod sharing;
mod std_surface;
mod timeouts;
