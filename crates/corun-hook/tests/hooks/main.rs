//! What the hooks do. Nearly everything runs on one worker, so that a call which blocks it keeps those from running that it waits for.

#[path = "../both/mod.rs"]
mod both;
mod common;
mod files;
mod identity;
mod locks;
mod names;
mod parking;
mod pipes;
mod polling;
mod processes;
mod pthreads;
mod sleeping;
mod socket_calls;
mod socket_modes;
mod sockets;
