//! Memory for stacks.
//!
//! - `StackPool` hands out `SlabStack`s: slots of large regions, pooled per thread. This is what a scheduler uses.
//! - `DefaultStack` is what a coroutine gets if nothing else is said.
//! - `OsStack` is a stack in a mapping of its own, [`UnguardedStack`] one on memory of the caller's.
//! - `overflow` reports what met a guard.
//! - [`Stack`] is what the rest of this crate asks of a stack; implement it for memory of your own.

#[cfg(all(feature = "std", unix))]
mod default;
#[cfg(feature = "std")]
mod error;
#[cfg(all(feature = "std", unix))]
mod lock;
#[cfg(all(feature = "std", unix))]
mod os;
#[cfg(all(feature = "std", unix))]
pub mod overflow;
#[cfg(all(feature = "std", unix))]
mod pool;
#[cfg(all(feature = "std", unix))]
mod region;
#[cfg(all(feature = "std", unix))]
mod slab;
#[cfg(all(feature = "std", unix))]
mod sys;
mod unguarded;
#[cfg(all(feature = "std", windows))]
mod windows;
#[cfg(all(feature = "std", windows))]
mod windows_pool;

#[cfg(feature = "std")]
pub use error::StackError;
pub use unguarded::UnguardedStack;
#[cfg(all(feature = "std", unix))]
pub use {default::DefaultStack, os::OsStack, pool::StackPool, slab::SlabStack};
#[cfg(all(feature = "std", windows))]
pub use {
    windows::{DefaultStack, OsStack},
    windows_pool::{SlabStack, StackPool},
};

/// The usable bytes of a stack by default: 184 KiB in an optimised build, 1 MiB in one with `debug_assertions`.
///
/// Memory is taken page by page, as it is touched: 4 KiB at first, whatever the size. What the size does cost is page tables, 2 bytes for each
/// KiB of a slot: 184 KiB, with 64 KiB of guard and a page for staggering, take 504 bytes. Unoptimised code needs three to ten times
/// the stack that it takes optimised (JSON nested 127 deep 302 KiB instead of 89, a TLS handshake 50 instead of 17), and does not run a million
/// coroutines.
pub const DEFAULT_SIZE: usize = if cfg!(debug_assertions) {
    1024 * 1024
} else {
    184 * 1024
};

/// The smallest stack that can be asked for, in usable bytes.
pub const MIN_SIZE: usize = 16 * 1024;

/// The largest stack that can be asked for, in usable bytes.
#[cfg(target_pointer_width = "64")]
pub const MAX_SIZE: usize = 1 << 40;
/// The largest stack that can be asked for, in usable bytes.
#[cfg(not(target_pointer_width = "64"))]
pub const MAX_SIZE: usize = 1 << 28;

/// At least so much below each guarded stack faults, so that C frames that skip over some of it meet it too.
#[cfg(feature = "std")]
const GUARD: usize = 64 * 1024;

/// Whether each guard takes a mapping of its own, because the system has no other guards; Linux does from version 6.13 on.
///
/// If so, Linux allows no more than some 32,000 stacks at its default `vm.max_map_count` of 65,530; else as many as memory holds.
#[cfg(all(feature = "std", unix))]
pub fn guards_take_mappings() -> bool {
    sys::guard_mode() == sys::GuardMode::Protect
}

/// Memory that a flow of control can run on. Stacks grow downwards, from [`top`](Stack::top) to [`limit`](Stack::limit).
///
/// # Safety
/// The bytes between `limit` and `top` must be readable, writable, and used by nobody else, until the value is dropped; `top`
/// must be aligned to 16 bytes; both must be the same at each call, also after the value was moved.
pub unsafe trait Stack {
    /// The address just above the stack, aligned to 16 bytes.
    fn top(&self) -> *mut u8;

    /// The lowest address that may be used.
    fn limit(&self) -> *mut u8;
}
