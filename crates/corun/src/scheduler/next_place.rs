//! The place of the async task that a worker polls next: nearly free for the worker, and yet open to thieves.
//!
//! The worker puts a task there at each wake-up and takes it at each turn, and thieves come once in a blue moon. So the worker excludes them by plain
//! stores, with a light fence in between, and who steals pays with a heavy one (`platform/fences.rs`):
//! ```text
//!   worker                                    thief
//!   at_work := true                           stealing := true, unless another thief is here
//!   light fence                               heavy fence
//!   stealing? then stand back, and wait       wait until the worker is not at work
//!   change the place                          change the place
//!   at_work := false                          stealing := false
//! ```
//! Either the worker sees the thief or the thief sees the worker, and both work on the place for a few instructions only.
//!
//! Rejected: an exchange for each change, with which a message between two tasks costs two locked instructions more (a tenth of its time).
//!
//! Checked with every interleaving by `tests/models/scheduler/next_place.rs`, which includes this file.

use std::ptr::{self, NonNull};

use crate::coroutine::task::{Header, TaskRef};
use crate::platform::fences;
use crate::primitive::atomic::{AtomicBool, AtomicPtr, Ordering};
use crate::primitive::{hint, thread};

pub(crate) struct NextPlace {
    task: AtomicPtr<Header>,
    at_work: AtomicBool,
    stealing: AtomicBool,
}

impl NextPlace {
    pub(crate) fn new() -> NextPlace {
        NextPlace {
            task: AtomicPtr::new(ptr::null_mut()),
            at_work: AtomicBool::new(false),
            stealing: AtomicBool::new(false),
        }
    }

    /// A hint, to all but the worker.
    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.task.load(Ordering::Relaxed).is_null()
    }

    /// For the worker: puts a task there, and returns the one that stood there.
    #[inline(always)]
    pub(crate) fn put(&self, task: TaskRef) -> Option<TaskRef> {
        self.exchange(task.0.as_ptr())
    }

    /// For the worker.
    #[inline(always)]
    pub(crate) fn take(&self) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        self.exchange(ptr::null_mut())
    }

    #[inline(always)]
    fn exchange(&self, next: *mut Header) -> Option<TaskRef> {
        self.at_work.store(true, Ordering::Relaxed);
        fences::light();
        if self.stealing.load(Ordering::Acquire) {
            self.stand_back();
        }
        let before = self.task.load(Ordering::Relaxed);
        self.task.store(next, Ordering::Relaxed);
        // Release pairs with the thief's look at it: the task goes over as this worker has left it.
        self.at_work.store(false, Ordering::Release);
        NonNull::new(before).map(TaskRef)
    }

    #[cold]
    #[inline(never)]
    fn stand_back(&self) {
        loop {
            self.at_work.store(false, Ordering::Release);
            wait_while(&self.stealing);
            self.at_work.store(true, Ordering::Relaxed);
            fences::light();
            if !self.stealing.load(Ordering::Acquire) {
                return;
            }
        }
    }

    /// For others.
    pub(crate) fn steal(&self) -> Option<TaskRef> {
        if self.is_empty() || self.stealing.swap(true, Ordering::Acquire) {
            return None;
        }
        fences::heavy();
        wait_while(&self.at_work);
        let stolen = self.task.load(Ordering::Relaxed);
        self.task.store(ptr::null_mut(), Ordering::Relaxed);
        // Release pairs with the worker's look at it: it finds the place empty.
        self.stealing.store(false, Ordering::Release);
        NonNull::new(stolen).map(TaskRef)
    }
}

fn wait_while(flag: &AtomicBool) {
    let mut spins = 0;
    while flag.load(Ordering::Acquire) {
        spins += 1;
        if spins < 64 {
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}
