//! What `corun-hook` needs of the runtime, and nobody else: not part of the interface, and free to change.
//!
//! Waits here are never cut short by cancellation: they are made by C code, or by code that believes that it calls C, and neither can be
//! unwound. Nor do they panic inside `no_suspend`: there, as everywhere else where a coroutine may not be suspended, [`may_park`] is false, and
//! the caller blocks the thread instead.
//!
//! # The runtime's own locks
//! The runtime uses locks of std, whose slow paths are calls that the hooks replace. A coroutine must not be parked in those: it may have told
//! others of its signal already, and a signal is for one wait. So the runtime takes its locks by [`own`], which makes `may_park` false
//! meanwhile; the same goes for the spin locks that yield the processor, and for foreign wakers.

use std::cell::Cell;
use std::io;
use std::time::Instant;

use crate::cancel::limit::Limit;
use crate::scheduler;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;

#[cfg(unix)]
pub use crate::reactor::{Interest, Watch};

thread_local! {
    /// How many calls of [`own`] this thread is in. They do not wait for coroutines, so no other coroutine of the thread runs meanwhile.
    static OWN: Cell<u32> = const { Cell::new(0) };
}

/// Runs `f`, in which nothing parks.
#[inline]
pub fn own<R>(f: impl FnOnce() -> R) -> R {
    struct Leave;
    impl Drop for Leave {
        fn drop(&mut self) {
            OWN.set(OWN.get() - 1);
        }
    }
    OWN.set(OWN.get() + 1);
    let _leave = Leave;
    f()
}

/// Is the caller a coroutine that may be parked here?
#[inline]
pub fn may_park() -> bool {
    Worker::suspendable().is_some_and(Worker::may_suspend) && OWN.get() == 0
}

/// The number of the running coroutine; 0 elsewhere.
#[inline]
pub fn coroutine() -> u64 {
    Worker::suspendable()
        .and_then(Worker::running)
        .map_or(0, |task| task.id().get())
}

/// Lets others run, if the coroutine has used up its slice. Never unwinds.
#[inline]
pub fn safepoint() {
    scheduler::safepoint();
}

/// Lets others run. Never unwinds. To be called where [`may_park`].
#[inline]
pub fn yield_now() {
    if let Some(worker) = Worker::suspendable() {
        worker.yield_now();
    }
}

/// Runs `f` on a thread of the blocking pool. To be called where [`may_park`].
///
/// # Errors
/// If there is no thread, and none can be started.
pub fn offload<F, T>(f: F) -> io::Result<T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    match scheduler::blocking_pool() {
        Some(pool) => pool.run(f),
        None => Ok(f()),
    }
}

/// One wait of a coroutine, for one notification. To be made where [`may_park`], and not to be moved once others know of it.
pub struct Waiter(Signal);

impl Waiter {
    /// For the calling coroutine.
    #[allow(clippy::new_without_default, reason = "it is about the caller")]
    pub fn new() -> Waiter {
        Waiter(Signal::new())
    }

    /// Waits until it was notified (`true`), or until `deadline` of the runtime's clock. Later notifications do not count then.
    pub fn wait(&self, deadline: Option<Instant>) -> bool {
        Limit::masked(deadline).wait(&self.0, || true)
    }

    /// Ends the wait. Returns whether this call did.
    ///
    /// # Safety
    /// The waiter must be alive at the call; it may be gone when the call returns.
    pub unsafe fn notify(this: *const Waiter) -> bool {
        // SAFETY: the same contract; the signal is all there is in a waiter.
        unsafe { Signal::notify(&raw const (*this).0) }
    }
}
