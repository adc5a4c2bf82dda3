//! Migratable coroutines: they go on wherever a worker is free, and everything of corun works in them.

#[path = "../common/mod.rs"]
mod common;

mod moves;
