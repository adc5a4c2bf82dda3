//! The real files, in the places where they find each other; and stand-ins for what lies around them.

#[path = "../../../src/scheduler/inbox.rs"]
pub mod inbox;
#[path = "../../../src/scheduler/lock.rs"]
pub mod lock;
#[path = "../../../src/scheduler/migrant.rs"]
pub mod migrant;
#[path = "../../../src/scheduler/next_place.rs"]
pub mod next_place;
#[path = "../../../src/scheduler/roll.rs"]
pub mod roll;
#[path = "../../../src/scheduler/signal.rs"]
pub mod signal;
#[path = "../../../src/scheduler/sleepers.rs"]
pub mod sleepers;
#[path = "../../../src/scheduler/spawn_list.rs"]
pub mod spawn_list;

pub mod worker;
pub mod shared {
    pub use super::worker::{Seat, Shared};
}

pub use crate::reactor::stand_ins::with_reactor;

/// Who waits does so at once.
pub mod linger {
    pub fn as_thread(_: impl Fn() -> bool) {}
}

/// Turns do not matter here.
pub fn safepoint() {}

/// Nor do slices.
pub fn may_go_on(_: &std::task::Waker) -> bool {
    true
}

/// There is nobody else to give way to.
pub fn give_way() -> bool {
    false
}

/// The models of channels run on plain threads.
pub fn in_coroutine() -> bool {
    false
}

/// As soon as possible, for the sake of short models.
pub const BIAS_AFTER: u32 = 1;

crate::checker::thread_local! {
    static ADDRESS: std::cell::Cell<usize> = std::cell::Cell::new(0);
}

/// Makes the thread count as the worker with this address while `body` runs.
pub fn as_worker(address: usize, body: impl FnOnce()) {
    ADDRESS.with(|cell| cell.set(address));
    body();
    ADDRESS.with(|cell| cell.set(0));
}

pub fn worker_address() -> usize {
    ADDRESS.with(std::cell::Cell::get)
}

/// Stacks are not far away here.
pub fn prefetch_frames() {}

/// The allocator that tasks come from.
pub mod blocks {
    use std::alloc::{self, Layout};
    use std::ptr::{self, NonNull};

    pub struct Kind {
        layout: Layout,
        drop: unsafe fn(*mut u8),
    }

    impl Kind {
        pub const fn of<T>() -> Kind {
            unsafe fn drop<T>(value: *mut u8) {
                // SAFETY: as `free` says.
                unsafe { ptr::drop_in_place(value.cast::<T>()) }
            }
            Kind {
                layout: Layout::new::<T>(),
                drop: drop::<T>,
            }
        }
    }

    pub fn allocate(kind: &Kind) -> NonNull<u8> {
        // SAFETY: no task is of size zero.
        NonNull::new(unsafe { alloc::alloc(kind.layout) }).expect("memory")
    }

    /// # Safety
    /// As for the real one. The value is dropped here, for its atomics to tell loom that they are gone.
    pub unsafe fn free(block: NonNull<u8>, kind: &Kind) {
        // SAFETY: made by `allocate`, and of this kind.
        unsafe {
            (kind.drop)(block.as_ptr());
            alloc::dealloc(block.as_ptr(), kind.layout);
        }
    }
}

/// Where async tasks stand in line.
pub mod guests {
    use super::worker::Shared;
    use crate::coroutine::task::TaskRef;
    use crate::primitive::atomic::Ordering;

    pub fn ready(task: TaskRef, _: bool) {
        // SAFETY: the model keeps it.
        let home: &Shared = unsafe { &*task.guest().home.load(Ordering::Relaxed) };
        home.line_up(task);
    }

    pub fn ready_again(task: TaskRef) {
        ready(task, false);
    }

    pub fn ended(_: TaskRef) {}

    pub fn roll_here(task: TaskRef) -> *const super::roll::Roll {
        // SAFETY: as above.
        unsafe { &raw const (*task.guest().home.load(Ordering::Relaxed)).roll }
    }
}

pub mod stacks {
    pub struct Pooled;
}

mod lists;
mod migration;
mod next;
mod pause;
mod sleep;
mod wake;
