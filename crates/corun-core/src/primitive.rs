//! The atomics that the inbox stands on, under a name that its models can replace by loom's.

pub(crate) use alloc::sync::Arc;
pub(crate) use core::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, Ordering};
