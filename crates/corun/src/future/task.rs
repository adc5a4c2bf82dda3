//! The block of an async task: the header of every task, what a stackless one needs besides, and its future, in whose place the result goes.
//!
//! # Invariants
//! - `state.rs` says who may run the task. Whoever runs it alone touches the stage: it holds the future until the task ends, then the result, which
//!   is the join handle's as with coroutines (`coroutine/task.rs`).
//! - The future is pinned in the block and dropped there: by the poll that ends it, or in place of a poll once the task is cancelled. Both happen on a
//!   worker, with the task in the worker's seat, so that a panic names it and its locals are at hand.
//! - A coroutine local need not be `Send`. So a task that makes one is bound to its worker from then on (`scheduler/guests.rs`).
//!
//! A task takes 112 bytes and its future, or its result if that is larger.
//!
//! Rejected: a block of its own kind with a handle of its own kind (a join handle that serves both needs one header); a reference kept by a list of
//! all tasks (one that can never be woken again would live as long as the runtime; see `scheduler/roll.rs` for the list without one).
//!
//! Checked by the models of `tests/models/future/tasks.rs`, and by `tests/async`.

use std::any::Any;
use std::cell::UnsafeCell;
use std::future::Future;
use std::io;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::ptr;
use std::task::{Context, Poll};

use super::state::{AfterPoll, SCHEDULED, borrowed_waker};
use crate::coroutine::inherited;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::outcome::{End, JoinRef, Outcome, Stored, complete};
use crate::coroutine::task::{
    Header, MetaInit, REFERENCE, TaskRef, Vtable, abort_on_panic, forget_payload, free_meta,
};
use crate::inspect::points;
use crate::primitive::atomic::{AtomicPtr, Ordering};
use crate::scheduler::blocks::{self, Kind};
use crate::scheduler::shared::Shared;
use crate::scheduler::worker::Worker;
use crate::scheduler::{guests, roll};

/// What an async task has besides the header.
pub(crate) struct Guest {
    /// Some worker of its runtime; the one that it stays with, if it is local. It lives as long as the task has not ended.
    pub(crate) home: AtomicPtr<Shared>,
    pub(crate) locals: LocalMap,
    /// Why it was cancelled: from `Box::into_raw`, or null.
    reason: AtomicPtr<Box<dyn Any + Send>>,
    pub(crate) roll: roll::Place,
}

/// The beginning of every async task's block.
#[repr(C)]
struct Front {
    header: Header,
    guest: Guest,
}

#[repr(C)]
struct Block<F: Polled> {
    front: Front,
    stage: UnsafeCell<Stage<F, F::Output>>,
}

union Stage<F, T> {
    future: ManuallyDrop<F>,
    done: ManuallyDrop<Stored<T>>,
}

/// What a worker polls: a future, or a coroutine with a stack of its own (`scheduler/migrants.rs`).
pub(crate) trait Polled {
    type Output;
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<Self::Output>>;
}

impl<F: Future> Polled for F {
    type Output = F::Output;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        Future::poll(self, context).map(Ok)
    }
}

/// Makes an async task with two references, the scheduler's, with which it is to be put in line, and the join handle's: in a block that the caller makes,
/// for this table.
///
/// Whether the future may go to another thread is for the caller to see to.
#[inline]
pub(crate) fn with<F: Polled>(
    future: F,
    blank: impl FnOnce(&'static Vtable) -> io::Result<Blank>,
) -> io::Result<(TaskRef, JoinRef<F::Output>)> {
    let Blank(task) = blank(&Table::<F>::VTABLE)?;
    // SAFETY: the table says how large the block is; the stage is empty, and nobody else knows of it.
    unsafe { (*Table::<F>::stage(task)).future = ManuallyDrop::new(future) };
    Ok((task, JoinRef::new(task)))
}

/// The block of an async task that has no future yet.
pub(crate) struct Blank(TaskRef);

impl Blank {
    /// `home` must be right: see [`Guest`].
    #[inline(always)]
    pub(crate) fn new(
        vtable: &'static Vtable,
        id: u64,
        meta: MetaInit,
        home: &Shared,
        flags: u32,
    ) -> Blank {
        let block = blocks::allocate(&vtable.block);
        let references = (2 * REFERENCE) | SCHEDULED | flags;
        let front = Front {
            header: Header::new(references, vtable, meta.of_guest(), id),
            guest: Guest {
                home: AtomicPtr::new(ptr::from_ref(home).cast_mut()),
                locals: LocalMap::new(),
                reason: AtomicPtr::new(ptr::null_mut()),
                roll: roll::Place::new(),
            },
        };
        // SAFETY: the block of every async task begins so.
        unsafe { block.cast().write(front) };
        Blank(TaskRef(block.cast()))
    }
}

/// Cancels an async task: its future is dropped instead of its next poll, and `payload` is what its join handle gets. Returns false if it has
/// ended already or was cancelled before. It drops nothing itself, but may wake a worker.
pub(crate) fn cancel_task(task: TaskRef, payload: Box<dyn Any + Send>) -> bool {
    let reason = Box::into_raw(Box::new(payload));
    let place = &task.guest().reason;
    // Release pairs with the swap of the poll that finds the task cancelled.
    let placed =
        place.compare_exchange(ptr::null_mut(), reason, Ordering::AcqRel, Ordering::Relaxed);
    if placed.is_err() {
        // SAFETY: it came from the box above, and nobody else has it.
        forget_payload(*unsafe { Box::from_raw(reason) });
        return false;
    }
    task.mark_cancelled_guest()
}

impl TaskRef {
    /// Only for async tasks.
    #[inline(always)]
    pub(crate) fn guest(&self) -> &Guest {
        debug_assert!(self.is_guest());
        // SAFETY: the block of an async task begins so, whatever its future.
        unsafe { &self.0.cast::<Front>().as_ref().guest }
    }

    /// Polls an async task, or drops its future if it was cancelled; then puts it where it belongs.
    ///
    /// # Safety
    /// It must be an async task that the caller has taken out of its line, and sit in the seat of the calling worker.
    #[inline(always)]
    pub(crate) unsafe fn poll(self) {
        // SAFETY: the same contract.
        unsafe { (self.header().vtable.poll)(self) }
    }
}

struct Table<F>(PhantomData<F>);

impl<F: Polled> Table<F> {
    const VTABLE: Vtable = Vtable {
        run: |_, _| unreachable!("an async task is polled"),
        poll: Self::poll,
        fail: Self::fail,
        dealloc: free_block,
        stage_offset: offset_of!(Block<F>, stage),
        block: Kind::of::<Block<F>>(),
    };

    fn stage(task: TaskRef) -> *mut Stage<F, F::Output> {
        // SAFETY: the vtable is only ever reached from a header that starts a `Block<F>`.
        unsafe { task.0.cast::<Block<F>>().as_ref() }.stage.get()
    }

    unsafe fn poll(task: TaskRef) {
        // SAFETY: as the caller promises.
        if !unsafe { begin(task) } {
            // SAFETY: the caller runs the task.
            return unsafe { Self::cancel(task) };
        }
        let stage = Self::stage(task);
        let polled = panic::catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: whoever polls the task has a reference to it.
            let waker = unsafe { borrowed_waker(task) };
            // SAFETY: the task has not ended, so the stage holds its future, which stays in its place.
            let future = unsafe { Pin::new_unchecked(&mut *(*stage).future) };
            Polled::poll(future, &mut Context::from_waker(&waker))
        }));
        let outcome = match polled {
            Ok(Poll::Pending) => {
                if is_forsaken(task) {
                    // SAFETY: it still runs.
                    unsafe { Self::cancel(task) }
                }
                return;
            }
            Ok(Poll::Ready(outcome)) => outcome,
            Err(payload) => Err(payload),
        };
        // SAFETY: the caller runs the task, which has not ended before.
        unsafe {
            let outcome = match (Self::drop_future(task), outcome) {
                (Err(payload), Ok(value)) => {
                    abort_on_panic(|| drop(value));
                    Err(payload)
                }
                (Err(second), Err(payload)) => {
                    forget_payload(second);
                    Err(payload)
                }
                (Ok(()), outcome) => outcome,
            };
            Self::end(task, outcome, true);
        }
    }

    /// # Safety
    /// The caller runs the task, whose future is still there, and does nothing more with either.
    unsafe fn drop_future(task: TaskRef) -> Result<(), Box<dyn Any + Send>> {
        let stage = Self::stage(task);
        panic::catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: as the caller promises.
            unsafe { ManuallyDrop::drop(&mut (*stage).future) };
        }))
    }

    /// Ends a task without polling it once more.
    ///
    /// # Safety
    /// The caller runs the task, and does nothing more with it.
    unsafe fn cancel(task: TaskRef) {
        // SAFETY: as the caller promises.
        unsafe {
            let outcome = Self::drop_future(task);
            let payload = outcome.err().unwrap_or_else(|| reason(task));
            Self::end(task, Err(payload), true);
        }
    }

    /// Ends a task that was refused.
    unsafe fn fail(task: TaskRef, payload: Box<dyn Any + Send>) {
        // SAFETY: it is in no line, so the caller may run it.
        unsafe {
            task.begin_poll();
            if let Err(payload) = Self::drop_future(task) {
                forget_payload(payload);
            }
            // It was never counted.
            Self::end(task, Err(payload), false);
        }
    }

    /// Publishes the result, and ends the poll after which there is none. `counted` tasks have begun by the books.
    ///
    /// # Safety
    /// The caller runs the task, and has dropped the future.
    #[inline(always)]
    unsafe fn end(task: TaskRef, outcome: Outcome<F::Output>, counted: bool) {
        let stage = Self::stage(task);
        let outcome = outcome.map_err(Box::new);
        let end = End::of(&outcome);
        // SAFETY: the stage is empty, and nobody reads it before `complete`.
        unsafe { (*stage).done = ManuallyDrop::new(outcome) };
        if !end_seen(task, end, counted) {
            // SAFETY: the handle is gone and has left the result to this task.
            abort_on_panic(|| unsafe { ManuallyDrop::drop(&mut (*stage).done) });
            retire(task, counted);
        }
    }
}

// What follows is the same for all tasks, and compiled once.

/// Returns false if the task is to be dropped in place of a poll.
///
/// # Safety
/// As for `TaskRef::poll`.
#[inline]
unsafe fn begin(task: TaskRef) -> bool {
    // SAFETY: the same contract.
    let goes_on = unsafe { task.begin_poll() };
    if goes_on {
        points::resumed(task);
    }
    goes_on
}

/// Puts a task where it belongs that is not ready. Returns true if nobody will ever wake it, and the caller still runs it.
fn is_forsaken(task: TaskRef) -> bool {
    points::suspended(task);
    // A migratable coroutine stands in a list of its own from its beginning. In the roll it would be cancelled as a future is: dropped, with a
    // stack that was not unwound.
    if !task.is_migrant() {
        roll::enter(task);
    }
    // Others may run it and free it from here on.
    Worker::leave_seat(task);
    match task.end_poll() {
        AfterPoll::Waits => false,
        AfterPoll::Again => {
            guests::ready_again(task);
            false
        }
        AfterPoll::Forsaken => true,
    }
}

/// Ends a task whose result stands. Returns whether somebody is there to read that; if not, it is still the task's, which has to `retire`.
fn end_seen(task: TaskRef, end: End, counted: bool) -> bool {
    // While the poll's reference keeps the block.
    roll::leave(task);
    // Before the result is visible, as with coroutines.
    task.guest().locals.clear();
    inherited::forget(task);
    if complete(task, end) {
        return false;
    }
    retire(task, counted);
    true
}

/// Ends the poll after which there is none.
#[inline(always)]
fn retire(task: TaskRef, counted: bool) {
    Worker::leave_seat(task);
    if counted {
        guests::ended(task);
    }
    task.end_last_poll();
}

/// # Safety
/// The caller holds the last reference.
unsafe fn free_block(task: TaskRef) {
    if task.revive_to_drop() {
        return;
    }
    let kind = &task.header().vtable.block;
    // SAFETY: as the caller promises, and the task has ended.
    unsafe {
        free_meta(task);
        if !task.guest().reason.load(Ordering::Relaxed).is_null() {
            forget_payload(reason(task));
        }
        // Nothing else in the block has a destructor to run: stage and locals are empty.
        blocks::free(task.0.cast(), kind);
    }
}

/// Takes the payload of a task that was cancelled.
fn reason(task: TaskRef) -> Box<dyn Any + Send> {
    let reason = &task.guest().reason;
    // Acquire pairs with `cancel_task`.
    let taken = reason.swap(ptr::null_mut(), Ordering::AcqRel);
    if taken.is_null() {
        return Box::new("nobody could wake the task any more");
    }
    // SAFETY: it came from `Box::into_raw`, and is taken once.
    *unsafe { Box::from_raw(taken) }
}

#[cfg(test)]
mod tests {
    use std::future::Ready;

    use super::*;

    #[test]
    fn a_task_takes_112_bytes_and_its_future() {
        if size_of::<crate::primitive::atomic::AtomicU32>() != 4 {
            // This is a model, whose primitives are larger.
            return;
        }
        assert_eq!(
            size_of::<Block<Ready<[u64; 10]>>>(),
            112 + size_of::<Ready<[u64; 10]>>()
        );
        // A result of this size, and whether it is one.
        assert_eq!(size_of::<Block<std::future::Pending<u64>>>(), 112 + 16);
    }
}
