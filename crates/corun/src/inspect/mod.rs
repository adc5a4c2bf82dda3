//! Looking at what lives in a runtime, and at what happens there.
//!
//! - [`Metrics`], from [`Handle::metrics`](crate::runtime::Handle::metrics): counts.
//! - [`Dump`], from [`Handle::dump`](crate::runtime::Handle::dump): the coroutines, and where each one waits.
//! - Feature `events`: an `Observer`, put in place by `observe`, is told of each step that tasks, futures, timers, descriptors and messages take.

mod dump;
#[cfg(feature = "events")]
mod events;
mod metrics;
pub(crate) mod points;
pub(crate) mod resident;
pub(crate) mod unwind;

pub use dump::{Dump, Entry};
#[cfg(feature = "events")]
pub use events::{Event, Observer, observe, stop_observing};
pub use metrics::Metrics;

pub use crate::blocking::BlockingMetrics;
