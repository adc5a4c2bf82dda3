//! [`promise`], and its writing end.

use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr;

use super::block::{Handle, Outcome};
use super::eventual::Future;
use super::rejected::Rejected;
use super::shared::SharedFuture;

/// Makes a promise and the future that it is kept in. Both lie in one block, the only memory that they need.
///
/// # Examples
/// ```
/// let (promise, answer) = corun::future::promise::<u32, String>();
/// corun::spawn(move || promise.resolve(6 * 7));
/// assert_eq!(answer.wait(), Ok(42));
/// ```
#[inline]
pub fn promise<T, E>() -> (Promise<T, E>, Future<T, E>) {
    let (promise, future) = Handle::pair();
    (Promise { handle: promise }, Future::new(future))
}

/// The same, with a word that the promise keeps ([`Promise::note`]), for the C interface: the address of a destructor.
#[doc(hidden)]
pub fn promise_with_note<T, E>(note: usize) -> (Promise<T, E>, Future<T, E>) {
    let (promise, future) = Handle::pair_with_note(note);
    (Promise { handle: promise }, Future::new(future))
}

/// The right, and the duty, to give a [`Future`] its value or error. To be kept once, from anywhere.
///
/// If it is dropped unresolved, by a panic perhaps, the future is rejected as [abandoned](Rejected::Abandoned): nobody waits in vain.
#[must_use = "a promise that is dropped leaves its future abandoned"]
pub struct Promise<T, E> {
    handle: Handle<T, E>,
}

// SAFETY: it gives values away; what shows them to several threads asks for more.
unsafe impl<T: Send, E: Send> Send for Promise<T, E> {}
// SAFETY: through a shared reference one can only ask whether it is wanted.
unsafe impl<T: Send, E: Send> Sync for Promise<T, E> {}

impl<T, E> Promise<T, E> {
    /// Gives the future its value: wakes all who wait, and calls what [`on_complete`](Future::on_complete) has left. If nobody can want the value
    /// any more, it is dropped.
    #[inline]
    pub fn resolve(self, value: T) {
        drop(self.settle(Ok(value)));
    }

    /// Gives the future an error.
    #[inline]
    pub fn reject(self, error: E) {
        drop(self.settle(Err(Rejected::Error(error))));
    }

    /// Gives the future a value or an error.
    #[inline]
    pub fn complete(self, result: Result<T, E>) {
        drop(self.settle(result.map_err(Rejected::Error)));
    }

    /// As [`resolve`](Promise::resolve), for a value that must not be lost.
    ///
    /// # Errors
    /// Gives the value back if the future was cancelled, or all its handles are gone.
    ///
    /// # Examples
    /// ```
    /// let (promise, future) = corun::future::promise::<_, ()>();
    /// drop(future);
    /// assert_eq!(promise.try_resolve("a letter"), Err("a letter"));
    /// ```
    pub fn try_resolve(self, value: T) -> Result<(), T> {
        match self.settle(Ok(value)) {
            Err(Ok(value)) => Err(value),
            _ => Ok(()),
        }
    }

    /// Could anybody want the value? Not if the future was cancelled, or all its handles are gone with no callback left behind. Then work for it may
    /// as well stop.
    ///
    /// # Examples
    /// ```
    /// let (promise, future) = corun::future::promise::<u64, ()>();
    /// let search = corun::spawn(move || {
    ///     let mut tried = 0;
    ///     while promise.is_wanted() {
    ///         tried += 1;
    ///         corun::yield_now();
    ///     }
    ///     tried
    /// });
    /// corun::yield_now();
    /// drop(future);
    /// search.join().unwrap();
    /// ```
    pub fn is_wanted(&self) -> bool {
        self.handle.block().is_wanted()
    }

    /// The promise of a future, for the C interface, which keeps the two ends in one word.
    ///
    /// # Safety
    /// The future's promise was forgotten, by `mem::forget`, and this is the only one in its place. The future may be gone, if the promise was not.
    #[doc(hidden)]
    pub unsafe fn of_shared(future: &ManuallyDrop<SharedFuture<T, E>>) -> Promise<T, E> {
        Promise {
            handle: future.same_handle(),
        }
    }

    /// The word that it was made with; 0 if there is none.
    #[doc(hidden)]
    pub fn note(&self) -> usize {
        self.handle.note()
    }

    fn settle(self, outcome: Outcome<T, E>) -> Result<(), Outcome<T, E>> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is not used again.
        let handle = unsafe { ptr::read(&raw const this.handle) };
        if handle.is_alone() && !handle.block().is_wanted() {
            return Err(outcome);
        }
        handle.complete(outcome)
    }
}

impl<T, E> Drop for Promise<T, E> {
    fn drop(&mut self) {
        // If it is complete, it was cancelled.
        let _ = self.handle.complete(Err(Rejected::Abandoned));
    }
}

impl<T, E> fmt::Debug for Promise<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("is_wanted", &self.is_wanted())
            .finish_non_exhaustive()
    }
}
