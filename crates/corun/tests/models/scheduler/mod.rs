//! The real files, in the places where they find each other.

#[path = "../../../src/scheduler/sleepers.rs"]
pub mod sleepers;

mod sleep;
