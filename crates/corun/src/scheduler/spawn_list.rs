//! Lists of coroutines that have not started: one for each worker, and one for spawns from outside.
//!
//! An unstarted coroutine is a closure on the heap. It can run anywhere, so this is what workers steal from each other. An async task that is
//! ready stands in these lists in the same way, again and again.
//!
//! # Invariants
//! - The list is doubly linked through the tasks, under a spin lock, first in, first out. There is no length beyond which
//!   work falls to a slower place, and no allocation.
//! - `Header::place` names the list that a task is in. It is written under that list's lock, so whoever holds the lock and reads
//!   the list's own number knows that the task is linked here. This lets a join take its child out of the
//!   middle of the joiner's own list and run it at once. The child may stand in a list of another runtime, so the
//!   numbers of the workers' lists are unique in the process; the injection lists share 0, as nothing is taken out of their middle.
//! - `len` is written under the lock and may be read without it, as a hint, or after a SeqCst fence, as the re-check of
//!   a worker that goes to sleep (`sleepers.rs`).
//!
//! Rejected: a Chase-Lev deque (its owner's end is last in, first out: spawn order is then reversed, and the oldest may starve);
//! a ring of fixed size with an overflow list (the tail of 1,024 connections suffers); a lock-free FIFO ring with
//! claim flags in the tasks (as many atomic exchanges per spawn as lock and unlock here, and stale entries when
//! a join has taken a task out).

use std::ptr::{self, NonNull};

use super::lock::SpinLock;
use crate::coroutine::task::{Header, PLACE_QUEUED, PLACE_TRANSIT, TaskRef};
use crate::primitive::atomic::{AtomicUsize, Ordering};

/// The most that one theft takes: bounds the time under the victim's lock.
const STEAL_LIMIT: usize = 128;

pub(crate) struct SpawnList {
    links: SpinLock<Links>,
    len: AtomicUsize,
    place: u32,
}

struct Links {
    front: *mut Header,
    back: *mut Header,
    closed: bool,
}

/// Tasks that were taken out of a list together, and are still linked by `next`.
struct Chain {
    first: TaskRef,
    last: TaskRef,
}

/// The task behind this one.
#[inline(always)]
fn after(task: TaskRef) -> Option<TaskRef> {
    let next = task.header().next.load(Ordering::Relaxed);
    NonNull::new(next.cast::<Header>()).map(TaskRef)
}

// SAFETY: the pointers are to tasks, which the list owns a reference to, and only used under the lock.
unsafe impl Send for Links {}

impl SpawnList {
    pub(crate) fn new(number: u32) -> SpawnList {
        let links = Links {
            front: ptr::null_mut(),
            back: ptr::null_mut(),
            closed: false,
        };
        SpawnList {
            links: SpinLock::new(links),
            len: AtomicUsize::new(0),
            place: PLACE_QUEUED + number,
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.len.load(Ordering::Relaxed) == 0
    }

    pub(crate) fn len(&self) -> usize {
        self.len.load(Ordering::Relaxed)
    }

    /// Appends a task, or gives it back if the list is closed.
    #[inline]
    pub(crate) fn push(&self, task: TaskRef) -> Result<(), TaskRef> {
        let mut links = self.links.lock();
        if links.closed {
            return Err(task);
        }
        self.link(&mut links, task);
        Ok(())
    }

    /// Appends an async task that goes on: also if the list is closed.
    #[inline]
    pub(crate) fn push_again(&self, task: TaskRef) {
        let mut links = self.links.lock();
        self.link(&mut links, task);
    }

    #[inline(always)]
    fn link(&self, links: &mut Links, task: TaskRef) {
        let header = task.header();
        let raw = task.0.as_ptr();
        header.next.store(ptr::null_mut(), Ordering::Relaxed);
        header.prev.store(links.back.cast(), Ordering::Relaxed);
        header.place.store(self.place, Ordering::Relaxed);
        match NonNull::new(links.back) {
            // SAFETY: a linked task is alive.
            Some(back) => unsafe { back.as_ref() }
                .next
                .store(raw.cast(), Ordering::Relaxed),
            None => links.front = raw,
        }
        links.back = raw;
        self.len
            .store(self.len.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn pop(&self) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        let mut links = self.links.lock();
        let front = TaskRef(NonNull::new(links.front)?);
        self.unlink(&mut links, front);
        Some(front)
    }

    /// Takes `task` out if it is in this list.
    #[inline]
    pub(crate) fn remove(&self, task: TaskRef) -> bool {
        if task.header().place.load(Ordering::Relaxed) != self.place {
            return false;
        }
        let mut links = self.links.lock();
        if task.header().place.load(Ordering::Relaxed) != self.place {
            return false;
        }
        self.unlink(&mut links, task);
        true
    }

    #[inline(always)]
    fn unlink(&self, links: &mut Links, task: TaskRef) {
        let header = task.header();
        let next = header.next.load(Ordering::Relaxed).cast::<Header>();
        let prev = header.prev.load(Ordering::Relaxed).cast::<Header>();
        match NonNull::new(prev) {
            // SAFETY: a linked task is alive.
            Some(prev) => unsafe { prev.as_ref() }
                .next
                .store(next.cast(), Ordering::Relaxed),
            None => links.front = next,
        }
        match NonNull::new(next) {
            // SAFETY: a linked task is alive.
            Some(next) => unsafe { next.as_ref() }
                .prev
                .store(prev.cast(), Ordering::Relaxed),
            None => links.back = prev,
        }
        header.place.store(PLACE_TRANSIT, Ordering::Relaxed);
        self.len
            .store(self.len.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
    }

    /// Takes the older half: returns the oldest, and moves the rest to `thief`.
    pub(crate) fn steal_half(&self, thief: &SpawnList) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        let mut links = self.links.lock();
        let count = self.len().div_ceil(2).min(STEAL_LIMIT);
        let stolen = self.cut(&mut links, count)?;
        drop(links);
        Some(thief.append_all_but_first(stolen))
    }

    /// Calls `each` for all that stand here, under the lock: it must neither take long nor touch the list.
    pub(crate) fn for_each(&self, mut each: impl FnMut(TaskRef)) {
        let links = self.links.lock();
        let mut next = NonNull::new(links.front).map(TaskRef);
        while let Some(task) = next {
            // The next one first: a task that is looked at stays, but nothing is known of what `each` does with it.
            next = after(task);
            each(task);
        }
    }

    /// Takes everything: returns the oldest, and moves the rest to the list of the only worker. Those who push wait for a few instructions only.
    pub(crate) fn take_all(&self, worker: &SpawnList) -> Option<TaskRef> {
        if self.is_empty() {
            return None;
        }
        let mut links = self.links.lock();
        let all = Chain {
            first: TaskRef(NonNull::new(links.front)?),
            last: TaskRef(NonNull::new(links.back)?),
        };
        (links.front, links.back) = (ptr::null_mut(), ptr::null_mut());
        self.len.store(0, Ordering::Relaxed);
        drop(links);
        Some(worker.append_all_but_first(all))
    }

    /// Takes the first `count` tasks out, linked among themselves. None if the list is empty.
    fn cut(&self, links: &mut Links, count: usize) -> Option<Chain> {
        let first = TaskRef(NonNull::new(links.front)?);
        let mut last = first;
        let mut taken = 1;
        last.header().place.store(PLACE_TRANSIT, Ordering::Relaxed);
        while taken < count
            && let Some(next) = after(last)
        {
            last = next;
            last.header().place.store(PLACE_TRANSIT, Ordering::Relaxed);
            taken += 1;
        }
        let rest = after(last);
        match rest {
            Some(rest) => rest.header().prev.store(ptr::null_mut(), Ordering::Relaxed),
            None => links.back = ptr::null_mut(),
        }
        links.front = rest.map_or(ptr::null_mut(), |rest| rest.0.as_ptr());
        self.len.store(self.len() - taken, Ordering::Relaxed);
        Some(Chain { first, last })
    }

    /// Appends what was taken out of another list, but for the first, which it returns: under one lock, whatever the length.
    fn append_all_but_first(&self, chain: Chain) -> TaskRef {
        let Chain { first, last } = chain;
        if first == last {
            return first;
        }
        let Some(second) = after(first) else {
            unreachable!("a chain leads from its first task to its last");
        };
        let mut links = self.links.lock();
        let mut appended = 1;
        let mut task = second;
        task.header().place.store(self.place, Ordering::Relaxed);
        while task != last
            && let Some(next) = after(task)
        {
            task = next;
            task.header().place.store(self.place, Ordering::Relaxed);
            appended += 1;
        }
        second
            .header()
            .prev
            .store(links.back.cast(), Ordering::Relaxed);
        last.header().next.store(ptr::null_mut(), Ordering::Relaxed);
        match NonNull::new(links.back) {
            // SAFETY: a linked task is alive.
            Some(back) => unsafe { back.as_ref() }
                .next
                .store(second.0.as_ptr().cast(), Ordering::Relaxed),
            None => links.front = second.0.as_ptr(),
        }
        links.back = last.0.as_ptr();
        self.len.store(self.len() + appended, Ordering::Relaxed);
        first
    }

    /// Refuses further tasks from now on; those in the list stay.
    pub(crate) fn close(&self) {
        self.links.lock().closed = true;
    }
}
