//! How a coroutine or async task ends, and how its result gets to the join handle.
//!
//! # Protocol
//! The result is taken or dropped by the join handle, or, if that is gone, by the ending coroutine: never by a mere [`Coroutine`](crate::Coroutine) handle,
//! which may live anywhere and for long. `joiner` decides which: the handle leaves [`DETACHED`] there when it is dropped, the coroutine [`COMPLETED`],
//! [`FAILED`] or [`LEFT`] when it ends; who comes second sees the other.
//!
//! A joiner that may give up is marked as such: see `joiner.rs`; a waker: `awaiting.rs`.
//!
//! Checked by the models of `tests/models/coroutine/end.rs`.

use std::any::Any;
use std::marker::PhantomData;
use std::ptr;
use std::task::{Context, Poll};

use crate::cancel::Cancelled;
use crate::inspect::points;
use crate::primitive::atomic::Ordering;
use crate::scheduler::signal::Signal;

use super::awaiting::{Left, is_awaited};
use super::joiner::LimitedJoiner;
use super::task::{REFERENCE, TaskRef};

/// What `join` returns for a coroutine that panicked: the payload.
pub(crate) type Outcome<T> = Result<T, Box<dyn Any + Send>>;

/// An outcome as it is stored: the payload of a panic behind one word, so that a block without a result stays small.
pub(crate) type Stored<T> = Result<T, Box<Box<dyn Any + Send>>>;

/// `joiner` of a coroutine that returned, and of one that panicked. Never valid addresses of a `Signal`.
pub(super) const COMPLETED: *mut Signal = ptr::without_provenance_mut(1);
pub(super) const FAILED: *mut Signal = ptr::without_provenance_mut(2);
/// `joiner` of a coroutine that was cancelled.
const LEFT: *mut Signal = ptr::without_provenance_mut(16);
/// `joiner` of a coroutine whose join handle was dropped.
pub(super) const DETACHED: *mut Signal = ptr::without_provenance_mut(8);
/// Added to either once the join handle has read the result.
pub(super) const TAKEN: usize = 4;
/// Added to the address of a waker: see `awaiting.rs`.
pub(super) const AWAITED: usize = 2;

/// How a coroutine or task has ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Returned,
    Panicked,
    Cancelled,
}

impl End {
    #[inline]
    pub(crate) fn of<T>(outcome: &Stored<T>) -> End {
        match outcome {
            Ok(_) => End::Returned,
            Err(payload) => End::of_unwinding(&***payload),
        }
    }

    fn of_unwinding(payload: &(dyn Any + Send)) -> End {
        match payload.is::<Cancelled>() {
            true => End::Cancelled,
            false => End::Panicked,
        }
    }

    /// What is left in the place of the joiner.
    fn mark(self) -> *mut Signal {
        match self {
            End::Returned => COMPLETED,
            End::Panicked => FAILED,
            End::Cancelled => LEFT,
        }
    }
}

/// The result side of a coroutine: what a join handle owns.
pub(crate) struct JoinRef<T> {
    pub(crate) task: TaskRef,
    marker: PhantomData<T>,
}

impl<T> JoinRef<T> {
    pub(crate) fn new(task: TaskRef) -> JoinRef<T> {
        JoinRef {
            task,
            marker: PhantomData,
        }
    }

    /// The same for async code: without a result it leaves a waker for when it stands.
    #[inline]
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome<T>> {
        if self.task.poll_result(context) {
            // SAFETY: it was not read before.
            Poll::Ready(unsafe { self.read() })
        } else {
            Poll::Pending
        }
    }

    /// Takes the result, if the coroutine has ended and the result was not taken before.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<Outcome<T>> {
        if self.task.take_result() {
            // SAFETY: it was not read before.
            Some(unsafe { self.read() })
        } else {
            None
        }
    }

    /// Leaves the coroutine to itself. If it has ended, its unread result is returned.
    #[inline]
    pub(crate) fn detach(&mut self) -> Option<Outcome<T>> {
        if !self.task.is_result_taken() && self.task.detach() {
            // SAFETY: it was not read before.
            Some(unsafe { self.read() })
        } else {
            None
        }
    }

    /// # Safety
    /// The coroutine has ended, and this is the only time that its result is read.
    #[inline]
    unsafe fn read(&self) -> Outcome<T> {
        let offset = self.task.header().vtable.stage_offset;
        // SAFETY: so the stage holds the result, whose type the handle was made with.
        let stored = unsafe { self.task.0.byte_add(offset).cast::<Stored<T>>().read() };
        stored.map_err(|payload| *payload)
    }
}

impl TaskRef {
    #[inline]
    pub(crate) fn ended(self) -> Option<End> {
        // Acquire pairs with the swap in `complete`: the result is written before.
        let joiner = self.header().joiner.load(Ordering::Acquire);
        let joiner = joiner.map_addr(|address| address & !TAKEN);
        if joiner == COMPLETED {
            Some(End::Returned)
        } else if joiner == FAILED {
            Some(End::Panicked)
        } else if joiner == LEFT {
            Some(End::Cancelled)
        } else {
            None
        }
    }

    /// Has the coroutine ended, and was the result read?
    #[inline]
    pub(super) fn is_result_taken(self) -> bool {
        self.header().joiner.load(Ordering::Relaxed).addr() & TAKEN != 0
    }

    /// For the join handle: has the coroutine ended, so that the result can be read? Only the first time.
    #[inline]
    pub(super) fn take_result(self) -> bool {
        let joiner = &self.header().joiner;
        let ended = joiner.load(Ordering::Acquire);
        if ended != COMPLETED && ended != FAILED && ended != LEFT {
            return false;
        }
        // Only this handle looks at the mark.
        joiner.store(ended.map_addr(|a| a | TAKEN), Ordering::Relaxed);
        true
    }

    /// For a join handle that is dropped. Returns whether the result is there and has to be read.
    fn detach(self) -> bool {
        let joiner = &self.header().joiner;
        let seen = joiner.load(Ordering::Relaxed);
        if is_awaited(seen) && self.withdraw_for_good(seen) {
            return false;
        }
        if !seen.is_null() {
            return self.take_result();
        }
        // Acquire and release: whoever comes second drops what the other has left.
        match joiner.compare_exchange(
            ptr::null_mut(),
            DETACHED,
            Ordering::AcqRel,
            Ordering::Acquire,
        ) {
            Ok(_) => false,
            Err(_) => self.take_result(),
        }
    }
}

/// Publishes that the result stands, and wakes the joiner. Returns whether there is nobody left to read the result.
#[inline(always)]
pub(crate) fn complete(task: TaskRef, end: End) -> bool {
    points::ended(task, end);
    let header = task.header();
    let ended = end.mark();
    // The last reference: the handle is gone, and nobody but a destructor of the result can make a new one.
    if header.references.load(Ordering::Acquire) < 2 * REFERENCE {
        header.joiner.store(ended, Ordering::Relaxed);
        return true;
    }
    let mut joiner = header.joiner.load(Ordering::Acquire);
    if joiner.is_null() || LimitedJoiner::is_marked(joiner) || is_awaited(joiner) {
        // Release: the result comes first (pairs with `take` and `ended`). Acquire: the joiner's signal is complete.
        joiner = header.joiner.swap(ended, Ordering::AcqRel);
    } else {
        // A joiner waits until this is done, and a handle that was dropped does nothing more: nobody else changes the field, so that
        // an exchange can be spared.
        header.joiner.store(ended, Ordering::Release);
    }
    if joiner == DETACHED {
        return true;
    }
    if LimitedJoiner::is_marked(joiner) {
        LimitedJoiner::tell(joiner);
    } else if is_awaited(joiner) {
        // SAFETY: it was taken from the block by the exchange above.
        unsafe { Left::tell(joiner) };
    } else if !joiner.is_null() {
        // SAFETY: a joiner waits for exactly this call, so its signal is alive; nobody else notifies it.
        unsafe { Signal::notify_joiner(joiner) };
    }
    false
}
