//! The real files, in the places where they find each other and what stands in for the rest.

#[path = "../../../src/reactor/entry.rs"]
#[allow(dead_code, reason = "the models use the protocol, not the bookkeeping")]
pub mod entry;
#[path = "../../../src/reactor/herd.rs"]
mod herd;
#[path = "../../../src/reactor/task_turn.rs"]
#[allow(dead_code, reason = "as above")]
pub mod task_turn;
#[path = "../../../src/reactor/turn.rs"]
pub mod turn;
#[path = "../../../src/reactor/wait_list.rs"]
#[allow(dead_code, reason = "as above")]
mod wait_list;

pub mod stand_ins;
mod turns;

pub mod poller {
    pub use super::stand_ins::{Links, Reactor};
}

mod selector {
    pub type RawDescriptor = i32;

    /// Every dispatch of a model is an event of its own.
    pub const ONE_SHOT: bool = false;
}
