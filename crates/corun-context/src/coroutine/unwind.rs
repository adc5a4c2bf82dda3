//! What the coroutine needs from the panic machinery, and what is left of it without std.

/// The payload with which a suspended coroutine is unwound when its handle is dropped.
///
/// Code inside a coroutine that catches panics around a suspension meets it, and should pass it on with
/// [`resume_unwind`](std::panic::resume_unwind). If it does not, the next suspension raises it again.
#[cfg(feature = "std")]
#[derive(Debug)]
pub struct ForcedUnwind(());

#[cfg(feature = "std")]
mod imp {
    use super::ForcedUnwind;
    use std::any::Any;
    use std::boxed::Box;
    use std::panic::{self, AssertUnwindSafe};

    pub(in super::super) type Payload = Box<dyn Any + Send>;

    /// Whether a dropped coroutine can be unwound; otherwise its stack is leaked.
    pub(in super::super) const POSSIBLE: bool = cfg!(panic = "unwind");

    /// Runs the body of a coroutine; nothing may unwind past the root of a stack.
    #[inline]
    pub(in super::super) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
        // What the closure leaves behind broken is visible to the resumer only through the panic that it gets.
        panic::catch_unwind(AssertUnwindSafe(body))
    }

    pub(in super::super) fn rethrow(payload: Payload) -> ! {
        panic::resume_unwind(payload)
    }

    /// Starts to unwind a coroutine, without the panic hook.
    #[cold]
    #[inline(never)]
    pub(in super::super) fn start() -> ! {
        panic::resume_unwind(Box::new(ForcedUnwind(())))
    }

    /// Lets a panic that was not raised by [`start`] go on.
    pub(in super::super) fn propagate(payload: Payload) {
        if !payload.is::<ForcedUnwind>() {
            panic::resume_unwind(payload)
        }
    }

    #[inline(always)]
    pub(in super::super) fn panicking() -> bool {
        POSSIBLE && std::thread::panicking()
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    /// Nothing can be caught: a panic that reaches the root of a stack ends the program there.
    pub(in super::super) type Payload = core::convert::Infallible;

    pub(in super::super) const POSSIBLE: bool = false;

    #[inline]
    pub(in super::super) fn catch<R>(body: impl FnOnce() -> R) -> Result<R, Payload> {
        Ok(body())
    }

    pub(in super::super) fn rethrow(payload: Payload) -> ! {
        match payload {}
    }

    #[cold]
    pub(in super::super) fn start() -> ! {
        unreachable!("without std no coroutine is unwound")
    }

    pub(in super::super) fn propagate(payload: Payload) {
        match payload {}
    }

    #[inline(always)]
    pub(in super::super) fn panicking() -> bool {
        false
    }
}

pub(super) use imp::*;
