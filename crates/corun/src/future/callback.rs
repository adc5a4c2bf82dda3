//! What is called when a future is complete, in a place of fixed size; and the order in which such calls are made.
//!
//! # In turn, not one inside the other
//! A callback may resolve another promise, whose callbacks resolve the next. Were each run inside the one before, a chain of some
//! thousands would overflow the stack. So whoever runs callbacks has the *turn* of its coroutine (or of its plain thread), and what is completed during
//! a turn only queues up: its callbacks run when the one that is running has returned. The queue's links lie in the blocks.
//!
//! The turn belongs to the coroutine and not to its worker: a callback may wait, and what other coroutines resolve meanwhile must not wait for it.
//!
//! Rejected: a coroutine for each callback (its order would be anybody's guess); a limit of depth, beyond which they are put off (the same queue,
//! and an order that depends on the depth).

use std::cell::Cell;
use std::mem::{self, MaybeUninit};
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use super::place::place;

/// Closures of this size lie in the future's block, others in a box.
type Room = MaybeUninit<[usize; 3]>;

/// A closure that is called once, with a reference to an `A`.
pub(super) struct Callback<A> {
    call: unsafe fn(*mut Room, &A),
    room: Room,
}

// SAFETY: closures are `Send`: see `new`.
unsafe impl<A> Send for Callback<A> {}

impl<A> Callback<A> {
    /// # Safety
    /// The closure is called by whichever thread, and must allow that; and it must be called.
    pub(super) unsafe fn new<F: FnOnce(&A)>(f: F) -> Callback<A> {
        let mut room = Room::uninit();
        let fits = size_of::<F>() <= size_of::<Room>() && align_of::<F>() <= align_of::<Room>();
        if fits {
            // SAFETY: it fits.
            unsafe { room.as_mut_ptr().cast::<F>().write(f) };
        } else {
            // SAFETY: a pointer fits.
            unsafe { room.as_mut_ptr().cast::<Box<F>>().write(Box::new(f)) };
        }
        let call = if fits {
            call::<A, F>
        } else {
            call::<A, Box<F>>
        };
        Callback { call, room }
    }

    /// A panic ends here. The hook has reported it, and whoever completes a future has nothing to do with it.
    pub(super) fn call(mut self, argument: &A) {
        contain(|| {
            // SAFETY: called once, as it is used up.
            unsafe { (self.call)(&raw mut self.room, argument) }
        });
    }
}

/// # Safety
/// There is such a closure in the room, and this is the only call.
unsafe fn call<A, F: FnOnce(&A)>(room: *mut Room, argument: &A) {
    // SAFETY: by the contract.
    let f = unsafe { room.cast::<F>().read() };
    f(argument);
}

/// Runs foreign code whose panic is nobody's here.
pub(super) fn contain(f: impl FnOnce()) {
    if let Err(payload) = panic::catch_unwind(AssertUnwindSafe(f)) {
        // The destructor of a payload may panic in its turn.
        mem::forget(payload);
    }
}

/// The queue of what was completed during a turn. It lies on the stack of whoever has the turn, which alone uses it.
pub(crate) struct Turn {
    first: Cell<*const Link>,
    last: Cell<*const Link>,
}

/// Where a coroutine or thread notes its turn.
pub(crate) type Place = Cell<*const Turn>;

/// Queues a block up.
pub(super) struct Link {
    next: Cell<*const Link>,
    run: Cell<unsafe fn(*const Link)>,
}

impl Link {
    pub(super) fn new() -> Link {
        Link {
            next: Cell::new(ptr::null()),
            run: Cell::new(|_| ()),
        }
    }
}

/// Gives up the turn also if something unwinds.
struct Ended(*const Place);

impl Drop for Ended {
    fn drop(&mut self) {
        // SAFETY: the place is that of the coroutine or thread that runs this.
        unsafe { (*self.0).set(ptr::null()) };
    }
}

/// Calls `f`, and then what was queued up meanwhile, unless the caller has the turn already: then it only calls `f`.
pub(super) fn in_turn(f: impl FnOnce()) {
    let place = place();
    // SAFETY: as above.
    if !unsafe { (*place).get() }.is_null() {
        return f();
    }
    let turn = Turn {
        first: Cell::new(ptr::null()),
        last: Cell::new(ptr::null()),
    };
    // SAFETY: as above. The turn stays until `Ended` takes it out.
    unsafe { (*place).set(&raw const turn) };
    let _ended = Ended(place);
    f();
    // SAFETY: what is queued stays until it was run.
    while let Some(link) = unsafe { turn.first.get().as_ref() } {
        turn.first.set(link.next.get());
        // SAFETY: as above; `run` belongs to the block around the link.
        unsafe { (link.run.get())(link) };
    }
}

/// Has `run` called for the block around `link`: at once, or when whoever has the turn comes to it.
///
/// # Safety
/// The block must stay until it was called. It is queued up once at the most.
pub(super) unsafe fn take_turn(link: *const Link, run: unsafe fn(*const Link)) {
    // SAFETY: the place is that of the caller; a turn that stands there is one of a caller of this.
    let turn = unsafe { (*place()).get().as_ref() };
    let Some(turn) = turn else {
        // SAFETY: by the contract.
        return in_turn(|| unsafe { run(link) });
    };
    // SAFETY: nobody else uses links, which stay by the contract.
    unsafe {
        (*link).run.set(run);
        (*link).next.set(ptr::null());
        match turn.first.get().is_null() {
            true => turn.first.set(link),
            false => (*turn.last.get()).next.set(link),
        }
    }
    turn.last.set(link);
}
