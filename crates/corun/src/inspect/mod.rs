//! Looking at what lives in a runtime, and at what happens there.
//!
//! - Feature `events`: an `Observer`, put in place by `observe`, is told of each step that tasks, futures, timers, descriptors and messages take.

#[cfg(feature = "events")]
mod events;
pub(crate) mod points;
pub(crate) mod unwind;

#[cfg(feature = "events")]
pub use events::{Event, Observer, observe, stop_observing};
