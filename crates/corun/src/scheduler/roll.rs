//! The roll of async tasks: those that have waited and not ended, for whoever asks who lives on a runtime, or ends it.
//!
//! # Invariants
//! - A task enters the roll of the worker that polls it, when a poll of it first gives `Pending`, and leaves it when it ends, wherever that is. So one that
//!   never waits pays nothing but a look, and one that waits pays for two short locks in all its life.
//! - [`Place::of`] is read and written by whoever runs the task; the links are guarded by the lock of the roll.
//! - The roll has no reference, as one that nobody can wake any more is to be dropped. A task that stands in it is no freed block all the same:
//!   it leaves before its last poll gives the poll's reference up. Who finds it there, under the lock, may try to take a
//!   reference (`TaskRef::try_retain`), which fails if the task has ended or nobody refers to it any more.
//! - References are given up without the lock, since the last one may run a destructor.
//!
//! Rejected: a list that the worker alone touches (a spare worker ends before the tasks that it has polled; who ends elsewhere would have to be handed back); a
//! list of all tasks, from their spawn (most are polled once).
//!
//! The reference that is taken here, against those who give up the last one: `tests/models/future/tasks.rs`.

use std::cell::Cell;
use std::ptr;

use super::guests;
use super::lock::SpinLock;
use crate::coroutine::Coroutine;
use crate::coroutine::task::TaskRef;

/// So many are taken at once under the lock.
const BATCH: usize = 64;

pub(crate) struct Roll(SpinLock<Ends>);

#[derive(Default)]
struct Ends {
    first: Option<TaskRef>,
    last: Option<TaskRef>,
    count: usize,
}

/// A task's place in a roll, in its block.
pub(crate) struct Place {
    /// Null before it has entered one.
    of: Cell<*const Roll>,
    previous: Cell<Option<TaskRef>>,
    next: Cell<Option<TaskRef>>,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place {
            of: Cell::new(ptr::null()),
            previous: Cell::new(None),
            next: Cell::new(None),
        }
    }
}

/// For a task whose poll gives Pending, on the worker that polls it.
#[inline(always)]
pub(crate) fn enter(task: TaskRef) {
    if task.guest().roll.of.get().is_null() {
        enter_first(task);
    }
}

#[inline(never)]
fn enter_first(task: TaskRef) {
    let roll = guests::roll_here(task);
    task.guest().roll.of.set(roll);
    // SAFETY: as in `leave`.
    if let Some(roll) = unsafe { roll.as_ref() } {
        roll.0.lock().push(task);
    }
}

/// For a task that is about to end, or has ended, by whoever runs it.
#[inline(always)]
pub(crate) fn leave(task: TaskRef) {
    let roll = task.guest().roll.of.get();
    // SAFETY: the roll of a worker of its runtime, which it keeps until it has ended.
    if let Some(roll) = unsafe { roll.as_ref() } {
        roll.0.lock().remove(task);
    }
}

impl Ends {
    fn push(&mut self, task: TaskRef) {
        let place = &task.guest().roll;
        place.previous.set(self.last);
        place.next.set(None);
        match self.last.replace(task) {
            Some(last) => last.guest().roll.next.set(Some(task)),
            None => self.first = Some(task),
        }
        self.count += 1;
    }

    fn remove(&mut self, task: TaskRef) {
        let place = &task.guest().roll;
        let (previous, next) = (place.previous.get(), place.next.get());
        match previous {
            Some(previous) => previous.guest().roll.next.set(next),
            None => self.first = next,
        }
        match next {
            Some(next) => next.guest().roll.previous.set(previous),
            None => self.last = previous,
        }
        self.count -= 1;
    }
}

impl Roll {
    pub(crate) fn new() -> Roll {
        Roll(SpinLock::new(Ends::default()))
    }

    /// Calls `each` for at most `most` tasks, without the lock: those that have been here for longest, of which it is the last time for long.
    pub(crate) fn for_each(&self, most: usize, mut each: impl FnMut(Coroutine)) {
        let mut left = self.0.lock().count.min(most);
        let mut found = Vec::with_capacity(BATCH);
        while left != 0 {
            let mut ends = self.0.lock();
            for _ in 0..left.min(BATCH) {
                let Some(task) = ends.first else {
                    left = 0;
                    break;
                };
                ends.remove(task);
                ends.push(task);
                left -= 1;
                if task.try_retain() {
                    found.push(Coroutine::from_retained(task));
                }
            }
            drop(ends);
            found.drain(..).for_each(&mut each);
        }
    }
}
