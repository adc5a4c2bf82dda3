//! Stackful context switching without std.
#![no_std]
#[cfg(feature = "std")]
extern crate std;

mod arch;
pub mod raw;
pub mod stack;
