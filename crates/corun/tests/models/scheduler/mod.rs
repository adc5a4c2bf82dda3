//! The real files, in the places where they find each other; and stand-ins for what lies around them.

#[path = "../../../src/scheduler/inbox.rs"]
pub mod inbox;
#[path = "../../../src/scheduler/lock.rs"]
pub mod lock;
#[path = "../../../src/scheduler/signal.rs"]
pub mod signal;
#[path = "../../../src/scheduler/sleepers.rs"]
pub mod sleepers;
#[path = "../../../src/scheduler/spawn_list.rs"]
pub mod spawn_list;

pub mod worker;
pub mod shared {
    pub use super::worker::Shared;
}

pub use crate::reactor::stand_ins::with_reactor;

/// Turns do not matter here.
pub fn safepoint() {}

/// Stacks are not far away here.
pub fn prefetch_frames() {}

/// The allocator that tasks come from.
pub mod blocks {
    use std::alloc::{self, Layout};
    use std::ptr::NonNull;

    pub fn allocate<T>() -> NonNull<T> {
        // SAFETY: no task is of size zero.
        let block = unsafe { alloc::alloc(Layout::new::<T>()) };
        NonNull::new(block).expect("memory").cast()
    }

    /// # Safety
    /// As for the real one. The value is dropped here, for its atomics to tell loom that they are gone.
    pub unsafe fn free<T>(block: NonNull<T>) {
        // SAFETY: made by `allocate`.
        unsafe {
            block.drop_in_place();
            alloc::dealloc(block.as_ptr().cast(), Layout::new::<T>());
        }
    }
}

pub mod stacks {
    pub struct Pooled;
}

mod lists;
mod pause;
mod sleep;
mod wake;
