//! Stackful context switching without std.
#![no_std]
#[cfg(feature = "std")]
extern crate std;

mod arch;
mod coroutine;
mod generator;
pub mod raw;
pub mod stack;

pub use coroutine::{Coroutine, ResumeError, Resumed, Status, Suspender};
#[cfg(feature = "std")]
pub use coroutine::{CoroutineId, ForcedUnwind, running};
pub use generator::Generator;
