//! The handle by which a coroutine suspends itself.

use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;

use super::block::{ACTIVE, DEAD, Header, ORPHAN, PANICKING, SHARED, SUSPENDED, Slot, UNWINDING};
use super::{Coroutine, ResumeError, running, shared, unwind};
use crate::raw;

/// Lets the code of a coroutine suspend it. The closure given to [`Coroutine::with_stack`] gets a reference to one.
pub struct Suspender<Input, Yield, Return> {
    header: *const Header,
    types: PhantomData<fn(Yield, Return) -> Input>,
}

impl<Input, Yield, Return> Suspender<Input, Yield, Return>
where
    Input: 'static,
    Yield: 'static,
    Return: 'static,
{
    /// # Safety
    /// `header` is that of the coroutine whose code gets the suspender, of the same types.
    pub(super) unsafe fn new(header: *const Header) -> Self {
        Suspender {
            header,
            types: PhantomData,
        }
    }

    /// Suspends the coroutine, passes `value` to whoever resumed it, and returns the input of the next resume.
    ///
    /// If the coroutine is dropped instead of being resumed, this unwinds the stack with a `ForcedUnwind`
    /// payload, so that destructors run; the panic hook is not called. Suspending again while that goes on (in a destructor,
    /// or after the unwinding was caught) raises it again, and what leaves a destructor so ends the process, as any panic
    /// in a destructor does during unwinding.
    ///
    /// # Panics
    /// If it is called while the coroutine is not active, which takes a smuggled reference.
    #[inline(always)]
    pub fn suspend(&self, value: Yield) -> Input {
        let header = self.header;
        // SAFETY: the coroutine is active, since this is its code running, so by the invariants of `block` its `peer` is the
        // resumer; the value stays in this frame until the resumer has read it; the argument points to the input, or is 0.
        unsafe {
            let state = leave(header);
            let mut value = ManuallyDrop::new(Slot(value));
            let mut answer = (&raw mut value).expose_provenance();
            if state & ORPHAN != 0 {
                (*header).message.set((&raw mut value).cast());
                answer = header.expose_provenance() + 1;
            }
            (*header).state.set(state);
            let input = raw::switch((*header).peer.as_ptr(), (*header).peer.get(), answer);
            receive(input)
        }
    }

    /// Suspends this coroutine and continues `other` in its place: whatever `other` answers goes to the resumer of this one.
    /// Returns the input of whoever resumes this coroutine later, or transfers to it.
    ///
    /// # Errors
    /// Gives the input back if `other` is dead or active, or shares a stack that is in use; this coroutine then just goes on.
    ///
    /// # Panics
    /// As [`suspend`](Self::suspend).
    ///
    /// ```
    /// use corun_context::{Coroutine, Resumed};
    ///
    /// let back = Coroutine::<u32, (), u32>::new(|_, n| n * 2);
    /// let front = Coroutine::<u32, (), u32>::new(move |suspender, n| suspender.transfer(&back, n + 1).unwrap());
    /// assert_eq!(front.resume(20).unwrap(), Resumed::Return(42)); // `back` answered in the place of `front`
    /// assert_eq!(front.resume(7).unwrap(), Resumed::Return(7)); // `front` was only suspended
    /// ```
    #[inline]
    pub fn transfer(
        &self,
        other: &Coroutine<Input, Yield, Return>,
        input: Input,
    ) -> Result<Input, ResumeError<Input>> {
        let header = self.header;
        let next = other.header();
        // SAFETY: as in `suspend`; `next` is suspended and of the same types, so it may answer to this one's resumer, and the
        // input stays in this frame until it has been read there.
        unsafe {
            let shared = (*next).state.get() & SHARED;
            if shared != 0 {
                shared::drain(next);
            }
            if (*next).state.get() & (ACTIVE | DEAD) != 0 {
                return Err(ResumeError::new(input, other.status()));
            }
            if shared != 0
                && let Err(refusal) = shared::occupy(next)
            {
                return Err(ResumeError::refused(input, refusal));
            }
            let state = leave(header);
            let mut input = ManuallyDrop::new(input);
            (*header).state.set(state);
            (*next).state.set(shared | ACTIVE);
            running::swap((*next).id);
            let target = (*next).peer.replace((*header).peer.get());
            let input = raw::switch(
                (*header).peer.as_ptr(),
                target,
                (&raw mut input).expose_provenance(),
            );
            Ok(receive(input))
        }
    }
}

/// The state of a coroutine that leaves its stack now.
///
/// # Safety
/// The header is alive.
#[inline(always)]
unsafe fn leave(header: *const Header) -> u32 {
    // SAFETY: promised by the caller.
    let state = unsafe { (*header).state.get() };
    if state == ACTIVE && !unwind::panicking() {
        SUSPENDED
    } else {
        leave_oddly(state)
    }
}

#[cold]
#[inline(never)]
fn leave_oddly(state: u32) -> u32 {
    assert!(
        state & ACTIVE != 0,
        "a coroutine was suspended by code that is not running in it"
    );
    if state & UNWINDING != 0 {
        unwind::start();
    }
    let panicking = if unwind::panicking() { PANICKING } else { 0 };
    state & (ORPHAN | SHARED) | panicking
}

/// # Safety
/// `input` is the argument with which this coroutine was continued.
#[inline(always)]
unsafe fn receive<Input>(input: usize) -> Input {
    if input == 0 {
        unwind::start();
    }
    // SAFETY: any other argument is the address of an input that nobody has read.
    unsafe { ptr::with_exposed_provenance::<Input>(input).read() }
}
