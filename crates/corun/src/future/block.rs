//! What a promise and its futures share: a counted block with the outcome and those who wait for it.
//!
//! # Invariants
//! - `phase` leaves `PENDING` once, under the lock, after the outcome was written, and with release: who reads another phase with acquire may
//!   read the outcome, without the lock. Nobody changes it from then on; it is moved out by an owner who shares it with nobody, which notes
//!   `TAKEN` for the last handle to see, and nobody else looks at it.
//! - Waiters and callbacks are added under the lock, while the phase is `PENDING`. Who ends that unlinks and claims each waiter under the lock, and
//!   wakes it after: a waker is foreign code. So are callbacks: they stay where they are, and nobody adds any, until they are taken out under the
//!   lock and called after it, each once, in order of arrival.
//! - A waiter that gives up unlinks itself under the lock before it goes. If it is linked no more, the outcome is there, and it does not give up.
//! - Whoever works on a block has a reference to it: also the one that wakes others, which may drop theirs at once.
//! - The number of references tells the promise whether anybody could want the value: without callbacks, and alone with the block, it is nobody.
//!
//! Rejected: a state machine in one atomic word (cancelling, several waiters and callbacks make it a lock in disguise, and the one exchange that
//! it saves is not what a future costs); `Arc` (eight bytes more, and a weak count that nobody uses).
//!
//! Checked by `tests/models/future/promises.rs` in every interleaving; behaviour by `tests/future/promise.rs`.

use std::cell::UnsafeCell;
use std::mem::{self, MaybeUninit};
use std::ptr::{self, NonNull};
use std::task::Waker;
use std::time::Instant;

use super::callback::{Callback, Link, contain, in_turn, take_turn};
use super::rejected::Rejected;
use crate::cancel::limit::Limit;
use crate::inspect::points;
use crate::primitive::atomic::{AtomicU32, Ordering, fence};
use crate::scheduler;
use crate::scheduler::lock::SpinLock;
use crate::sync::waiters::{Waiter, Waiters, wake_in_batches};

const PENDING: u32 = 0;
const RESOLVED: u32 = 1;
const REJECTED: u32 = 2;
const TAKEN: u32 = 3;

/// How far a future has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The promise was not kept yet.
    Pending,
    /// There is a value.
    Resolved,
    /// There is an error, or there will never be anything.
    Rejected,
}

pub(super) type Outcome<T, E> = Result<T, Rejected<E>>;

/// The link comes first, so that it can be taken for the block.
#[repr(C)]
pub(super) struct Block<T, E> {
    link: Link,
    references: AtomicU32,
    phase: AtomicU32,
    inner: SpinLock<Inner<T, E>>,
    outcome: UnsafeCell<MaybeUninit<Outcome<T, E>>>,
}

struct Inner<T, E> {
    waiters: Waiters,
    first: Option<Callback<Block<T, E>>>,
    /// The other callbacks, the last one first.
    more: *mut More<T, E>,
}

// SAFETY: waiters and callbacks are `Send`; the rest of the list is owned.
unsafe impl<T, E> Send for Inner<T, E> {}

struct More<T, E> {
    callback: Callback<Block<T, E>>,
    next: *mut More<T, E>,
}

/// A counted reference to a block.
pub struct Handle<T, E>(NonNull<Block<T, E>>);

// Whether handles may go to other threads is for those to say that have them: a promise gives away, a shared future shows.

impl<T, E> Handle<T, E> {
    /// A block, and two references to it.
    #[inline]
    pub(super) fn pair() -> (Handle<T, E>, Handle<T, E>) {
        let block = Box::new(Block {
            link: Link::new(),
            references: AtomicU32::new(2),
            phase: AtomicU32::new(PENDING),
            inner: SpinLock::new(Inner {
                waiters: Waiters::new(),
                first: None,
                more: ptr::null_mut(),
            }),
            outcome: UnsafeCell::new(MaybeUninit::uninit()),
        });
        let block = NonNull::from(Box::leak(block));
        (Handle(block), Handle(block))
    }

    /// A handle without a reference of its own: in the place of one that was forgotten.
    pub(super) fn same(&self) -> Handle<T, E> {
        Handle(self.0)
    }

    #[inline(always)]
    pub(super) fn block(&self) -> &Block<T, E> {
        // SAFETY: a handle is a counted reference.
        unsafe { self.0.as_ref() }
    }

    /// Moves the outcome out.
    ///
    /// # Safety
    /// It must be there, and no other handle ever look at it.
    #[inline]
    pub(super) unsafe fn take(self) -> Outcome<T, E> {
        // SAFETY: by the contract.
        unsafe { self.block().take() }
    }

    /// Writes the outcome, wakes all who wait for it, and calls the callbacks.
    ///
    /// # Errors
    /// Gives it back if there is one already.
    pub(super) fn complete(&self, outcome: Outcome<T, E>) -> Result<(), Outcome<T, E>> {
        let phase = match &outcome {
            Ok(_) => RESOLVED,
            Err(_) => REJECTED,
        };
        let block = self.block();
        let inner = block.inner.lock();
        if block.phase.load(Ordering::Relaxed) != PENDING {
            drop(inner);
            return Err(outcome);
        }
        // SAFETY: nobody looks at it while the phase is `PENDING`, and this is under the lock.
        unsafe { (*block.outcome.get()).write(outcome) };
        // Release: the outcome comes before.
        block.phase.store(phase, Ordering::Release);
        let (waited_for, called) = (!inner.waiters.is_empty(), inner.first.is_some());
        drop(inner);
        points::future_completed(self.0.as_ptr().addr(), phase == RESOLVED);
        if waited_for {
            block.wake_all();
        }
        if called {
            self.call_all();
        }
        Ok(())
    }

    #[inline(never)]
    fn call_all(&self) {
        // Given up by `run`.
        self.block().retain();
        let link = self.0.as_ptr().cast::<Link>();
        // SAFETY: the reference keeps it. Callbacks are there to be called once, as the phase changes once.
        unsafe { take_turn(link, Block::<T, E>::run) };
    }

    /// Is this the only handle?
    pub(super) fn is_alone(&self) -> bool {
        // Acquire pairs with the release of the others' ends: what they did comes before.
        self.block().references.load(Ordering::Acquire) == 1
    }
}

impl<T, E> Clone for Handle<T, E> {
    fn clone(&self) -> Handle<T, E> {
        self.block().retain();
        Handle(self.0)
    }
}

impl<T, E> Drop for Handle<T, E> {
    #[inline]
    fn drop(&mut self) {
        let references = &self.block().references;
        // Alone already: nobody else can make a new reference, so the decrement can be spared.
        if references.load(Ordering::Acquire) != 1 {
            if references.fetch_sub(1, Ordering::Release) != 1 {
                return;
            }
            // Pairs with the releases of the others.
            fence(Ordering::Acquire);
        }
        // SAFETY: this was the last reference.
        drop(unsafe { Box::from_raw(self.0.as_ptr()) });
    }
}

impl<T, E> Drop for Block<T, E> {
    #[inline]
    fn drop(&mut self) {
        let phase = self.phase.load(Ordering::Relaxed);
        if phase == RESOLVED || phase == REJECTED {
            // SAFETY: it was written, and not moved out.
            unsafe { self.outcome.get_mut().assume_init_drop() };
        }
    }
}

impl<T, E> Block<T, E> {
    /// Counts one more reference.
    fn retain(&self) {
        let before = self.references.fetch_add(1, Ordering::Relaxed);
        // Handles that are forgotten are counted for ever.
        if before > u32::MAX / 2 {
            eprintln!("fatal: more than 2^31 handles to one future");
            std::process::abort();
        }
    }

    #[inline]
    pub(super) fn state(&self) -> State {
        // Acquire pairs with the release in `complete`.
        match self.phase.load(Ordering::Acquire) {
            PENDING => State::Pending,
            RESOLVED => State::Resolved,
            _ => State::Rejected,
        }
    }

    #[inline]
    pub(super) fn is_complete(&self) -> bool {
        self.state() != State::Pending
    }

    /// The outcome, if it is there. Not for those that may see it `TAKEN`.
    #[inline]
    pub(super) fn outcome(&self) -> Option<Result<&T, &Rejected<E>>> {
        // SAFETY: written before the phase changed, and not changed since.
        self.is_complete()
            .then(|| unsafe { (*self.outcome.get()).assume_init_ref() }.as_ref())
    }

    /// Moves the outcome out.
    ///
    /// # Safety
    /// As [`Handle::take`].
    #[inline]
    pub(super) unsafe fn take(&self) -> Outcome<T, E> {
        // Whoever has completed it may still have a handle, but looks at it no more.
        self.phase.store(TAKEN, Ordering::Relaxed);
        // SAFETY: by the contract.
        unsafe { (*self.outcome.get()).assume_init_read() }
    }

    /// Could anybody want the value? For the promise to ask, whose reference is one of them.
    pub(super) fn is_wanted(&self) -> bool {
        if self.is_complete() {
            return false;
        }
        // If there is no other, nobody can come any more. Acquire: a callback that the last one has left is seen.
        self.references.load(Ordering::Acquire) != 1 || self.inner.lock().first.is_some()
    }

    #[inline(never)]
    fn wake_all(&self) {
        wake_in_batches(|batch| {
            let mut inner = self.inner.lock();
            while !inner.waiters.is_empty() {
                if batch.is_full() {
                    return true;
                }
                batch.extend(inner.waiters.call_first());
            }
            false
        });
    }

    /// # Safety
    /// For `call_all`: it uses up a reference.
    unsafe fn run(link: *const Link) {
        // SAFETY: the link is the first field of a block, to which there is a reference.
        let handle =
            Handle(unsafe { NonNull::new_unchecked(link.cast_mut().cast::<Block<T, E>>()) });
        let block = handle.block();
        let mut inner = block.inner.lock();
        let first = inner.first.take();
        let mut rest = mem::replace(&mut inner.more, ptr::null_mut());
        drop(inner);
        if let Some(first) = first {
            first.call(block);
        }
        let mut in_order: *mut More<T, E> = ptr::null_mut();
        // SAFETY: the list is owned by this call.
        while let Some(more) = unsafe { rest.as_mut() } {
            let next = mem::replace(&mut more.next, in_order);
            in_order = mem::replace(&mut rest, next);
        }
        while !in_order.is_null() {
            // SAFETY: as above; each was made by `add_more`.
            let more = unsafe { Box::from_raw(in_order) };
            in_order = more.next;
            more.callback.call(block);
        }
        // This may be the last reference, and the value's destructor panic.
        contain(|| drop(handle));
    }

    /// Has the closure called with the block when it is complete: at once, if it is so already.
    ///
    /// # Safety
    /// The closure may be called by any thread that has a handle, and has to allow that.
    pub(super) unsafe fn on_complete<F: FnOnce(&Block<T, E>)>(&self, f: F) {
        // SAFETY: by the contract; callbacks are called as every promise is kept, or dropped.
        let callback = unsafe { Callback::new(f) };
        if self.is_complete() {
            return in_turn(|| callback.call(self));
        }
        let mut inner = self.inner.lock();
        if inner.first.is_none() && self.phase.load(Ordering::Relaxed) == PENDING {
            inner.first = Some(callback);
            return;
        }
        drop(inner);
        self.add_more(callback);
    }

    #[cold]
    fn add_more(&self, callback: Callback<Block<T, E>>) {
        let mut more = Box::new(More {
            callback,
            next: ptr::null_mut(),
        });
        let mut inner = self.inner.lock();
        if self.phase.load(Ordering::Relaxed) == PENDING {
            more.next = inner.more;
            inner.more = Box::into_raw(more);
            return;
        }
        drop(inner);
        in_turn(|| more.callback.call(self));
    }

    /// Waits until it is complete, or until `deadline`. Returns whether it is.
    pub(super) fn wait(&self, deadline: Option<Instant>) -> bool {
        if self.is_complete() {
            scheduler::safepoint();
            return true;
        }
        let limit = Limit::new(deadline);
        let waiter = Waiter::new(0, &limit);
        let mut inner = self.inner.lock();
        if self.phase.load(Ordering::Relaxed) != PENDING {
            return true;
        }
        // SAFETY: the waiter stays in this frame until it was unlinked: by whoever completes the block, or below.
        unsafe { inner.waiters.push_back(&waiter) };
        drop(inner);
        points::future_pending(ptr::from_ref(self).addr());
        let mut left = false;
        let told = limit.wait(&waiter.signal, || {
            left = self.inner.lock().waiters.remove(&waiter);
            left
        });
        if told || !left {
            return true;
        }
        limit.expired();
        false
    }
}

/// The waiter of an async task.
pub(super) struct TaskWaiter(Option<Waiter>);

impl TaskWaiter {
    pub(super) fn new() -> TaskWaiter {
        TaskWaiter(None)
    }

    /// Is the block complete? If not, the task will be woken when it is.
    ///
    /// # Safety
    /// It is always the same block. `self` stays where it is from now on until `leave` was called.
    pub(super) unsafe fn poll<T, E>(&mut self, block: &Block<T, E>, waker: &Waker) -> bool {
        if block.is_complete() {
            return true;
        }
        // Cloned and dropped without the lock, as it is foreign code.
        let mut newest = waker.clone();
        let fresh = self.0.is_none();
        let waiter = self.0.get_or_insert_with(|| Waiter::for_task(0, waker));
        let mut inner = block.inner.lock();
        if block.phase.load(Ordering::Relaxed) != PENDING {
            return true;
        }
        if fresh {
            // SAFETY: by the contract.
            unsafe { inner.waiters.push_back(waiter) };
        } else {
            // SAFETY: under the lock of the list.
            unsafe { waiter.signal.poll(&mut newest) };
        }
        drop(inner);
        if fresh {
            points::future_pending(ptr::from_ref(block).addr());
        }
        false
    }

    /// Unlinks the waiter, if it is linked.
    pub(super) fn leave<T, E>(&mut self, block: &Block<T, E>) {
        if let Some(waiter) = &self.0 {
            block.inner.lock().waiters.remove(waiter);
            self.0 = None;
        }
    }
}
