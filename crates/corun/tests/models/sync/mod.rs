//! The real files of the locks, and stand-ins for what tells threads apart and how long they wait.

#[path = "../../../src/sync/acquire.rs"]
pub mod acquire;
#[path = "../../../src/sync/condvar.rs"]
pub mod condvar;
#[path = "../../../src/sync/mutex.rs"]
pub mod mutex;
#[path = "../../../src/sync/notify.rs"]
pub mod notify;
#[path = "../../../src/sync/poison.rs"]
pub mod poison;
#[path = "../../../src/sync/raw_mutex.rs"]
pub mod raw_mutex;
#[path = "../../../src/sync/raw_rwlock.rs"]
pub mod raw_rwlock;
#[path = "../../../src/sync/semaphore.rs"]
pub mod semaphore;
#[path = "../../../src/sync/waiters.rs"]
pub mod waiters;

use crate::checker::cell::UnsafeCell;
use mutex::MutexGuard;
use std::sync::PoisonError;

pub mod place {
    use std::cell::Cell;

    use crate::primitive::{Mistake, is_seeded};

    thread_local! {
        static NEXT: Cell<usize> = const { Cell::new(64) };
    }

    // Not an address: that of a thread that has ended may come again, or not, and loom wants the same to happen each time.
    crate::checker::thread_local! {
        static PLACE: usize = NEXT.replace(NEXT.get() + 8);
    }

    pub fn thread() -> usize {
        if is_seeded(Mistake::OnePlace) {
            return 8;
        }
        PLACE.with(|place| *place)
    }
}

pub mod patience {
    use std::cell::Cell;

    /// To look is to switch to the others, which loom does anyway.
    pub fn looks() -> u32 {
        0
    }

    thread_local! {
        static EXHAUSTED: Cell<bool> = const { Cell::new(false) };
    }

    thread_local! {
        static TIMES_TO_SETTLE: Cell<u32> = const { Cell::new(u32::MAX) };
    }

    pub fn times_to_settle() -> u32 {
        TIMES_TO_SETTLE.get()
    }

    /// Runs a model with mutexes that have a home as soon as they are locked.
    pub fn with_homes(run: impl FnOnce()) {
        struct Undo;
        impl Drop for Undo {
            fn drop(&mut self) {
                TIMES_TO_SETTLE.set(u32::MAX);
            }
        }
        TIMES_TO_SETTLE.set(0);
        let _undo = Undo;
        run();
    }

    /// From now on, waiters have waited for long or not. (Loom runs all threads of a model on one.)
    pub fn set_exhausted(exhausted: bool) {
        EXHAUSTED.set(exhausted);
    }

    pub struct Patience;

    impl Patience {
        pub fn new() -> Patience {
            Patience
        }

        pub fn is_exhausted(&self) -> bool {
            EXHAUSTED.get()
        }
    }
}

/// What a lock guards; loom finds uses at the same time.
#[derive(Default)]
pub struct Data(UnsafeCell<u32>);

// SAFETY: whether it is used by one at a time is what loom finds out.
unsafe impl Sync for Data {}

impl Data {
    pub fn add(&self) {
        // SAFETY: loom checks that nobody else has access.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }

    pub fn get(&self) -> u32 {
        // SAFETY: loom checks that nobody writes.
        self.0.with(|value| unsafe { *value })
    }
}

mod conditions;
mod exclusion;
mod permits;
mod readers;
