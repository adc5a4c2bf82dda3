//! The real files, in the places where they find each other.

#[allow(dead_code, reason = "a model uses a part of it")]
#[path = "../../../src/scheduler/sleepers.rs"]
pub mod sleepers;

/// What waits in a model is a thread.
pub use crate::reactor::stand_ins::with_reactor;
pub mod signal {
    pub use crate::reactor::stand_ins::Signal;
}

mod sleep;
