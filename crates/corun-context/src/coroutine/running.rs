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
            LAST.set(
                match LAST.get() {
                    // Threads take numbers by the thousand, since sharing a counter costs more than all else here.
                    number if number % BLOCK == 0 => SHARED.fetch_add(BLOCK, Ordering::Relaxed),
                    number => number,
                } + 1,
            );
            CoroutineId(NonZeroU64::new(LAST.get()).expect("2^64 coroutines were created"))
        }

        /// The number itself, for logs.
        pub fn get(self) -> u64 {
            self.0.get()
        }
    }

    const BLOCK: u64 = 1024;

    /// The first number that no thread has taken. Relaxed: the numbers only have to be unique.
    static SHARED: AtomicU64 = AtomicU64::new(0);

    std::thread_local! {
        /// The number given out last; at a multiple of `BLOCK` there are no more.
        static LAST: Cell<u64> = const { Cell::new(0) };
        static RUNNING: Cell<Option<CoroutineId>> = const { Cell::new(None) };
    }

    /// The id of the innermost [`Coroutine`](crate::Coroutine) that runs on this thread, or `None` on the thread's own stack.
    ///
    /// A scheduler that switches to other stacks in the middle of a resume may make it name a coroutine of such another stack.
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
