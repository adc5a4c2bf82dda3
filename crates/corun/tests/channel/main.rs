//! Channels and select. One program, since each is linked four times in CI.

#[path = "../channels/mod.rs"]
mod channels;
#[path = "../oracle/mod.rs"]
mod oracle;

mod async_tasks;
mod close;
mod crowd;
mod handover;
mod messages;
mod mixed;
mod order;
mod panics;
mod random_programs;
mod select;
mod select_random;
mod select_syntax;
mod timeouts;
