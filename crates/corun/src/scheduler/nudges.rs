//! Coroutines that a worker is asked to look at: see `cancel/nudge.rs`.
//!
//! They hang on the worker's seat, which lives for ever, and so can be found from a coroutine's block alone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, Weak};

use super::{Scheduler, lock_mutex};
use crate::coroutine::Coroutine;

pub(crate) struct Nudges {
    posted: AtomicBool,
    list: Mutex<List>,
}

struct List {
    coroutines: Vec<Coroutine>,
    /// Who has the seat now.
    scheduler: Weak<Scheduler>,
    index: u32,
}

impl Nudges {
    pub(super) const fn new() -> Nudges {
        Nudges {
            posted: AtomicBool::new(false),
            list: Mutex::new(List {
                coroutines: Vec::new(),
                scheduler: Weak::new(),
                index: 0,
            }),
        }
    }

    /// Has from now on this worker told.
    pub(super) fn begin(&self, scheduler: Weak<Scheduler>, index: u32) {
        let mut list = lock_mutex(&self.list);
        (list.scheduler, list.index) = (scheduler, index);
    }

    /// The worker is gone.
    pub(super) fn end(&self) {
        self.begin(Weak::new(), 0);
        drop(self.take());
    }

    /// Asks the worker to look at a coroutine of its.
    pub(crate) fn post(&self, coroutine: Coroutine) {
        let (scheduler, index) = {
            let mut list = lock_mutex(&self.list);
            // Without a scheduler all coroutines have ended.
            let Some(scheduler) = list.scheduler.upgrade() else {
                return;
            };
            list.coroutines.push(coroutine);
            // SeqCst: as with the inbox, a worker that goes to sleep looks here after it has said so.
            self.posted.store(true, Ordering::SeqCst);
            (scheduler, list.index)
        };
        if let Some(worker) = scheduler.worker(index as usize) {
            scheduler.wake(worker);
        }
    }

    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        !self.posted.load(Ordering::SeqCst)
    }

    /// Those that were posted since the last time.
    #[cold]
    pub(super) fn take(&self) -> Vec<Coroutine> {
        let mut list = lock_mutex(&self.list);
        self.posted.store(false, Ordering::SeqCst);
        std::mem::take(&mut list.coroutines)
    }
}
