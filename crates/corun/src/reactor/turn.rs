//! Waiting for one's turn at a descriptor: the protocol is that of `entry.rs`.

use std::io;
use std::mem;

use super::entry::{Direction, Entry, Seen};
use super::wait_list::Waiter;
use crate::cancel::limit::Limit;
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

    /// Waits until the operation may be tried (again). `None`: the limit came first.
    #[inline(always)]
    pub(super) fn wait(&mut self, limit: &Limit) -> io::Result<Option<Seen>> {
        let Turn {
            entry, direction, ..
        } = *self;
        let waiter = Waiter::new(limit);
        // SAFETY: `waiter` stays where it is until the waker, or `withdraw`, has taken it out of the list.
        if let Some(seen) = unsafe { entry.enqueue(direction, &waiter, self.mine)? } {
            return Ok(Some(seen));
        }
        self.mine = false;
        prefetch_frames();
        if limit.wait(&waiter.signal, || entry.withdraw(direction, &waiter)) {
            self.mine = true;
            return Ok(Some(entry.seen()));
        }
        Ok(None)
    }

    /// The operation is done; `drained` if it returned a short count.
    #[inline(always)]
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
