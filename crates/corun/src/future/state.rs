//! The life of an async task, and who may touch it: one word of its block, changed by wakers on any thread.
//!
//! # Protocol
//! ```text
//!                    wake: put in line                        a worker takes it
//!      (waiting) ------------------------> SCHEDULED --------------------------> RUNNING
//!          ^                                   ^                                  |  | wake: RUNNING|SCHEDULED
//!          |          poll gave Pending        |     ... and it was woken         |  |
//!          +-----------------------------------|----------------------------------+  | poll gave Ready, or panicked, or was cancelled
//!                                              +----------------------------------+  v
//!                                                                                 COMPLETE
//! ```
//! - The word also counts references, [`REFERENCE`] each, so that a step and the count change together, in one exchange.
//! - Whoever sets SCHEDULED while the task is waiting puts it in line, exactly once, and gives it a reference that stays with it until the poll is
//!   over: nobody else can run it or free it meanwhile. A task that is woken during its poll is put in line again by the worker that polls it.
//! - A wake-up always writes, even if it finds SCHEDULED: the worker's write that begins the poll then reads from it, and the poll sees what
//!   was done before the wake-up.
//! - CANCELLED has the next poll drop the future instead. It comes with SCHEDULED, and so never waits for a wake-up that may not come.
//! - A waiting task whose last reference goes (the last waker, with no handle left) can never run again. It is put in line as cancelled, so
//!   that its future is dropped on a worker, where a future may be dropped: not under a lock that happens to be held, and for one that is
//!   not `Send` on its own thread.
//!
//! A waker is the address of the block and a reference: to clone it, to wake and to drop it allocate nothing.
//!
//! Checked with every interleaving by `tests/models/future/tasks.rs`, which includes this file.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::coroutine::task::{REFERENCE, TaskRef};
use crate::primitive::atomic::{Ordering, fence};
use crate::scheduler::guests;

/// In line, or about to be; with RUNNING: to be put in line after the poll.
pub(crate) const SCHEDULED: u32 = 1;
/// A worker polls it.
pub(crate) const RUNNING: u32 = 2;
/// Its future is gone and its result stands.
pub(crate) const COMPLETE: u32 = 4;
/// The next poll drops the future.
const CANCELLED: u32 = 8;
/// It stays with the worker that its block names.
pub(crate) const LOCAL: u32 = 16;
const _: () = assert!(LOCAL < REFERENCE);

/// What becomes of a task after a poll that gave Pending.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AfterPoll {
    /// It belongs to its wakers and handles now.
    Waits,
    /// It was woken meanwhile: the caller puts it in line.
    Again,
    /// Nobody is left who could wake it; it still runs.
    Forsaken,
}

impl TaskRef {
    /// The state's bits, at this moment.
    pub(crate) fn guest_flags(self) -> u32 {
        self.header().references.load(Ordering::Acquire) & (REFERENCE - 1)
    }

    /// Takes one step: `step` gives the new word and what to do after.
    #[inline(always)]
    fn step<R>(self, step: impl Fn(u32) -> (u32, R)) -> R {
        let word = &self.header().references;
        let mut seen = word.load(Ordering::Relaxed);
        loop {
            let (next, result) = step(seen);
            match word.compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return result,
                Err(now) => seen = now,
            }
        }
    }

    /// Wakes the task, for a waker that stays.
    #[inline]
    pub(crate) fn wake_by_ref(self) {
        let ready = self.step(|word| match word & (SCHEDULED | RUNNING | COMPLETE) {
            0 => ((word | SCHEDULED) + REFERENCE, Some(word)),
            RUNNING => (word | SCHEDULED, None),
            _ => (word, None),
        });
        if let Some(word) = ready {
            guests::ready(self, word & LOCAL != 0);
        }
    }

    /// Wakes the task, and gives the waker's reference up, or along.
    #[inline]
    fn wake(self) {
        let before = self.step(|word| match word & (SCHEDULED | RUNNING | COMPLETE) {
            0 => (word | SCHEDULED, word),
            RUNNING => ((word | SCHEDULED) - REFERENCE, word),
            _ => (word - REFERENCE, word),
        });
        if before & (SCHEDULED | RUNNING | COMPLETE) == 0 {
            guests::ready(self, before & LOCAL != 0);
        } else if before < 2 * REFERENCE {
            // SAFETY: that was the last reference, and only a task that has ended has no other one.
            unsafe { self.free() };
        }
    }

    /// Has the next poll drop the future. Returns false if the task has ended or was cancelled before.
    pub(super) fn mark_cancelled_guest(self) -> bool {
        let before = self.step(|word| match word & (SCHEDULED | RUNNING | COMPLETE) {
            0 => ((word | SCHEDULED | CANCELLED) + REFERENCE, word),
            SCHEDULED | RUNNING => (word | SCHEDULED | CANCELLED, word),
            _ if word & COMPLETE != 0 => (word, word),
            _ => (word | CANCELLED, word),
        });
        if before & (SCHEDULED | RUNNING | COMPLETE) == 0 {
            guests::ready(self, before & LOCAL != 0);
        }
        before & (COMPLETE | CANCELLED) == 0
    }

    /// Begins a poll. Returns false if the future is to be dropped instead.
    ///
    /// # Safety
    /// The caller has taken the task out of its line.
    #[inline(always)]
    pub(super) unsafe fn begin_poll(self) -> bool {
        // SCHEDULED becomes RUNNING. Acquire pairs with the wake-ups.
        let before = self
            .header()
            .references
            .fetch_add(RUNNING - SCHEDULED, Ordering::AcqRel);
        debug_assert_eq!(before & (SCHEDULED | RUNNING | COMPLETE), SCHEDULED);
        before & CANCELLED == 0
    }

    /// Ends a poll that gave Pending. Unless the task is to be put in line again, its reference is given up.
    #[inline(always)]
    pub(super) fn end_poll(self) -> AfterPoll {
        // Release pairs with the acquire of the next poll's beginning.
        self.step(|word| {
            if word & SCHEDULED != 0 {
                (word & !RUNNING, AfterPoll::Again)
            } else if word < 2 * REFERENCE {
                (word, AfterPoll::Forsaken)
            } else {
                ((word & !RUNNING) - REFERENCE, AfterPoll::Waits)
            }
        })
    }

    /// Ends the last poll, and gives up its reference.
    #[inline(always)]
    pub(super) fn end_last_poll(self) {
        let word = &self.header().references;
        // Nobody else has a reference, so nobody can look.
        if word.load(Ordering::Acquire) < 2 * REFERENCE {
            word.store(REFERENCE | COMPLETE, Ordering::Relaxed);
        } else {
            // RUNNING becomes COMPLETE.
            let before = word.fetch_sub(REFERENCE + RUNNING - COMPLETE, Ordering::Release);
            if before >= 2 * REFERENCE {
                return;
            }
            // Pairs with the releases of the other references.
            fence(Ordering::Acquire);
        }
        // SAFETY: that was the last reference, and the task has ended.
        unsafe { self.free() };
    }

    /// For a task that nobody refers to any more: puts it in line once more, with a reference of its own, if it has not ended. Returns false if it has, and
    /// its block is to be freed.
    pub(super) fn revive_to_drop(self) -> bool {
        // Acquire pairs with the releases of the other references.
        let seen = self.header().references.load(Ordering::Acquire);
        if seen & COMPLETE != 0 && seen < 2 * REFERENCE {
            return false;
        }
        // Whoever found the task in a roll may have taken a reference since the caller's was seen to be the last one, and it may even have ended since.
        let (ended, revived) = self.step(|word| {
            if word >= 2 * REFERENCE {
                (word - REFERENCE, (false, None))
            } else if word & COMPLETE != 0 {
                (word, (true, None))
            } else {
                let local = word & LOCAL;
                let word = REFERENCE | SCHEDULED | CANCELLED | local;
                (word, (false, Some(local != 0)))
            }
        });
        if let Some(local) = revived {
            guests::ready(self, local);
        }
        !ended
    }

    /// Takes a reference for somebody who has none, but knows that the block has not been freed. Returns false if the task has ended, or nobody refers to it
    /// any more.
    pub(crate) fn try_retain(self) -> bool {
        self.step(|word| {
            if word & COMPLETE != 0 || word < REFERENCE {
                (word, false)
            } else {
                (word + REFERENCE, true)
            }
        })
    }

    /// Binds the running task to the calling worker.
    pub(crate) fn make_local(self) {
        // Release pairs with the wakers' acquire: they find the new home.
        self.header().references.fetch_add(LOCAL, Ordering::Release);
    }
}

/// The waker of `task`, without a reference of its own.
///
/// # Safety
/// The task must stay as long as the waker is used.
#[inline(always)]
pub(super) unsafe fn borrowed_waker(task: TaskRef) -> ManuallyDrop<Waker> {
    // SAFETY: the functions keep to the contract of a waker.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw(task)) })
}

fn raw(task: TaskRef) -> RawWaker {
    RawWaker::new(task.0.as_ptr().cast_const().cast(), &WAKER)
}

static WAKER: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: as below.
        let task = unsafe { task(data) };
        task.retain();
        raw(task)
    },
    // SAFETY: as below.
    |data| unsafe { task(data) }.wake(),
    // SAFETY: as below.
    |data| unsafe { task(data) }.wake_by_ref(),
    // SAFETY: as below.
    |data| unsafe { task(data) }.release(),
);

/// # Safety
/// The data of a waker of ours, which has or borrows a reference.
#[inline(always)]
unsafe fn task(data: *const ()) -> TaskRef {
    // SAFETY: it came from `raw`.
    TaskRef(unsafe { NonNull::new_unchecked(data.cast_mut().cast()) })
}
