//! Which coroutine this thread runs.
//!
//! Only an id is kept, never a pointer: a scheduler that parks a coroutine in the middle of a resume may leave an outdated id
//! here, which then is wrong, but harmless.

#[cfg(feature = "std")]
mod imp {
    use core::cell::Cell;
    use core::num::NonZeroU64;
    use core::sync::atomic::{AtomicU64, Ordering};

    /// Identifies a coroutine in this process; never used twice.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub struct CoroutineId(NonZeroU64);

    impl CoroutineId {
        pub(in super::super) fn next() -> CoroutineId {
            static NEXT: AtomicU64 = AtomicU64::new(1);
            // Relaxed: the number only has to be unique.
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            CoroutineId(NonZeroU64::new(number).expect("2^64 coroutines were created"))
        }

        /// The number itself, for logs.
        pub fn get(self) -> u64 {
            self.0.get()
        }
    }

    std::thread_local! {
        static RUNNING: Cell<Option<CoroutineId>> = const { Cell::new(None) };
    }

    /// The id of the innermost [`Coroutine`](crate::Coroutine) that runs on this thread, or `None` on the thread's own stack.
    ///
    /// ```
    /// use corun_context::{Coroutine, running};
    ///
    /// assert_eq!(running(), None);
    /// let co = Coroutine::new(|_: &corun_context::Suspender<(), (), _>, ()| running());
    /// assert_eq!(co.resume(()).unwrap().returned(), Some(Some(co.id())));
    /// ```
    pub fn running() -> Option<CoroutineId> {
        RUNNING.get()
    }

    #[inline(always)]
    pub(in super::super) fn swap(id: impl Into<Option<CoroutineId>>) -> Option<CoroutineId> {
        RUNNING.replace(id.into())
    }
}

#[cfg(not(feature = "std"))]
mod imp {
    /// Without thread locals nobody could ask for it.
    #[derive(Clone, Copy)]
    pub(in super::super) struct CoroutineId;

    impl CoroutineId {
        pub(in super::super) fn next() -> CoroutineId {
            CoroutineId
        }
    }

    #[inline(always)]
    pub(in super::super) fn swap(id: CoroutineId) -> CoroutineId {
        id
    }
}

#[cfg(feature = "std")]
pub(super) use imp::swap;
#[cfg(not(feature = "std"))]
pub(super) use imp::*;
#[cfg(feature = "std")]
pub use imp::{CoroutineId, running};
