//! A join handle as a future.
//!
//! # Protocol
//! The waker lies in a block of its own, whose address stands in the `joiner` field of the task, marked by [`AWAITED`]: a handle may be moved, even
//! between polls, so nothing can point into it. Whoever takes the address out of the field by an exchange owns that block:
//! - the ending task, which puts its end there, wakes and frees;
//! - the handle's owner, who takes it back to exchange the waker, to join, or because the handle is dropped.
//!
//! So neither ever touches what the other may have freed, and a waker is cloned, called and dropped under no lock.
//!
//! Checked with every interleaving by `tests/models/coroutine/awaited.rs`, which includes this file.

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::{self, NonNull};
use std::task::{Context, Waker};

use super::outcome::{AWAITED, DETACHED, FAILED, TAKEN};
use super::task::TaskRef;
use crate::primitive::atomic::Ordering;
use crate::scheduler::blocks::{self, Kind};
use crate::scheduler::signal::Signal;

/// A waker that was left in a task, taken out again.
pub(crate) struct Left(NonNull<MaybeUninit<Waker>>);

/// Is this the mark of a waker, and not the end of a task?
#[inline(always)]
pub(super) fn is_awaited(joiner: *mut Signal) -> bool {
    joiner.addr() & AWAITED != 0 && joiner.addr() & !TAKEN != FAILED.addr()
}

/// Of the block that a waker lies in.
const KIND: Kind = Kind::of::<MaybeUninit<Waker>>();

impl Left {
    fn new(waker: Waker) -> Left {
        let block = blocks::allocate(&KIND).cast::<MaybeUninit<Waker>>();
        // SAFETY: the block was made for it.
        unsafe { block.write(MaybeUninit::new(waker)) };
        Left(block)
    }

    fn into_joiner(self) -> *mut Signal {
        let block = self.0.as_ptr().cast::<Signal>();
        std::mem::forget(self);
        block.map_addr(|a| a | AWAITED)
    }

    /// # Safety
    /// The caller has taken the joiner out of its task, or not put it there.
    unsafe fn from_joiner(joiner: *mut Signal) -> Left {
        // SAFETY: it came from `into_joiner`.
        Left(unsafe { NonNull::new_unchecked(joiner.map_addr(|a| a & !AWAITED).cast()) })
    }

    /// Called by the ending task, with the joiner that it has taken from its block.
    ///
    /// # Safety
    /// As for `from_joiner`.
    #[cold]
    pub(super) unsafe fn tell(joiner: *mut Signal) {
        // SAFETY: the same contract.
        let left = unsafe { Left::from_joiner(joiner) };
        left.into_waker().wake();
    }

    fn waker(&mut self) -> &mut Waker {
        // SAFETY: the block holds it and is this one's alone.
        unsafe { self.0.as_mut().assume_init_mut() }
    }

    fn into_waker(self) -> Waker {
        let left = ManuallyDrop::new(self);
        // SAFETY: the waker is read once: the block is freed without it.
        unsafe {
            let waker = left.0.read().assume_init();
            blocks::free(left.0.cast(), &KIND);
            waker
        }
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        // SAFETY: as in `into_waker`.
        drop(unsafe {
            let waker = self.0.read().assume_init();
            blocks::free(self.0.cast(), &KIND);
            waker
        });
    }
}

impl TaskRef {
    /// For the join handle: can the result be read? Only the first time. If the task goes on, leaves a waker for its end.
    pub(super) fn poll_result(self, context: &mut Context<'_>) -> bool {
        let mut left = self.withdraw();
        if self.take_result() {
            return true;
        }
        match &mut left {
            Some(left) => left.waker().clone_from(context.waker()),
            None => left = Some(Left::new(context.waker().clone())),
        }
        let joiner = left.map_or(ptr::null_mut(), Left::into_joiner);
        // Release: the waker comes first. Acquire: so does the result.
        let placed = self.header().joiner.compare_exchange(
            ptr::null_mut(),
            joiner,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if placed.is_ok() {
            return false;
        }
        // SAFETY: it was not put there.
        drop(unsafe { Left::from_joiner(joiner) });
        assert!(
            self.take_result(),
            "a join handle was polled again after it had given its result"
        );
        true
    }

    /// Takes the waker back that `poll_result` has left, if the task has not taken it.
    #[inline]
    pub(crate) fn withdraw(self) -> Option<Left> {
        let joiner = self.header().joiner.load(Ordering::Relaxed);
        if is_awaited(joiner) {
            self.exchange(joiner, ptr::null_mut())
        } else {
            None
        }
    }

    /// As `withdraw`, for a handle that is dropped. Returns false if the task has ended.
    #[cold]
    pub(super) fn withdraw_for_good(self, joiner: *mut Signal) -> bool {
        self.exchange(joiner, DETACHED).is_some()
    }

    fn exchange(self, joiner: *mut Signal, next: *mut Signal) -> Option<Left> {
        // Release and acquire: with `DETACHED` whoever comes second drops what the other has left.
        let exchanged = self.header().joiner.compare_exchange(
            joiner,
            next,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        // SAFETY: it was taken out.
        exchanged
            .ok()
            .map(|joiner| unsafe { Left::from_joiner(joiner) })
    }
}
