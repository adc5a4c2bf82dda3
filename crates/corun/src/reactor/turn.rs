//! Waiting for one's turn at a descriptor: the protocol is that of `entry.rs`.

use std::io;
use std::mem;
use std::time::Instant;

use super::entry::{Direction, Entry, Seen};
use super::wait_list::Waiter;
use crate::scheduler::prefetch_frames;

/// The place of one operation in the order of its direction.
pub(super) struct Turn<'a> {
    entry: &'a Entry,
    direction: Direction,
    /// It is this operation's turn, to be given on.
    mine: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(entry: &'a Entry, direction: Direction) -> Turn<'a> {
        Turn {
            entry,
            direction,
            mine: false,
        }
    }

    /// Waits until the operation may be tried (again). `None`: the deadline passed first.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Seen>> {
        let Turn {
            entry, direction, ..
        } = *self;
        let waiter = Waiter::new(deadline);
        // SAFETY: `waiter` stays where it is until `Linked` has made sure that it is in no list.
        if let Some(seen) = unsafe { entry.enqueue(direction, &waiter, self.mine)? } {
            return Ok(Some(seen));
        }
        self.mine = false;
        let linked = Linked {
            entry,
            direction,
            waiter: &waiter,
        };
        prefetch_frames();
        if waiter.signal.wait_until(deadline) {
            // The waker has unlinked it.
            mem::forget(linked);
            self.mine = true;
            return Ok(Some(entry.seen()));
        }
        drop(linked);
        Ok(None)
    }

    /// The operation is done; `drained` if it returned a short count.
    #[inline]
    pub(super) fn finish(self, drained: Option<Seen>) {
        if self.mine {
            self.entry.release(self.direction, drained);
        } else if let Some(seen) = drained {
            self.entry.drained(self.direction, seen);
        }
        mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.mine {
            self.entry.release(self.direction, None);
        }
    }
}

/// Takes a waiter out of its list when its wait ends early: by its deadline, or by unwinding.
struct Linked<'a> {
    entry: &'a Entry,
    direction: Direction,
    waiter: &'a Waiter,
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        self.entry.dequeue(self.direction, self.waiter);
    }
}
