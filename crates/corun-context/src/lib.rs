#![cfg_attr(feature = "std", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "std"),
    doc = "Stackful coroutines without a runtime and without std."
)]
#![no_std]
#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(feature = "std")]
extern crate std;

mod arch;
mod coroutine;
mod generator;
pub mod raw;
pub mod stack;

#[cfg(feature = "alloc")]
pub use coroutine::SharedStack;
pub use coroutine::{Coroutine, ResumeError, Resumed, Status, Suspender};
#[cfg(feature = "std")]
pub use coroutine::{CoroutineId, ForcedUnwind, running};
pub use generator::Generator;
