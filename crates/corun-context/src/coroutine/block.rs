//! The control block of a coroutine, which lies at the top of the coroutine's own stack:
//!
//! ```text
//!   stack.top()    |  the stack's owner `S`, the closure `F` until the first resume   |
//!                  |  Header                                                          |  <- every handle points here
//!                  |  frames of the coroutine                                         |
//!   stack.limit()  |                                                                  |
//! ```
//!
//! # Invariants
//! 1. The stack is freed by [`release`] alone, and only in the states UNSTARTED (nothing ever ran on it) and DEAD (all that ran
//!    on it has returned or was unwound). Whatever cannot be brought into one of these is leaked.
//! 2. `peer` holds the one context that is suspended: the coroutine's own while it is suspended, its resumer's while it is active.
//! 3. The argument of a switch into a coroutine is the address of the input, which lies in the frame of whoever continues it, or
//!    0 for "unwind". The argument of a switch out of it is the address of a [`Slot`] with the yielded value, in the frame of whoever
//!    answers; or, in the rare cases that [`settle`] sorts out, the address of the header of whoever answers, plus 1, and its
//!    `message` points to the answer. All these are read before anything else happens, while the frame is suspended.
//! 4. The header is used by one OS thread only, so plain cells do. It is reached through raw pointers and shared references.
//!
//! A coroutine on a stack that it shares (flag SHARED) has its block on the heap: `shared` says what is different then.
//!
//! Rejected: keeping the block in a heap allocation (one more allocation and one more cache line per switch); a guard object
//! whose destructor ends a borrowing coroutine (a forgotten guard leaves frames that refer to freed memory).

use core::cell::Cell;
use core::mem::{self, ManuallyDrop};
use core::ptr;

use super::running::{self, CoroutineId};
use super::shared;
use super::suspender::Suspender;
use super::unwind::{self, Payload};
use crate::raw::{self, Context};
use crate::stack::Stack;

/// Suspended and ready to be resumed: the common case is zero.
pub(super) const SUSPENDED: u32 = 0;
/// Never resumed; the closure lies in the block.
pub(super) const UNSTARTED: u32 = 1;
/// Suspended while the thread was panicking. A second unwinding would meet the first one, so this one is never unwound by a drop.
pub(super) const PANICKING: u32 = 1 << 1;
/// Running, or waiting for a coroutine that it resumed.
pub(super) const ACTIVE: u32 = 1 << 2;
/// Returned, panicked or unwound.
pub(super) const DEAD: u32 = 1 << 3;
/// Its handle was dropped while it was active; whoever receives its answer releases it.
pub(super) const ORPHAN: u32 = 1 << 4;
/// Active in order to be unwound.
pub(super) const UNWINDING: u32 = 1 << 5;
/// A flag that stays: the coroutine is on a stack that it shares, and this [`Header`] is the beginning of a `shared::seat::Seat`.
pub(super) const SHARED: u32 = 1 << 6;

/// What [`Block`]s of all types begin with.
pub(super) struct Header {
    /// See invariant 2.
    pub(super) peer: Cell<Context>,
    pub(super) state: Cell<u32>,
    /// See invariant 3: a `Slot<Yield>`, or an [`Outcome`] in state DEAD.
    pub(super) message: Cell<*mut ()>,
    pub(super) limit: usize,
    pub(super) destroy: unsafe fn(*const Header),
    pub(super) id: CoroutineId,
}

/// A yielded value, at an even address, to tell it from what [`settle`] gets.
#[repr(align(2))]
pub(super) struct Slot<T>(pub(super) T);

/// How a coroutine ended.
pub(super) type Outcome<R> = Result<R, Payload>;

#[repr(C, align(16))]
struct Block<F, S> {
    header: Header,
    stack: ManuallyDrop<S>,
    closure: ManuallyDrop<F>,
}

/// The least that must be left below the block: the first frames, and room for the unwinder.
pub(super) const LEAST_ROOM: usize = 2048 + raw::MIN_STACK;

/// Puts an unstarted coroutine on `stack`.
pub(super) fn create<I: 'static, Y: 'static, R: 'static, S, F>(
    stack: S,
    closure: F,
) -> *const Header
where
    S: Stack,
    F: FnOnce(&Suspender<I, Y, R>, I) -> R,
{
    let top = stack.top();
    let limit = stack.limit().addr();
    let align = align_of::<Block<F, S>>();
    let room = (top.addr() - limit).saturating_sub(LEAST_ROOM);
    assert!(
        room >= size_of::<Block<F, S>>() + align,
        "a stack of {} bytes is too small for a closure of {} bytes: box what it captures, or use a larger stack",
        top.addr() - limit,
        size_of::<F>(),
    );
    let address = (top.addr() - size_of::<Block<F, S>>()) & !(align - 1);
    let block = top.with_addr(address).cast::<Block<F, S>>();
    // SAFETY: `Stack` promises that limit..top is writable and nobody else's; the address is aligned and has the room checked above.
    unsafe {
        let context = raw::prepare_with_top(stack.limit(), block.cast(), entry::<I, Y, R, S, F>);
        block.write(Block {
            header: Header {
                peer: Cell::new(context),
                state: Cell::new(UNSTARTED),
                message: Cell::new(ptr::null_mut()),
                limit,
                destroy: destroy::<S, F>,
                id: CoroutineId::next(),
            },
            stack: ManuallyDrop::new(stack),
            closure: ManuallyDrop::new(closure),
        });
    }
    block.cast()
}

/// The first function on a coroutine's stack.
unsafe extern "C" fn entry<I: 'static, Y: 'static, R: 'static, S, F>(
    input: usize,
    top: *mut u8,
) -> !
where
    F: FnOnce(&Suspender<I, Y, R>, I) -> R,
{
    let block = top.cast::<Block<F, S>>();
    // SAFETY: `create` put the block there, and this runs once, which takes the closure; `input` is passed on.
    unsafe {
        let closure = ManuallyDrop::take(&mut (*block).closure);
        run::<I, Y, R, F>(block.cast(), closure, input)
    }
}

/// The life of a coroutine, on its own stack.
///
/// # Safety
/// `header` is that of the coroutine, which starts now; `closure` is its own; `input` is the argument with which it was continued.
#[inline(always)]
pub(super) unsafe fn run<I: 'static, Y: 'static, R: 'static, F>(
    header: *const Header,
    closure: F,
    input: usize,
) -> !
where
    F: FnOnce(&Suspender<I, Y, R>, I) -> R,
{
    // SAFETY: by invariant 3 `input` points to the input, since an unstarted coroutine is never asked to unwind.
    unsafe {
        let input = ptr::with_exposed_provenance::<I>(input).read();
        let mut outcome = ManuallyDrop::new(unwind::catch(move || {
            closure(&Suspender::new(header), input)
        }));
        (*header).message.set((&raw mut outcome).cast());
        (*header)
            .state
            .set((*header).state.get() & (ORPHAN | SHARED) | DEAD);
        raw::switch_final((*header).peer.get(), header.expose_provenance() + 1)
    }
}

/// Frees the stack, and the closure if it never ran.
///
/// # Safety
/// `header` is that of a `Block<F, S>` in state UNSTARTED or DEAD, and is not used again.
unsafe fn destroy<S, F>(header: *const Header) {
    let block = header.cast_mut().cast::<Block<F, S>>();
    // SAFETY: as promised by the caller. The stack's owner is moved away from the memory that it frees before it frees it,
    // which it does last, even if the closure's destructor panics.
    unsafe {
        let _stack = ManuallyDrop::take(&mut (*block).stack);
        if (*header).state.get() & UNSTARTED != 0 {
            ManuallyDrop::drop(&mut (*block).closure);
        }
    }
}

/// Whether the caller stands on this coroutine's stack.
///
/// # Safety
/// The header is alive.
pub(super) unsafe fn is_current_stack(header: *const Header) -> bool {
    let marker = 0u8;
    // SAFETY: promised by the caller.
    let (limit, end) = unsafe {
        let shared = (*header).state.get() & SHARED != 0;
        let end = if shared {
            shared::top(header)
        } else {
            header.addr()
        };
        ((*header).limit, end)
    };
    (limit..end).contains(&(&raw const marker).addr())
}

/// Continues a coroutine; returns the argument of the switch out of the one that answers, which is another one after a transfer.
///
/// # Safety
/// The coroutine is neither active nor dead, its state was set to ACTIVE, and `argument` is as invariant 3 says.
#[inline(always)]
pub(super) unsafe fn enter(header: *const Header, argument: usize) -> usize {
    // SAFETY: by invariant 2 `peer` is the suspended coroutine; it is read before the switch writes the resumer's context there.
    unsafe {
        let outer = running::swap((*header).id);
        let answer = raw::switch((*header).peer.as_ptr(), (*header).peer.get(), argument);
        running::swap(outer);
        answer
    }
}

/// Gives up the last handle: unwinds a suspended coroutine, then frees its stack; an active one is left to whoever receives its answer, and
/// one whose shared stack is in use to whoever leaves that.
///
/// # Safety
/// No handle to the coroutine is left, and `R` is its return type.
pub(super) unsafe fn release<R>(header: *const Header) {
    // SAFETY: the header stays alive until `destroy`.
    unsafe {
        let state = (*header).state.get();
        if state & ACTIVE != 0 {
            (*header).state.set(state | ORPHAN);
        } else if state & (UNSTARTED | DEAD) != 0 {
            ((*header).destroy)(header);
        } else if unwind::POSSIBLE && state & PANICKING == 0 {
            if state & SHARED != 0 && shared::occupy(header).is_err() {
                return shared::condemn(header);
            }
            (*header).state.set(state & SHARED | ACTIVE | UNWINDING);
            let answer = enter(header, 0);
            debug_assert_eq!(
                answer,
                header.addr() + 1,
                "a coroutine that is being unwound can neither suspend nor transfer"
            );
            let outcome = (*header).message.get().cast::<Outcome<R>>().read();
            ((*header).destroy)(header);
            // A `Return` is dropped here; a panic that a destructor raised on the way goes on in the caller.
            if let Err(payload) = outcome {
                unwind::propagate(payload);
            }
        }
    }
}

/// Reads an answer that is not simply a yielded value.
///
/// # Safety
/// `answer` is odd and was returned by [`enter`], for the types `Y` and `R`, and was not read yet.
#[cold]
#[inline(never)]
pub(super) unsafe fn settle<Y, R>(answer: usize) -> super::Resumed<Y, R> {
    let from = ptr::with_exposed_provenance::<Header>(answer - 1);
    // SAFETY: by invariant 3; the answer is read once, before the stack that holds it is released.
    unsafe {
        let state = (*from).state.get();
        let message = (*from).message.get();
        if state & DEAD == 0 {
            let value = message.cast::<Slot<Y>>().read().0;
            if state & ORPHAN != 0 {
                (*from).state.set(state & !ORPHAN);
                release::<R>(from);
            }
            return super::Resumed::Yield(value);
        }
        let outcome = message.cast::<Outcome<R>>().read();
        if state & ORPHAN != 0 {
            release::<R>(from);
        }
        match outcome {
            Ok(value) => super::Resumed::Return(value),
            Err(payload) => unwind::rethrow(payload),
        }
    }
}

const _: () = assert!(
    mem::size_of::<Header>() <= 64,
    "the header fits in a cache line"
);
