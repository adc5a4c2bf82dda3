//! What a coroutine runs, how its block is made and how it ends.
//!
//! Each closure has a table of functions of its own. Whatever need not know the closure's type stands outside of it, to be compiled once: a program may
//! spawn in a thousand places.

use std::any::Any;
use std::cell::UnsafeCell;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, offset_of};
use std::panic::{self, AssertUnwindSafe};

use crate::cancel::Cancelled;
use crate::cancel::levels;
use crate::coroutine::inherited;
use crate::primitive::atomic::Ordering;
use crate::scheduler::blocks::{self, Kind};
use crate::scheduler::worker::Worker;

use super::outcome::{End, JoinRef, Stored, complete};
use super::task::{
    COUNTED, Control, Header, MetaInit, PLACE_THREAD, REFERENCE, TaskRef, Vtable, abort_on_panic,
    free_meta,
};

union Stage<F, T> {
    fresh: ManuallyDrop<F>,
    done: ManuallyDrop<Stored<T>>,
}

#[repr(C)]
struct Task<F, T> {
    header: Header,
    stage: UnsafeCell<Stage<F, T>>,
}

/// What a coroutine runs, and what has to happen when nothing of it is left (a scope counts its children so).
pub(crate) trait Body {
    type Output;
    type Epilogue: Epilogue;
    fn split(self) -> (impl FnOnce() -> Self::Output, Self::Epilogue);
}

pub(crate) trait Epilogue {
    /// The coroutine has panicked, and no handle is left that could tell anyone. Runs in the coroutine, before `finish`.
    fn failed_unseen(&self, payload: Box<dyn Any + Send>);
    /// Nothing of the coroutine is left.
    fn finish(self);
}

impl Epilogue for () {
    fn failed_unseen(&self, payload: Box<dyn Any + Send>) {
        abort_on_panic(|| drop(payload));
    }

    #[inline(always)]
    fn finish(self) {}
}

/// The body of an ordinary coroutine.
pub(crate) struct Plain<F>(pub(crate) F);

impl<F: FnOnce() -> T, T> Body for Plain<F> {
    type Output = T;
    type Epilogue = ();
    #[inline(always)]
    fn split(self) -> (impl FnOnce() -> T, ()) {
        (self.0, ())
    }
}

/// The block of a coroutine that has no body yet.
pub(crate) struct Blank(TaskRef);

impl Blank {
    #[inline(always)]
    pub(crate) fn new(vtable: &'static Vtable, id: u64, meta: MetaInit) -> Blank {
        let block = blocks::allocate(&vtable.block).cast();
        // SAFETY: every block begins with a header.
        unsafe { block.write(Header::new(2 * REFERENCE, vtable, meta, id)) };
        Blank(TaskRef(block))
    }
}

impl TaskRef {
    /// Makes a coroutine with two references: the scheduler's and the join handle's.
    pub(crate) fn new<B: Body>(body: B, id: u64, meta: MetaInit) -> (TaskRef, JoinRef<B::Output>) {
        TaskRef::with(body, |vtable| Blank::new(vtable, id, meta))
    }

    /// The same in a block that the caller makes, for this table.
    #[inline]
    pub(crate) fn with<B: Body>(
        body: B,
        blank: impl FnOnce(&'static Vtable) -> Blank,
    ) -> (TaskRef, JoinRef<B::Output>) {
        let Blank(task) = blank(&Table::<B>::VTABLE);
        // SAFETY: the table says how large the block is; the stage is empty, and nobody else knows of it.
        unsafe { (*Table::<B>::stage(task)).fresh = ManuallyDrop::new(body) };
        (task, JoinRef::new(task))
    }
}

struct Table<B>(PhantomData<B>);

impl<B: Body> Table<B> {
    const VTABLE: Vtable = Vtable {
        run: Self::run,
        poll: |_| unreachable!("a coroutine is run, on its stack"),
        fail: Self::fail,
        dealloc: free_block,
        stage_offset: offset_of!(Task<B, B::Output>, stage),
        block: Kind::of::<Task<B, B::Output>>(),
    };

    #[inline]
    fn stage(task: TaskRef) -> *mut Stage<B, B::Output> {
        // SAFETY: the table is only ever reached from the block of a `Task<B, B::Output>`, or one that is to become one.
        unsafe { task.0.byte_add(Self::VTABLE.stage_offset) }
            .cast()
            .as_ptr()
    }

    unsafe fn run(task: TaskRef, control: &Control) {
        let stage = Self::stage(task);
        // SAFETY: the coroutine is unstarted, so the stage holds its body, which is read once.
        let body = unsafe { ManuallyDrop::take(&mut (*stage).fresh) };
        let (closure, epilogue) = body.split();
        let outcome = panic::catch_unwind(AssertUnwindSafe(closure));
        let outcome = outcome.map_err(|payload| end_of_unwinding(task, payload));
        let end = End::of(&outcome);
        // SAFETY: the stage is empty now, and nobody reads it before the coroutine has ended.
        unsafe { (*stage).done = ManuallyDrop::new(outcome) };
        if end_seen(task, control, end) {
            epilogue.finish();
        } else {
            // SAFETY: the same contract; the result is this coroutine's.
            unsafe { Self::end_unseen(task, epilogue) }
        }
    }

    unsafe fn fail(task: TaskRef, payload: Box<dyn Any + Send>) {
        let stage = Self::stage(task);
        // SAFETY: the coroutine is unstarted, so the stage holds its body, which is read once.
        let body = unsafe { ManuallyDrop::take(&mut (*stage).fresh) };
        let (closure, epilogue) = body.split();
        abort_on_panic(|| drop(closure));
        let outcome = Err(Box::new(payload));
        let end = End::of(&outcome);
        // SAFETY: as in `run`.
        unsafe { (*stage).done = ManuallyDrop::new(outcome) };
        if fail_seen(task, end) {
            epilogue.finish();
        } else {
            // SAFETY: the same contract; the result is this coroutine's.
            unsafe { Self::end_unseen(task, epilogue) }
        }
    }

    /// # Safety
    /// The result must be there, unread and nobody else's, and the scheduler's reference be given up by this call.
    #[cold]
    unsafe fn end_unseen(task: TaskRef, epilogue: B::Epilogue) {
        // SAFETY: the same contract.
        match unsafe { ManuallyDrop::take(&mut (*Self::stage(task)).done) } {
            Ok(value) => abort_on_panic(|| drop(value)),
            Err(payload) => epilogue.failed_unseen(*payload),
        }
        leave(task);
        epilogue.finish();
    }
}

// What follows is the same for all coroutines, and compiled once.

/// What a coroutine's panic is to whoever joins it.
#[cold]
fn end_of_unwinding(task: TaskRef, payload: Box<dyn Any + Send>) -> Box<Box<dyn Any + Send>> {
    Box::new(if levels::is_for_end(&*payload, task) {
        Box::new(Cancelled::default())
    } else {
        payload
    })
}

/// Ends a coroutine whose result stands. Returns whether somebody is there to read that, and the coroutine so has done with its block; if not, the result is
/// still the coroutine's.
fn end_seen(task: TaskRef, control: &Control, end: End) -> bool {
    // What is left are destructors, which may wait, and must not unwind.
    levels::shield_for_good(&control.innermost);
    // Before the result is visible, as std drops thread locals before a join returns.
    control.locals.clear();
    settle(task, end)
}

/// The same for one that failed to start.
#[cold]
fn fail_seen(task: TaskRef, end: End) -> bool {
    settle(task, end)
}

#[inline(always)]
fn settle(task: TaskRef, end: End) -> bool {
    inherited::forget(task);
    if task.header().id.load(Ordering::Relaxed) & COUNTED != 0 {
        Worker::uncount_cancellation();
    }
    if complete(task, end) {
        return false;
    }
    leave(task);
    true
}

/// Gives up the scheduler's reference.
#[inline(always)]
fn leave(task: TaskRef) {
    Worker::leave_seat(task);
    task.release();
}

/// # Safety
/// The caller holds the last reference and has dropped the result.
unsafe fn free_block(task: TaskRef) {
    let kind = &task.header().vtable.block;
    // SAFETY: as the caller promises. Nothing else in the block has a destructor to run: the stage is empty.
    unsafe {
        free_meta(task);
        blocks::free(task.0.cast(), kind);
    }
}

/// A block that stands for a plain thread, so that `current` and `park` work there too. It never runs.
pub(crate) fn for_thread(id: u64, meta: MetaInit) -> TaskRef {
    let (task, mut join) = TaskRef::new(Plain(|| ()), id, meta);
    task.header().place.store(PLACE_THREAD, Ordering::Relaxed);
    join.detach();
    task.release();
    task
}
