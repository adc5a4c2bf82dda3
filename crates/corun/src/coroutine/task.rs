//! The heap block of a coroutine: its closure before it runs, its result afterwards, and what others may know of it.
//!
//! # Invariants
//! - A block is counted: one reference belongs to the scheduler from spawn until the coroutine has finished, one to the
//!   [`JoinHandle`](crate::JoinHandle), one to each [`Coroutine`](crate::Coroutine) handle. The last one frees it.
//! - The stage holds the closure until the coroutine first runs (`body.rs`), nothing while it runs, and the result once it has ended (`outcome.rs`).
//! - An async task has the same header and the same end; what else there is in its block, `future/task.rs` says.
//! - `next` and `prev` link the block into the list of unstarted coroutines that `place` names, under that
//!   list's lock. Once started they are reused: `next` points to the [`Control`] block on the stack, `prev` to the worker's [`Seat`].
//!
//! The block is 64 bytes before the closure, so that a million parked coroutines with their guard, one stack page and its
//! share of the page tables fit 4,700 bytes each. That is why a name and a stack size live in a [`Meta`] of their own.

use std::any::Any;
use std::cell::Cell;
use std::mem;
use std::num::NonZeroU64;
use std::panic::{self, AssertUnwindSafe, Location};
use std::process;
use std::ptr::{self, NonNull};

use crate::cancel::levels::Innermost;
use crate::coroutine::inherited::Bindings;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::park::Parker;
use crate::future::Place;
use crate::primitive::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering, fence};
use crate::scheduler::blocks::Kind;
use crate::scheduler::migrant::Migrant;
use crate::scheduler::signal::Signal;
use crate::scheduler::stacks::Pooled;

/// What one reference counts in [`Header::references`]. The bits below are the state of an async task (`future/state.rs`), and 0 for coroutines.
pub(crate) const REFERENCE: u32 = 32;

/// Set in [`Header::meta`] for a `Box<Meta>`; for what is polled, which is an async task or a migratable coroutine; and for the latter.
const BOXED: usize = 1;
const GUEST: usize = 2;
const MIGRANT: usize = 4;
/// The bits that are not the address.
const MARKS: usize = BOXED | GUEST | MIGRANT;
const _: () = assert!(align_of::<Meta>() > MIGRANT && align_of::<Location<'static>>() > MIGRANT);

/// Added to the id of a coroutine that its handle has cancelled.
const CANCELLED: u64 = 1 << 63;
/// Added as well once its worker knows.
pub(super) const COUNTED: u64 = 1 << 62;

/// Values of `place`; from [`PLACE_QUEUED`] on it is the number of the list that holds the unstarted coroutine.
pub(crate) const PLACE_TRANSIT: u32 = 0;
pub(crate) const PLACE_RUNNING: u32 = 1;
pub(crate) const PLACE_SUSPENDED: u32 = 2;
/// Not a coroutine, but what `current` gives on a plain thread.
pub(crate) const PLACE_THREAD: u32 = 3;
pub(crate) const PLACE_QUEUED: u32 = 4;

#[repr(C)]
pub(crate) struct Header {
    /// [`REFERENCE`] for each reference, and the state of an async task.
    pub(crate) references: AtomicU32,
    /// Where the coroutine is: see the `PLACE_` constants.
    pub(crate) place: AtomicU32,
    pub(crate) vtable: &'static Vtable,
    pub(crate) next: AtomicPtr<()>,
    pub(crate) prev: AtomicPtr<()>,
    /// A `&'static Location` (the spawn site), or, with [`BOXED`], a `Box<Meta>`; with [`GUEST`] for what is polled, with [`MIGRANT`] for one with a stack.
    meta: *mut (),
    /// Null, the signal or waker of whoever joins, or how the coroutine ended.
    pub(super) joiner: AtomicPtr<Signal>,
    pub(crate) parker: Parker,
    /// The number, and [`CANCELLED`] and [`COUNTED`].
    pub(super) id: AtomicU64,
}

/// What few coroutines need, and so costs the others nothing.
pub(crate) struct Meta {
    pub(crate) site: &'static Location<'static>,
    pub(crate) name: Option<Box<str>>,
    /// Stack size asked for by the `Builder`; 0 is the default.
    pub(crate) stack_size: usize,
    /// What was bound where it was spawned. For whoever runs it alone.
    pub(crate) inherited: Cell<Option<Bindings>>,
    /// A word of the C interface's. For whoever runs it alone.
    pub(crate) foreign: Cell<*const ()>,
    /// What a migratable coroutine has besides. In a place that is there for as long as the block is.
    pub(crate) migrant: Option<Migrant>,
}

pub(crate) struct Vtable {
    /// Runs the closure to its end, publishes the result and gives up the scheduler's reference. Not for async tasks.
    pub(crate) run: unsafe fn(TaskRef, &Control),
    /// Polls an async task.
    pub(crate) poll: unsafe fn(TaskRef),
    /// Ends an unstarted coroutine with `payload` as the reason, as if it had panicked at once.
    pub(crate) fail: unsafe fn(TaskRef, Box<dyn Any + Send>),
    pub(crate) dealloc: unsafe fn(TaskRef),
    /// Where in the block the stage begins; it depends on the alignment of closure and result.
    pub(crate) stage_offset: usize,
    pub(crate) block: Kind,
}

impl Header {
    /// `references` with the state of an async task.
    #[inline(always)]
    pub(crate) fn new(references: u32, vtable: &'static Vtable, meta: MetaInit, id: u64) -> Header {
        Header {
            references: AtomicU32::new(references),
            place: AtomicU32::new(PLACE_TRANSIT),
            vtable,
            next: AtomicPtr::new(ptr::null_mut()),
            prev: AtomicPtr::new(ptr::null_mut()),
            meta: meta.into_raw(),
            joiner: AtomicPtr::new(ptr::null_mut()),
            parker: Parker::new(),
            id: AtomicU64::new(id),
        }
    }
}

/// The control block of a started coroutine, at the top of its stack.
#[repr(C, align(16))]
pub(crate) struct Control {
    /// Read by the overflow report, which finds the block from the stack's top alone.
    pub(crate) task: Cell<Option<TaskRef>>,
    pub(crate) stack: Cell<Option<Pooled>>,
    pub(crate) locals: LocalMap,
    /// What the coroutine is inside of.
    pub(crate) innermost: Innermost,
    /// The callbacks of futures that the coroutine is busy with.
    pub(crate) callbacks: Place,
}

/// A pointer to a task that is known to be alive, without a say in how long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TaskRef(pub(crate) NonNull<Header>);

// SAFETY: the header is made of atomics and immutable fields; the stage is only touched under the rules above.
unsafe impl Send for TaskRef {}

impl TaskRef {
    #[inline(always)]
    pub(crate) fn header(&self) -> &Header {
        // SAFETY: a `TaskRef` points to a live block: whoever holds one holds or borrows a reference.
        unsafe { self.0.as_ref() }
    }

    /// # Safety
    /// The coroutine must be unstarted, out of every list, and be run on the stack that `control` describes.
    #[inline(always)]
    pub(crate) unsafe fn run(self, control: &Control) {
        // SAFETY: the same contract.
        unsafe { (self.header().vtable.run)(self, control) }
    }

    /// # Safety
    /// The coroutine must be unstarted and out of every list.
    pub(crate) unsafe fn fail(self, payload: Box<dyn Any + Send>) {
        // SAFETY: the same contract.
        unsafe { (self.header().vtable.fail)(self, payload) }
    }

    #[inline]
    pub(crate) fn retain(self) {
        let references = &self.header().references;
        let before = references.fetch_add(REFERENCE, Ordering::Relaxed);
        if before > u32::MAX / 2 {
            too_many_handles();
        }
    }

    /// Gives up one reference; the last one frees the block.
    #[inline]
    pub(crate) fn release(self) {
        let references = &self.header().references;
        // Alone already: nobody else can make a new reference, so the decrement can be spared.
        if references.load(Ordering::Acquire) >= 2 * REFERENCE {
            if references.fetch_sub(REFERENCE, Ordering::Release) >= 2 * REFERENCE {
                return;
            }
            // Pairs with the releases above: what other threads did with the block comes before its end.
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last reference.
        unsafe { self.free() }
    }

    /// # Safety
    /// Nobody has a reference any more.
    #[inline(always)]
    pub(crate) unsafe fn free(self) {
        // SAFETY: as the caller promises.
        unsafe { (self.header().vtable.dealloc)(self) }
    }

    /// Is it polled: an async task, or a migratable coroutine?
    #[inline(always)]
    pub(crate) fn is_guest(self) -> bool {
        self.header().meta.addr() & GUEST != 0
    }

    /// Is it a migratable coroutine?
    #[inline(always)]
    pub(crate) fn is_migrant(self) -> bool {
        self.header().meta.addr() & MIGRANT != 0
    }

    /// What a migratable coroutine has besides.
    #[inline]
    pub(crate) fn migrant(&self) -> Option<&Migrant> {
        self.meta_ref().ok()?.migrant.as_ref()
    }

    /// Must it be run from the idle context: what is polled, or a coroutine with a stack of its own size?
    #[inline(always)]
    pub(crate) fn needs_idle(self) -> bool {
        self.header().meta.addr() & (BOXED | GUEST) != 0
            && (self.is_guest() || self.stack_size() != 0)
    }

    /// Stores a joiner of a coroutine that cannot end meanwhile: one that the caller has taken out of its list.
    #[inline(always)]
    pub(crate) fn set_joiner_of_unstarted(self, signal: &Signal) {
        let signal = ptr::from_ref(signal).cast_mut();
        self.header().joiner.store(signal, Ordering::Release);
    }

    /// Takes such a joiner back, unless the coroutine has ended. It was started on the calling thread's worker, and so does not run meanwhile.
    #[cold]
    pub(crate) fn take_back_joiner_here(self) -> bool {
        let going_on = self.ended().is_none();
        if going_on {
            self.header()
                .joiner
                .store(ptr::null_mut(), Ordering::Relaxed);
        }
        going_on
    }

    pub(crate) fn id(self) -> NonZeroU64 {
        let id = self.header().id.load(Ordering::Relaxed) & !(CANCELLED | COUNTED);
        NonZeroU64::new(id).unwrap_or(NonZeroU64::MIN)
    }

    /// Marks it as cancelled. Returns whether it had not been, and has not ended.
    pub(crate) fn mark_cancelled(self) -> bool {
        let before = self.header().id.fetch_or(CANCELLED, Ordering::SeqCst);
        before & CANCELLED == 0 && self.ended().is_none()
    }

    #[inline(always)]
    pub(crate) fn is_cancelled(self) -> bool {
        self.header().id.load(Ordering::Relaxed) & CANCELLED != 0
    }

    /// For its worker: counts a coroutine that was cancelled. Returns false if there is nothing new to count.
    pub(crate) fn count_cancellation(self) -> bool {
        self.is_cancelled() && self.header().id.fetch_or(COUNTED, Ordering::Relaxed) & COUNTED == 0
    }

    pub(crate) fn has_started(self) -> bool {
        // Acquire pairs with the release in `Worker::begin`: the rest of the block can be read.
        let place = self.header().place.load(Ordering::Acquire);
        place == PLACE_RUNNING || place == PLACE_SUSPENDED
    }

    pub(crate) fn meta_ref(&self) -> Result<&Meta, &'static Location<'static>> {
        let raw = self.header().meta;
        let bare = raw.map_addr(|a| a & !MARKS);
        if raw.addr() & BOXED != 0 {
            // SAFETY: so marked it is a boxed `Meta`, which lives as long as the block.
            Ok(unsafe { &*bare.cast::<Meta>() })
        } else {
            // SAFETY: else it came from a `&'static Location`.
            Err(unsafe { &*bare.cast::<Location<'static>>() })
        }
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.meta_ref().ok()?.name.as_deref()
    }

    pub(crate) fn site(&self) -> &'static Location<'static> {
        self.meta_ref().map_or_else(|site| site, |meta| meta.site)
    }

    /// The place of what it has inherited, if there can be anything.
    #[inline(always)]
    pub(crate) fn inherited(&self) -> Option<&Cell<Option<Bindings>>> {
        Some(&self.meta_ref().ok()?.inherited)
    }

    #[inline]
    pub(crate) fn stack_size(&self) -> usize {
        self.meta_ref().map_or(0, |meta| meta.stack_size)
    }
}

impl Meta {
    pub(crate) fn new(site: &'static Location<'static>) -> Meta {
        Meta {
            site,
            name: None,
            stack_size: 0,
            inherited: Cell::new(None),
            foreign: Cell::new(ptr::null()),
            migrant: None,
        }
    }
}

/// The first value of a block's meta field.
pub(crate) enum MetaInit {
    Site(&'static Location<'static>),
    Full(Box<Meta>),
    /// That of an async task: from `of_guest`.
    Guest(*mut ()),
}

impl MetaInit {
    #[inline(always)]
    fn into_raw(self) -> *mut () {
        match self {
            MetaInit::Site(site) => ptr::from_ref(site).cast_mut().cast(),
            MetaInit::Full(meta) => {
                let marks = BOXED | (usize::from(meta.migrant.is_some()) * MIGRANT);
                Box::into_raw(meta).cast::<()>().map_addr(|a| a | marks)
            }
            MetaInit::Guest(raw) => raw,
        }
    }

    /// The same for an async task.
    #[inline(always)]
    pub(crate) fn of_guest(self) -> MetaInit {
        MetaInit::Guest(self.into_raw().map_addr(|a| a | GUEST))
    }
}

/// Frees what the block's meta field owns.
///
/// # Safety
/// The block is being freed.
#[inline(always)]
pub(crate) unsafe fn free_meta(task: TaskRef) {
    let meta = task.header().meta;
    if meta.addr() & BOXED != 0 {
        // SAFETY: a boxed `Meta`, which is not used again.
        drop(unsafe { Box::from_raw(meta.map_addr(|a| a & !MARKS).cast::<Meta>()) });
    }
}

/// Handles that are forgotten are counted for ever. As std does for `Arc`, this ends the process: after a panic one could go on and
/// overflow the count.
#[cold]
fn too_many_handles() -> ! {
    eprintln!("fatal: more than 2^26 handles to one coroutine");
    process::abort();
}

/// The destructor of a panic's payload may panic as well, and nobody is there to take that.
pub(crate) fn forget_payload(payload: Box<dyn Any + Send>) {
    if let Err(second) = panic::catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        mem::forget(second);
    }
}

/// Runs a destructor of the user's in a place that cannot unwind: a result that nobody will see, a closure that never ran.
/// std ends the process in the same case; so does this, with a message of its own.
pub(crate) fn abort_on_panic(f: impl FnOnce()) {
    if panic::catch_unwind(AssertUnwindSafe(f)).is_err() {
        eprintln!(
            "fatal: a coroutine's unread result or unused closure panicked in its destructor"
        );
        process::abort();
    }
}
