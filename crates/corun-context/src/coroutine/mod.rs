//! Asymmetric coroutines with symmetric transfer.

mod block;
mod error;
mod running;
#[cfg_attr(not(feature = "alloc"), path = "unshared.rs")]
mod shared;
mod suspender;
mod unwind;

use core::fmt;
use core::marker::PhantomData;
use core::mem::ManuallyDrop;
use core::ptr;

use block::{ACTIVE, DEAD, Header, SHARED, Slot};

pub use error::{ResumeError, Status};
#[cfg(feature = "std")]
pub use running::{CoroutineId, running};
#[cfg(feature = "alloc")]
pub use shared::SharedStack;
pub use suspender::Suspender;
#[cfg(feature = "std")]
pub use unwind::ForcedUnwind;

use crate::stack::Stack;

/// What a coroutine answered when it was resumed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resumed<Yield, Return> {
    /// It suspended itself with this value.
    Yield(Yield),
    /// It returned this value and is dead now.
    Return(Return),
}

impl<Yield, Return> Resumed<Yield, Return> {
    /// The value if it was yielded.
    pub fn yielded(self) -> Option<Yield> {
        match self {
            Resumed::Yield(value) => Some(value),
            Resumed::Return(_) => None,
        }
    }

    /// The value if it was returned.
    pub fn returned(self) -> Option<Return> {
        match self {
            Resumed::Yield(_) => None,
            Resumed::Return(value) => Some(value),
        }
    }
}

impl<T> Resumed<T, T> {
    /// The value, however it came.
    pub fn into_inner(self) -> T {
        match self {
            Resumed::Yield(value) | Resumed::Return(value) => value,
        }
    }
}

/// A function with a stack of its own, which can suspend itself anywhere in its calls and be resumed later.
///
/// Each [`resume`](Self::resume) passes an `Input` in and gets a `Yield` or, at the end, the `Return` out. The first input is the
/// closure's second argument; the later ones are what [`Suspender::suspend`] returns.
///
/// A coroutine stays on the thread that created it. Nothing it captures or passes may borrow, since a handle can be leaked with
/// [`mem::forget`](core::mem::forget); share through [`Rc`](https://doc.rust-lang.org/std/rc/struct.Rc.html) instead.
///
/// # Panics in a coroutine
/// A panic that the code of the coroutine does not catch ends it and goes on in whoever resumed it. Without the `std` feature it
/// ends the program, because nothing can catch it.
///
/// # Dropping
/// Dropping a coroutine that has not started drops its closure. Dropping a suspended one unwinds it on the spot, so that the
/// destructors of its variables run, and returns when its stack is free; see [`Suspender::suspend`] for what its code sees. A panic
/// that a destructor raises on the way goes on in the dropper. A stack is never freed unless it was unwound, so it is leaked
/// - without the `std` feature or with `panic = "abort"`, where nothing can unwind it,
/// - if the coroutine suspended while its thread was panicking, since a second unwinding would end the process.
///
/// One that is suspended below a frame that cannot be unwound, such as a callback from C, must be run to its end instead: Rust ends the
/// process when an unwinding meets such a frame.
///
/// After a transfer even an active coroutine can be dropped; it goes on, and is released by whoever receives its next answer, or
/// leaked if it transfers onwards.
///
/// # Examples
/// ```
/// use corun_context::{Coroutine, Resumed};
///
/// let sum = Coroutine::<i32, i32, &str>::new(|suspender, first| {
///     let mut total = first;
///     while total < 10 {
///         total += suspender.suspend(total);
///     }
///     "enough"
/// });
/// assert_eq!(sum.resume(3).unwrap(), Resumed::Yield(3));
/// assert_eq!(sum.resume(4).unwrap(), Resumed::Yield(7));
/// assert_eq!(sum.resume(5).unwrap(), Resumed::Return("enough"));
/// assert!(sum.resume(6).is_err());
/// ```
#[must_use = "a coroutine does nothing until it is resumed"]
pub struct Coroutine<Input, Yield, Return>
where
    Input: 'static,
    Yield: 'static,
    Return: 'static,
{
    header: *const Header,
    types: PhantomData<fn(Input) -> (Yield, Return)>,
}

impl<Input, Yield, Return> Coroutine<Input, Yield, Return> {
    /// Makes a coroutine on a [`DefaultStack`](crate::stack::DefaultStack), a guarded one of the default size.
    ///
    /// # Panics
    /// If the system has no memory for a stack; use [`with_stack`](Self::with_stack) to handle that.
    #[cfg(feature = "std")]
    pub fn new<F>(f: F) -> Self
    where
        F: FnOnce(&Suspender<Input, Yield, Return>, Input) -> Return + 'static,
    {
        match crate::stack::DefaultStack::new() {
            Ok(stack) => Self::with_stack(stack, f),
            Err(error) => panic!("no stack for a coroutine: {error}"),
        }
    }

    /// Makes a coroutine that runs on `stack`.
    ///
    /// # Panics
    /// If the closure, which is moved to the stack, leaves too little room there.
    pub fn with_stack<S, F>(stack: S, f: F) -> Self
    where
        S: Stack + 'static,
        F: FnOnce(&Suspender<Input, Yield, Return>, Input) -> Return + 'static,
    {
        Coroutine {
            header: block::create(stack, f),
            types: PhantomData,
        }
    }

    /// Runs the coroutine until it suspends itself or ends.
    ///
    /// # Errors
    /// Gives the input back if the coroutine is dead, or active because this is called from inside it; and, on a
    /// `SharedStack`, if another coroutine of that stack is active, or there is no memory to move one off it.
    ///
    /// # Panics
    /// With the coroutine's own panic, if that ended it.
    #[inline(always)]
    pub fn resume(&self, input: Input) -> Result<Resumed<Yield, Return>, ResumeError<Input>> {
        // SAFETY: the header lives as long as the handle. The coroutine is not active and not dead, and has a stack of its own.
        unsafe {
            if (*self.header).state.get() & (ACTIVE | DEAD | SHARED) != 0 {
                return self.resume_unusual(input);
            }
            Ok(self.go_on(ACTIVE, input))
        }
    }

    /// [`resume`](Self::resume) for a coroutine on a shared stack, or one that cannot be resumed.
    #[cold]
    #[inline(never)]
    fn resume_unusual(&self, input: Input) -> Result<Resumed<Yield, Return>, ResumeError<Input>> {
        let header = self.header;
        // SAFETY: the header lives as long as the handle, and when it comes to that the coroutine is not active and not dead,
        // and its frames are in place.
        unsafe {
            if (*header).state.get() & SHARED != 0 {
                shared::drain(header);
            }
            // Looked at after that, since a destructor may have resumed this very coroutine.
            if (*header).state.get() & (ACTIVE | DEAD) != 0 {
                return Err(ResumeError::new(input, self.status()));
            }
            if let Err(refusal) = shared::occupy(header) {
                return Err(ResumeError::refused(input, refusal));
            }
            let answer = {
                let _visit = shared::Visit::new(header);
                self.go_on(ACTIVE | SHARED, input)
            };
            shared::drain(header);
            Ok(answer)
        }
    }

    /// Continues the coroutine, in `state`.
    ///
    /// # Safety
    /// It is not active and not dead, and its frames are in place.
    #[inline(always)]
    unsafe fn go_on(&self, state: u32, input: Input) -> Resumed<Yield, Return> {
        let header = self.header;
        // SAFETY: the header lives as long as the handle. The argument is the address of the input, which stays in this frame. The
        // answer is read before anything else runs.
        unsafe {
            let mut input = ManuallyDrop::new(input);
            (*header).state.set(state);
            let answer = block::enter(header, (&raw mut input).expose_provenance());
            if answer & 1 == 0 {
                let slot = ptr::with_exposed_provenance::<Slot<Yield>>(answer);
                Resumed::Yield(slot.read().0)
            } else {
                block::settle(answer)
            }
        }
    }

    /// The state of the coroutine.
    ///
    /// Whether an active one is [`Running`](Status::Running) or [`Normal`](Status::Normal) is told by the stack that the caller stands on.
    pub fn status(&self) -> Status {
        // SAFETY: the header lives as long as the handle.
        let (state, on_its_stack) = unsafe {
            (
                (*self.header).state.get(),
                block::is_current_stack(self.header),
            )
        };
        match state {
            state if state & DEAD != 0 => Status::Dead,
            state if state & ACTIVE == 0 => Status::Suspended,
            _ if on_its_stack => Status::Running,
            _ => Status::Normal,
        }
    }

    /// The id of the coroutine.
    #[cfg(feature = "std")]
    pub fn id(&self) -> CoroutineId {
        // SAFETY: the header lives as long as the handle.
        unsafe { (*self.header).id }
    }

    #[cfg(feature = "alloc")]
    fn from_header(header: *const Header) -> Self {
        Coroutine {
            header,
            types: PhantomData,
        }
    }

    fn header(&self) -> *const Header {
        self.header
    }
}

impl<Input, T> Coroutine<Input, T, T> {
    /// Turns a coroutine that yields and returns the same type into a function, as Lua's `coroutine.wrap` does.
    ///
    /// # Panics
    /// The function panics where `resume` returns an error, so once the coroutine has returned.
    ///
    /// ```
    /// use corun_context::Coroutine;
    ///
    /// let mut step = Coroutine::<i32, i32, i32>::new(|s, a| { let b = s.suspend(a + 1); b + 10 }).wrap();
    /// assert_eq!((step(1), step(2)), (2, 12));
    /// ```
    pub fn wrap(self) -> impl FnMut(Input) -> T {
        move |input| match self.resume(input) {
            Ok(answer) => answer.into_inner(),
            Err(error) => panic!("{error}"),
        }
    }
}

impl<Input, Yield, Return> Drop for Coroutine<Input, Yield, Return> {
    fn drop(&mut self) {
        // SAFETY: this was the only handle.
        unsafe { block::release::<Return>(self.header) }
    }
}

impl<Input, Yield, Return> fmt::Debug for Coroutine<Input, Yield, Return> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Coroutine");
        #[cfg(feature = "std")]
        shown.field("id", &self.id().get());
        shown.field("status", &self.status()).finish()
    }
}
