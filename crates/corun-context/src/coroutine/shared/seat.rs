//! Stacks that several coroutines take turns on.
//!
//! ```text
//!   stack.top()   |  word: where the block is, for the first function      |
//!                 |  frames of the coroutine that lies on the stack        |   the "resident": active, or suspended last
//!   its sp        |                                                        |
//!   stack.limit() |  guard                                                 |
//!
//!   heap          |  Seat: Header, the stack, saved bytes | closure |          one for each coroutine: what handles point to
//!                 |  bytes from sp to top                  |                   one for each that is suspended and not the resident
//! ```
//!
//! A coroutine that suspends itself stays where it is. Only when another one wants the stack are its bytes, from its stack pointer to the top,
//! copied to the heap, and those of the other one copied back to the addresses that they came from; so whoever is resumed again and again
//! copies nothing, and an answer can be read out of the frames that gave it, as `block` has it.
//!
//! # Invariants
//! 1. Frames on the stack are those of `resident`; if it is null, dead or unstarted there are none that matter. Any other coroutine that is
//!    suspended has all its frames in `saved`.
//! 2. A coroutine is entered only while it is resident ([`occupy`] goes before every switch into one), and the resident changes only while it is
//!    not active. So an active coroutine, running or waiting for one that it has resumed, is never moved: whoever wants its stack
//!    gets an error.
//! 3. Hence the copying is never done on the stack that it overwrites: whoever runs there is an active coroutine of it, thus the resident, and
//!    `occupy` has refused.
//! 4. Bytes are copied untyped, between the same addresses, and nothing below the stack pointer matters: the switch is no leaf function, so
//!    nothing lies in a red zone.
//! 5. A coroutine that is dropped while its stack is in use, or cannot be got at for want of memory, is `condemned`: it is unwound by [`drain`], as
//!    soon as somebody who runs elsewhere finds the stack free: at the end of a resume, at the next resume or transfer, when a
//!    coroutine of the stack is freed, or a handle to the stack. Each condemned one keeps the stack alive.
//!
//! What is unsafe about it is not the copying, but that others may know addresses on the stack: see `SharedStack::coroutine`.
//!
//! Rejected:
//! - copying at each suspension (twice the copying for whoever is resumed in a row; and the answer would have to be moved out first);
//! - moving a resident that is active but waits, on behalf of one that it has resumed (what the resumed one was passed by reference would be
//!   overwritten, and it takes a third stack to copy on);
//! - choosing a stack of a group at each resume (frames have addresses) or at the first one (then whether a coroutine can be resumed depends
//!   on what ran at that time; whoever nests makes a stack for each level);
//! - the block on the stack, as with private ones (handles would point to bytes that are somewhere else);
//! - forgetting a coroutine that is dropped while its stack is in use (destructors would not run), or switching to a third stack to
//!   unwind it at once (the destructors would run while the frames of the one that drops it are away).
//!
//! Tests: `tests/shared_stack.rs`.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;
use core::mem::{ManuallyDrop, MaybeUninit};
use core::ptr;

use super::super::Suspender;
use super::super::block::{self, ACTIVE, DEAD, Header, SHARED, UNSTARTED};
use super::super::error::Refusal;
use super::super::running::CoroutineId;
use crate::raw::{self, Context};
use crate::stack::Stack;

/// The bytes at the top of the stack that hold the address of the block, and keep what is below aligned.
pub(super) const TOP_WORD: usize = 16;

/// A stack, and who lies on it.
pub(super) struct Inner {
    /// See invariant 1.
    resident: Cell<*const Seat>,
    /// See invariant 5: the first and the last of a list. The last is valid only if there is a first.
    condemned: Cell<*const Seat>,
    last: Cell<*const Seat>,
    draining: Cell<bool>,
    stack: Box<dyn Stack>,
}

/// What the blocks of coroutines on shared stacks begin with.
#[repr(C)]
struct Seat {
    header: Header,
    stack: Rc<Inner>,
    /// The frames, while they are not on the stack. When they are, memory to save them to the next time.
    saved: Cell<Vec<MaybeUninit<u8>>>,
    /// The one that was condemned after this one.
    next: Cell<*const Seat>,
    entry: raw::EntryWithTop,
    release: unsafe fn(*const Header),
}

#[repr(C)]
struct Block<F> {
    seat: Seat,
    closure: ManuallyDrop<F>,
}

impl Inner {
    pub(super) fn new(stack: Box<dyn Stack>) -> Rc<Inner> {
        Rc::new(Inner {
            resident: Cell::new(ptr::null()),
            condemned: Cell::new(ptr::null()),
            last: Cell::new(ptr::null()),
            draining: Cell::new(false),
            stack,
        })
    }

    pub(super) fn top(&self) -> usize {
        self.stack.top().addr()
    }

    pub(super) fn limit(&self) -> usize {
        self.stack.limit().addr()
    }

    pub(super) fn is_in_use(&self) -> bool {
        let resident = self.resident.get();
        // SAFETY: a resident is alive: `destroy` takes it out.
        !resident.is_null() && unsafe { (*resident).header.state.get() } & ACTIVE != 0
    }

    /// Unwinds what was condemned, in that order, unless the stack is in use.
    pub(super) fn drain(this: &Rc<Inner>) {
        /// Ends the draining also if a destructor panics; the others are left to the next time.
        struct Draining(Rc<Inner>);
        impl Drop for Draining {
            fn drop(&mut self) {
                self.0.draining.set(false);
            }
        }

        if this.condemned.get().is_null() || this.draining.get() || this.is_in_use() {
            return;
        }
        let draining = Draining(this.clone());
        draining.0.draining.set(true);
        loop {
            let seat = this.condemned.get();
            // SAFETY: a condemned coroutine has no handle, and is alive until it is released, which only happens here. It leaves the
            // list before that.
            unsafe {
                if seat.is_null() || occupy(seat.cast()).is_err() {
                    // If there is no memory, the next time there may be.
                    return;
                }
                this.condemned.set((*seat).next.get());
                ((*seat).release)(seat.cast());
            }
        }
    }
}

/// Makes an unstarted coroutine on the heap.
pub(super) fn create<I: 'static, Y: 'static, R: 'static, F>(
    inner: &Rc<Inner>,
    closure: F,
) -> *const Header
where
    F: FnOnce(&Suspender<I, Y, R>, I) -> R,
{
    let block = Box::new(Block {
        seat: Seat {
            header: Header {
                // The first function and its block are laid out at the first resume.
                peer: Cell::new(Context::NONE),
                state: Cell::new(SHARED | UNSTARTED),
                message: Cell::new(ptr::null_mut()),
                limit: inner.limit(),
                destroy: destroy::<F>,
                id: CoroutineId::next(),
            },
            stack: inner.clone(),
            saved: Cell::new(Vec::new()),
            next: Cell::new(ptr::null()),
            entry: entry::<I, Y, R, F>,
            release: block::release::<R>,
        },
        closure: ManuallyDrop::new(closure),
    });
    Box::into_raw(block).cast()
}

/// Copies the frames of a coroutine that is suspended and resident to the heap.
///
/// # Safety
/// It is alive, and the caller stands on another stack.
unsafe fn save(seat: *const Seat) -> Result<(), Refusal> {
    // SAFETY: by invariant 1 the bytes from the stack pointer to the top are its frames; `bytes` has the room.
    unsafe {
        let from = frames(seat);
        let len = (*seat).stack.top() - from.addr();
        let mut bytes = (*seat).saved.take();
        if bytes.capacity() != len {
            // The old memory first, so that it can be the new one's.
            drop(bytes);
            bytes = Vec::new();
            bytes
                .try_reserve_exact(len)
                .map_err(|_| Refusal::NoMemory)?;
        }
        ptr::copy_nonoverlapping(from, bytes.as_mut_ptr().cast(), len);
        bytes.set_len(len);
        (*seat).saved.set(bytes);
    }
    Ok(())
}

/// Copies the frames of a suspended coroutine back.
///
/// # Safety
/// It is alive, has been saved and not been resumed since, nothing on the stack matters, and the caller stands on another one.
unsafe fn restore(seat: *const Seat) {
    // SAFETY: the bytes go to where they came from, which lies within the stack.
    unsafe {
        let bytes = (*seat).saved.take();
        let to = frames(seat);
        debug_assert_eq!(to.addr() + bytes.len(), (*seat).stack.top());
        ptr::copy_nonoverlapping(bytes.as_ptr().cast(), to, bytes.len());
        (*seat).saved.set(bytes);
    }
}

/// Where the frames of a suspended coroutine begin, when they are on the stack.
///
/// # Safety
/// It is alive, and has started.
unsafe fn frames(seat: *const Seat) -> *mut u8 {
    // SAFETY: promised by the caller.
    unsafe {
        let inner = &(*seat).stack;
        inner
            .stack
            .top()
            .with_addr((*seat).header.peer.get().stack_pointer())
    }
}

/// Puts a coroutine that is going to be entered on its stack. To be called before each switch into one, and again if anything else may have
/// run in between.
///
/// # Safety
/// If the coroutine is on a shared stack it is alive and neither active nor dead.
pub(in super::super) unsafe fn occupy(header: *const Header) -> Result<(), Refusal> {
    let seat = header.cast::<Seat>();
    // SAFETY: promised by the caller; a resident is alive; by invariant 3 nobody stands on the stack once it is known that no resident is active.
    unsafe {
        if (*header).state.get() & SHARED == 0 {
            return Ok(());
        }
        let inner = &*(*seat).stack;
        let resident = inner.resident.get();
        if resident == seat {
            return Ok(());
        }
        if inner.is_in_use() {
            return Err(Refusal::InUse);
        }
        if !resident.is_null() && (*resident).header.state.get() & (DEAD | UNSTARTED) == 0 {
            save(resident)?;
        }
        if (*header).state.get() & UNSTARTED != 0 {
            let top = inner.stack.top().sub(TOP_WORD);
            top.cast::<*const Seat>().write(seat);
            let context = raw::prepare_with_top(inner.stack.limit(), top, (*seat).entry);
            (*header).peer.set(context);
        } else {
            restore(seat);
        }
        inner.resident.set(seat);
    }
    Ok(())
}

/// Leaves a suspended coroutine that nobody holds to whoever finds its stack free.
///
/// # Safety
/// It is alive, on a shared stack, and has no handle.
pub(in super::super) unsafe fn condemn(header: *const Header) {
    let seat = header.cast::<Seat>();
    // SAFETY: promised by the caller.
    unsafe {
        let inner = &(*seat).stack;
        if inner.condemned.get().is_null() {
            inner.condemned.set(seat);
        } else {
            (*inner.last.get()).next.set(seat);
        }
        inner.last.set(seat);
    }
}

/// Unwinds those coroutines that were left to whoever finds the stack of this one free, if it is.
///
/// # Safety
/// The coroutine is alive and on a shared stack.
pub(in super::super) unsafe fn drain(header: *const Header) {
    // SAFETY: promised by the caller.
    let inner = unsafe { &(*header.cast::<Seat>()).stack };
    if !inner.condemned.get().is_null() {
        // By an owner of its own, as this coroutine may be released meanwhile.
        Inner::drain(&inner.clone());
    }
}

/// The top of the stack.
///
/// # Safety
/// The coroutine is alive and on a shared stack.
pub(in super::super) unsafe fn top(header: *const Header) -> usize {
    // SAFETY: promised by the caller.
    unsafe { (*header.cast::<Seat>()).stack.top() }
}

/// A resume of a coroutine that may be on a shared stack. When it is over, if only by a panic, a coroutine that died in it gives its memory back.
pub(in super::super) struct Visit(*const Header);

impl Visit {
    /// # Safety
    /// The coroutine outlives the value.
    pub(in super::super) unsafe fn new(header: *const Header) -> Visit {
        Visit(header)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        // SAFETY: promised by who made it.
        unsafe {
            let state = (*self.0).state.get();
            if state & SHARED != 0 && state & DEAD != 0 {
                drop((*self.0.cast::<Seat>()).saved.take());
            }
        }
    }
}

/// The first function of a coroutine on a shared stack.
unsafe extern "C" fn entry<I: 'static, Y: 'static, R: 'static, F>(input: usize, top: *mut u8) -> !
where
    F: FnOnce(&Suspender<I, Y, R>, I) -> R,
{
    // SAFETY: `occupy` put the address of the block there, and this runs once, which takes the closure; `input` is passed on.
    unsafe {
        let block = top.cast::<*mut Block<F>>().read();
        let closure = ManuallyDrop::take(&mut (*block).closure);
        block::run::<I, Y, R, F>(block.cast(), closure, input)
    }
}

/// Frees the block, and the closure if it never ran.
///
/// # Safety
/// `header` is that of a `Block<F>` in state UNSTARTED or DEAD, and is not used again.
unsafe fn destroy<F>(header: *const Header) {
    // SAFETY: `coroutine` has boxed it, and as promised by the caller nobody else refers to it, once it is not the resident. The block and its
    // share in the stack are freed even if the closure's destructor panics.
    unsafe {
        let mut block = Box::from_raw(header.cast_mut().cast::<Block<F>>());
        let inner = block.seat.stack.clone();
        if ptr::addr_eq(inner.resident.get(), header) {
            inner.resident.set(ptr::null());
        }
        if block.seat.header.state.get() & UNSTARTED != 0 {
            ManuallyDrop::drop(&mut block.closure);
        }
        drop(block);
        Inner::drain(&inner);
    }
}
