//! What a promise and its futures share: a counted block with the outcome and those who wait for it.
//!
//! # Invariants
//! - `phase` leaves `PENDING` once, under the lock, after the outcome was written, and with release: who reads another phase with acquire may
//!   read the outcome, without the lock. Nobody changes it from then on; it is moved out by an owner who shares it with nobody, which notes
//!   `TAKEN` for the last handle to see, and nobody else looks at it. Which of value and error the outcome is, the phase says, and nothing else.
//! - `inner` is for whoever holds the lock. The two lie apart, as the lock's byte fits beside the phase: together they would take eight bytes more.
//! - Waiters and callbacks are added under the lock, while the phase is `PENDING`. Who ends that unlinks and claims each waiter under the lock, and
//!   wakes it after: a waker is foreign code. So are callbacks: they stay where they are, and nobody adds any, until they are taken out under the
//!   lock and called after it, each once, in order of arrival.
//! - The list of waiters and the link share a place. It is the link's from when the last waiter was unlinked after the phase has changed, since
//!   nobody links another from then on: so who is not linked does not look at the list.
//! - A waiter that gives up unlinks itself under the lock before it goes. If it is linked no more, the outcome is there, and it does not give up. How they wait
//!   is in `waits.rs`.
//! - Whoever works on a block has a reference to it: also the one that wakes others, which may drop theirs at once.
//! - The number of references tells the promise whether anybody could want the value: without callbacks, and alone with the block, it is nobody.
//!
//! Rejected: a state machine in one atomic word (cancelling, several waiters and callbacks make it a lock in disguise, and the one exchange that
//! it saves is not what a future costs); `Arc` (eight bytes more, and a weak count that nobody uses).
//!
//! Checked by `tests/models/future/promises.rs` in every interleaving; behaviour by `tests/future/promise.rs`.

use std::cell::UnsafeCell;
use std::mem::{self, ManuallyDrop};
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use super::callback::{Callback, Link, contain, in_turn, take_turn};
use super::rejected::Rejected;
use crate::inspect::points;
use crate::primitive::atomic::{AtomicU8, AtomicU32, Ordering, fence};
use crate::scheduler::lock::{SpinGuard, SpinLock};
use crate::sync::waiters::{Waiter, Waiters};

pub(super) const PENDING: u8 = 0;
const RESOLVED: u8 = 1;
const REJECTED: u8 = 2;
const TAKEN: u8 = 3;

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

/// The line comes first, so that the link in it can be taken for the block.
#[repr(C)]
pub(super) struct Block<T, E> {
    line: UnsafeCell<Line>,
    references: AtomicU32,
    pub(super) phase: AtomicU8,
    lock: SpinLock<()>,
    /// Is it the beginning of a [`Noted`]?
    is_noted: bool,
    inner: UnsafeCell<Inner<T, E>>,
    settled: UnsafeCell<Settled<T, E>>,
}

/// Those who wait while there is no outcome; and after them, if callbacks have to queue up, the block itself.
#[repr(C)]
union Line {
    waiters: ManuallyDrop<Waiters>,
    link: ManuallyDrop<Link>,
}

/// A block with a word of the promise's own behind it.
#[repr(C)]
struct Noted<T, E> {
    block: Block<T, E>,
    note: usize,
}

/// The outcome, once it is there: the phase says what it is.
union Settled<T, E> {
    pending: (),
    value: ManuallyDrop<T>,
    error: ManuallyDrop<Rejected<E>>,
}

pub(super) struct Inner<T, E> {
    first: Option<Callback<Block<T, E>>>,
    /// The other callbacks, the last one first.
    more: *mut More<T, E>,
}

struct More<T, E> {
    callback: Callback<Block<T, E>>,
    next: *mut More<T, E>,
}

/// The lock of a block, held: what it guards.
pub(super) struct Held<'a, T, E> {
    block: &'a Block<T, E>,
    _lock: SpinGuard<'a, ()>,
}

impl<T, E> Held<'_, T, E> {
    /// Those who wait.
    ///
    /// # Safety
    /// Somebody is linked, or may still be: the block is pending, or this is who has completed it, before callbacks are called.
    #[inline(always)]
    pub(super) unsafe fn waiters(&mut self) -> &mut Waiters {
        // SAFETY: by the contract, and the lock stands for exclusive access.
        unsafe { &mut (*self.block.line.get()).waiters }
    }

    /// Unlinks a waiter, if it is linked. Returns whether it was.
    pub(super) fn remove(&mut self, waiter: &Waiter) -> bool {
        // SAFETY: it is linked.
        waiter.is_linked() && unsafe { self.waiters() }.remove(waiter)
    }
}

impl<T, E> Deref for Held<'_, T, E> {
    type Target = Inner<T, E>;
    #[inline(always)]
    fn deref(&self) -> &Inner<T, E> {
        // SAFETY: the lock stands for exclusive access.
        unsafe { &*self.block.inner.get() }
    }
}

impl<T, E> DerefMut for Held<'_, T, E> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut Inner<T, E> {
        // SAFETY: as above.
        unsafe { &mut *self.block.inner.get() }
    }
}

/// A counted reference to a block.
pub struct Handle<T, E>(NonNull<Block<T, E>>);

// Whether handles may go to other threads is for those to say that have them: a promise gives away, a shared future shows.

impl<T, E> Handle<T, E> {
    /// A block, and two references to it.
    #[inline]
    pub(super) fn pair() -> (Handle<T, E>, Handle<T, E>) {
        let block = NonNull::from(Box::leak(Box::new(Block::new(false))));
        (Handle(block), Handle(block))
    }

    /// The same, with a word that the promise keeps until it is needed.
    pub(super) fn pair_with_note(note: usize) -> (Handle<T, E>, Handle<T, E>) {
        let block = Block::<T, E>::new(true);
        let noted = NonNull::from(Box::leak(Box::new(Noted { block, note })));
        (Handle(noted.cast()), Handle(noted.cast()))
    }

    /// The word; 0 if there is none.
    pub(super) fn note(&self) -> usize {
        if !self.block().is_noted {
            return 0;
        }
        // SAFETY: made by `pair_with_note`. The word never changes.
        unsafe { (*self.0.cast::<Noted<T, E>>().as_ptr()).note }
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
        let block = self.block();
        let mut inner = block.lock();
        if block.phase.load(Ordering::Relaxed) != PENDING {
            drop(inner);
            return Err(outcome);
        }
        let (phase, settled) = match outcome {
            Ok(value) => (
                RESOLVED,
                Settled {
                    value: ManuallyDrop::new(value),
                },
            ),
            Err(error) => (
                REJECTED,
                Settled {
                    error: ManuallyDrop::new(error),
                },
            ),
        };
        // SAFETY: nobody looks at it while the phase is `PENDING`, and this is under the lock.
        unsafe { block.settled.get().write(settled) };
        // Release: the outcome comes before.
        block.phase.store(phase, Ordering::Release);
        // SAFETY: callbacks are called below.
        let waiters = unsafe { inner.waiters() };
        // Mostly there is one, and so no need to gather them.
        let first = match waiters.is_empty() {
            true => None,
            false => waiters.call_first(),
        };
        let there_are_more = !waiters.is_empty();
        let called = inner.first.is_some();
        drop(inner);
        points::future_completed(self.0.as_ptr().addr(), phase == RESOLVED);
        if there_are_more {
            block.wake_all(first);
        } else if let Some(first) = first {
            first.wake();
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
        // Not by way of a reference to the line: `run` makes a handle of it, which frees the whole block, and what may be behind it.
        let link = self.0.as_ptr().cast::<Link>();
        // SAFETY: the link is at the beginning of the block. Nobody is linked, nor will be. The reference keeps the block. Callbacks are there to be called
        // once, as the phase changes once.
        unsafe {
            link.write(Link::new());
            take_turn(link, Block::<T, E>::run);
        }
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
        // SAFETY: this was the last reference; the box is the one that it was made in.
        unsafe {
            if self.block().is_noted {
                drop(Box::from_raw(self.0.cast::<Noted<T, E>>().as_ptr()));
            } else {
                drop(Box::from_raw(self.0.as_ptr()));
            }
        }
    }
}

impl<T, E> Drop for Block<T, E> {
    #[inline]
    fn drop(&mut self) {
        let settled = self.settled.get_mut();
        // SAFETY: the phase says what is there, and that it was not moved out.
        unsafe {
            match self.phase.load(Ordering::Relaxed) {
                RESOLVED => ManuallyDrop::drop(&mut settled.value),
                REJECTED => ManuallyDrop::drop(&mut settled.error),
                _ => {}
            }
        }
    }
}

impl<T, E> Block<T, E> {
    #[inline(always)]
    fn new(is_noted: bool) -> Block<T, E> {
        Block {
            line: UnsafeCell::new(Line {
                waiters: ManuallyDrop::new(Waiters::new()),
            }),
            references: AtomicU32::new(2),
            phase: AtomicU8::new(PENDING),
            lock: SpinLock::new(()),
            is_noted,
            inner: UnsafeCell::new(Inner {
                first: None,
                more: ptr::null_mut(),
            }),
            settled: UnsafeCell::new(Settled { pending: () }),
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> Held<'_, T, E> {
        Held {
            _lock: self.lock.lock(),
            block: self,
        }
    }

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
        let settled = self.settled.get();
        // Acquire pairs with the release in `complete`.
        let phase = self.phase.load(Ordering::Acquire);
        // SAFETY: written before the phase changed, and not changed since.
        unsafe {
            match phase {
                RESOLVED => Some(Ok(&*(*settled).value)),
                REJECTED => Some(Err(&*(*settled).error)),
                _ => None,
            }
        }
    }

    /// Moves the outcome out.
    ///
    /// # Safety
    /// As [`Handle::take`].
    #[inline]
    pub(super) unsafe fn take(&self) -> Outcome<T, E> {
        let settled = self.settled.get();
        let phase = self.phase.load(Ordering::Relaxed);
        // Whoever has completed it may still have a handle, but looks at it no more.
        self.phase.store(TAKEN, Ordering::Relaxed);
        // SAFETY: by the contract one of the two is there, and the phase that was seen says which. It is moved out once.
        unsafe {
            match phase {
                RESOLVED => Ok(ManuallyDrop::take(&mut (*settled).value)),
                _ => Err(ManuallyDrop::take(&mut (*settled).error)),
            }
        }
    }

    /// Could anybody want the value? For the promise to ask, whose reference is one of them.
    pub(super) fn is_wanted(&self) -> bool {
        if self.is_complete() {
            return false;
        }
        // If there is no other, nobody can come any more. Acquire: a callback that the last one has left is seen.
        self.references.load(Ordering::Acquire) != 1 || self.lock().first.is_some()
    }

    /// # Safety
    /// For `call_all`: it uses up a reference.
    unsafe fn run(link: *const Link) {
        // SAFETY: the link is at the beginning of a block, to which there is a reference.
        let handle =
            Handle(unsafe { NonNull::new_unchecked(link.cast_mut().cast::<Block<T, E>>()) });
        let block = handle.block();
        let mut inner = block.lock();
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
        let mut inner = self.lock();
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
        let mut inner = self.lock();
        if self.phase.load(Ordering::Relaxed) == PENDING {
            more.next = inner.more;
            inner.more = Box::into_raw(more);
            return;
        }
        drop(inner);
        in_turn(|| more.callback.call(self));
    }
}
