//! [`Semaphore`] and its permits.
//!
//! # Invariants
//! All under one spin lock, held for a few instructions:
//! - the first waiter is one who wants more permits than there are: whatever changes that (a release, a waiter in front that gives up)
//!   serves all who can be, in order, before the semaphore is used again;
//! - permits are taken for a waiter by who unlinks it, who also claims its signal: so a waiter has its permits or stands in the list. One that
//!   gives up when it has them already (a future that is dropped) releases them;
//! - once closed, nobody waits.
//!
//! Checked by the models of `tests/models/sync/semaphore.rs`.

use std::error::Error;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

use super::acquire::Acquire;
use super::waiters::{Batch, Waiter, Waiters, wake_in_batches};
use crate::cancel::limit::Limit;
use crate::primitive::constructor;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;

/// A number of permits that are given out first come, first served, to coroutines, threads and async tasks.
///
/// It limits how many do something at a time. Who wants many permits is not overtaken by those who want fewer.
///
/// # Examples
/// ```
/// use corun::sync::{Arc, Semaphore};
///
/// let connections = Arc::new(Semaphore::new(2));
/// let clients: Vec<_> = (0..10)
///     .map(|_| {
///         let connections = Arc::clone(&connections);
///         corun::spawn(move || {
///             let _permit = connections.acquire().unwrap();
///             corun::sleep(std::time::Duration::from_micros(100)); // at most two are here
///         })
///     })
///     .collect();
/// for client in clients {
///     client.join().unwrap();
/// }
/// assert_eq!(connections.available_permits(), 2);
/// ```
///
/// In an async task, with a permit that needs no borrow:
/// ```
/// use corun::sync::{Arc, Semaphore};
///
/// async fn upload(slots: Arc<Semaphore>) -> Result<(), corun::sync::AcquireError> {
///     let _slot = slots.acquire_owned_async().await?;
///     Ok(())
/// }
/// # let _ = upload;
/// ```
pub struct Semaphore {
    state: SpinLock<State>,
}

struct State {
    permits: usize,
    closed: bool,
    waiters: Waiters,
}

// No code of the user's runs under the lock.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

/// Why there is no permit, and will be none: the semaphore was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AcquireError(pub(super) ());

/// Why there is no permit at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryAcquireError {
    /// The semaphore was closed.
    Closed,
    /// Others have the permits, or wait for them.
    NoPermits,
}

impl State {
    /// `None`: to be waited for.
    fn try_take(&mut self, count: usize) -> Option<Result<(), AcquireError>> {
        if self.closed {
            return Some(Err(AcquireError(())));
        }
        if !self.waiters.is_empty() || self.permits < count {
            return None;
        }
        self.permits -= count;
        Some(Ok(()))
    }

    /// Serves those at the front who can be. Returns whether there are more than the batch takes.
    fn serve(&mut self, batch: &mut Batch) -> bool {
        while let Some(wanted) = self.waiters.first_wants()
            && (wanted <= self.permits || self.closed)
        {
            if batch.is_full() {
                return true;
            }
            if self.closed {
                batch.extend(self.waiters.call_first());
            } else if let Some(wakeup) = self.waiters.grant_first() {
                self.permits -= wanted;
                batch.push(wakeup);
            }
        }
        false
    }
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = usize::MAX >> 3;

    constructor! {
        /// A semaphore with so many permits.
        ///
        /// # Panics
        /// With more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS).
        #[must_use]
        pub fn new(permits: usize) -> Semaphore {
            assert!(permits <= Semaphore::MAX_PERMITS, "too many permits");
            Semaphore {
                state: SpinLock::new(State {
                    permits,
                    closed: false,
                    waiters: Waiters::new(),
                }),
            }
        }
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// When the semaphore is closed.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn acquire(&self) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.acquire_many(1)
    }

    /// Waits for so many permits at once.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    /// As for [`acquire`](Semaphore::acquire).
    pub fn acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, AcquireError> {
        self.take(count)?;
        Ok(Permit::new(self, count))
    }

    /// Waits for a permit that shares in the semaphore, so that it can be kept anywhere.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    /// As for [`acquire`](Semaphore::acquire).
    pub fn acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.acquire_many_owned(1)
    }

    /// As [`acquire_owned`](Semaphore::acquire_owned), for so many permits at once.
    ///
    /// # Errors
    /// As for [`acquire`](Semaphore::acquire).
    ///
    /// # Panics
    /// As for [`acquire`](Semaphore::acquire).
    pub fn acquire_many_owned(
        self: Arc<Self>,
        count: u32,
    ) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.take(count)?;
        Ok(Permit::new(self, count))
    }

    /// [`acquire`](Semaphore::acquire) for async tasks. A future that is dropped passes on what it has got.
    pub fn acquire_async(&self) -> Acquire<&Semaphore> {
        self.acquire_many_async(1)
    }

    /// [`acquire_many`](Semaphore::acquire_many) for async tasks.
    pub fn acquire_many_async(&self, count: u32) -> Acquire<&Semaphore> {
        Acquire::new(self, count)
    }

    /// [`acquire_owned`](Semaphore::acquire_owned) for async tasks.
    pub fn acquire_owned_async(self: Arc<Self>) -> Acquire<Arc<Semaphore>> {
        self.acquire_many_owned_async(1)
    }

    /// [`acquire_many_owned`](Semaphore::acquire_many_owned) for async tasks.
    pub fn acquire_many_owned_async(self: Arc<Self>, count: u32) -> Acquire<Arc<Semaphore>> {
        Acquire::new(self, count)
    }

    /// A permit, if there is one and nobody waits.
    ///
    /// # Errors
    /// If there is none, or the semaphore is closed.
    pub fn try_acquire(&self) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// So many permits, if they are there and nobody waits.
    ///
    /// # Errors
    /// As for [`try_acquire`](Semaphore::try_acquire).
    pub fn try_acquire_many(&self, count: u32) -> Result<SemaphorePermit<'_>, TryAcquireError> {
        self.try_take(count)?;
        Ok(Permit::new(self, count))
    }

    /// As [`try_acquire`](Semaphore::try_acquire), for a permit that shares in the semaphore.
    ///
    /// # Errors
    /// As for [`try_acquire`](Semaphore::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_acquire_many_owned(1)
    }

    /// As [`try_acquire_owned`](Semaphore::try_acquire_owned), for so many permits.
    ///
    /// # Errors
    /// As for [`try_acquire`](Semaphore::try_acquire).
    pub fn try_acquire_many_owned(
        self: Arc<Self>,
        count: u32,
    ) -> Result<OwnedSemaphorePermit, TryAcquireError> {
        self.try_take(count)?;
        Ok(Permit::new(self, count))
    }

    /// How many permits there are just now.
    pub fn available_permits(&self) -> usize {
        self.state.lock().permits
    }

    /// Adds permits.
    ///
    /// # Panics
    /// If it has more than [`MAX_PERMITS`](Semaphore::MAX_PERMITS) then.
    pub fn add_permits(&self, count: usize) {
        let mut state = self.state.lock();
        let sum = state.permits.saturating_add(count);
        let fits = sum <= Semaphore::MAX_PERMITS;
        if fits {
            state.permits = sum;
        }
        let waited_for = !state.waiters.is_empty();
        drop(state);
        assert!(fits, "too many permits");
        if waited_for {
            self.serve();
        }
    }

    /// Takes permits out of the semaphore for good, as many as there are and `count` at most. Returns how many.
    pub fn forget_permits(&self, count: usize) -> usize {
        let mut state = self.state.lock();
        let forgotten = state.permits.min(count);
        state.permits -= forgotten;
        forgotten
    }

    /// Closes the semaphore: who waits or comes later gets an error. Permits that are out stay good.
    pub fn close(&self) {
        self.state.lock().closed = true;
        self.serve();
    }

    /// Was it closed?
    pub fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    #[cold]
    #[inline(never)]
    fn serve(&self) {
        wake_in_batches(|batch| self.state.lock().serve(batch));
    }

    fn try_take(&self, count: u32) -> Result<(), TryAcquireError> {
        scheduler::safepoint();
        match self.state.lock().try_take(count as usize) {
            Some(taken) => taken.map_err(|_| TryAcquireError::Closed),
            None => Err(TryAcquireError::NoPermits),
        }
    }

    fn take(&self, count: u32) -> Result<(), AcquireError> {
        scheduler::safepoint();
        let count = count as usize;
        let taken = self.state.lock().try_take(count);
        taken.unwrap_or_else(|| self.wait(count))
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, count: usize) -> Result<(), AcquireError> {
        loop {
            let limit = Limit::new(None);
            let waiter = Waiter::new(count, &limit);
            // SAFETY: the waiter stays in this frame until it was unlinked: by whoever serves it, or below.
            if let Some(taken) = unsafe { self.take_or_link(&waiter) } {
                return taken;
            }
            if limit.wait(&waiter.signal, || self.leave(&waiter)) {
                return Semaphore::outcome(&waiter);
            }
            limit.expired();
        }
    }

    /// Links the waiter if it has to wait.
    ///
    /// # Safety
    /// The waiter must stay where it is until it was unlinked.
    pub(super) unsafe fn take_or_link(&self, waiter: &Waiter) -> Option<Result<(), AcquireError>> {
        let mut state = self.state.lock();
        let taken = state.try_take(waiter.wants());
        if taken.is_none() {
            // SAFETY: as the caller promises.
            unsafe { state.waiters.push_back(waiter) };
        }
        taken
    }

    /// Looks at a waiter that is linked, or was.
    pub(super) fn with_lock<R>(&self, look: impl FnOnce() -> R) -> R {
        let _state = self.state.lock();
        look()
    }

    /// What a waiter that was notified has got.
    pub(super) fn outcome(waiter: &Waiter) -> Result<(), AcquireError> {
        if waiter.is_granted() {
            Ok(())
        } else {
            Err(AcquireError(()))
        }
    }

    /// A waiter gives up. If it has got something already it is too late, and that is to be released.
    /// Takes a waiter out of the queue, if it is still there. Returns whether it was.
    fn leave(&self, waiter: &Waiter) -> bool {
        let left = self.state.lock().waiters.remove(waiter);
        if left {
            // It may have stood before others who want less.
            self.serve();
        }
        left
    }

    pub(super) fn unlink(&self, waiter: &Waiter) {
        let mut state = self.state.lock();
        let waited = state.waiters.remove(waiter);
        let has_permits = waiter.is_granted();
        drop(state);
        if waited {
            // It may have stood before others who want less.
            self.serve();
        } else if has_permits {
            self.add_permits(waiter.wants());
        }
    }
}

/// Permits of a [`Semaphore`] that is borrowed; dropped, they go back.
pub type SemaphorePermit<'a> = Permit<&'a Semaphore>;

/// Permits of a [`Semaphore`] that is shared; dropped, they go back.
pub type OwnedSemaphorePermit = Permit<Arc<Semaphore>>;

/// Permits of a [`Semaphore`]; dropped, they go back.
#[must_use = "if unused the permits go back at once"]
#[derive(Debug)]
pub struct Permit<S: Deref<Target = Semaphore>> {
    semaphore: S,
    count: u32,
}

impl<S: Deref<Target = Semaphore>> Permit<S> {
    pub(super) fn new(semaphore: S, count: u32) -> Permit<S> {
        Permit { semaphore, count }
    }

    /// How many they are.
    pub fn num_permits(&self) -> usize {
        self.count as usize
    }

    /// Drops them without giving them back.
    pub fn forget(mut self) {
        self.count = 0;
    }

    /// Adds the permits of `other` to these.
    ///
    /// # Panics
    /// If they are of another semaphore, or too many for a `u32`.
    #[track_caller]
    pub fn merge(&mut self, mut other: Permit<S>) {
        assert!(
            std::ptr::eq(&raw const *self.semaphore, &raw const *other.semaphore),
            "permits of different semaphores"
        );
        self.count = self
            .count
            .checked_add(other.count)
            .expect("too many permits");
        other.count = 0;
    }

    /// Takes so many of them apart, if there are.
    pub fn split(&mut self, count: usize) -> Option<Permit<S>>
    where
        S: Clone,
    {
        let count = u32::try_from(count).ok()?;
        self.count = self.count.checked_sub(count)?;
        Some(Permit::new(self.semaphore.clone(), count))
    }
}

impl<S: Deref<Target = Semaphore>> Drop for Permit<S> {
    fn drop(&mut self) {
        let count = mem::take(&mut self.count);
        if count != 0 {
            self.semaphore.add_permits(count as usize);
        }
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (permits, closed) = {
            let state = self.state.lock();
            (state.permits, state.closed)
        };
        f.debug_struct("Semaphore")
            .field("permits", &permits)
            .field("closed", &closed)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore was closed")
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::Closed => "the semaphore was closed",
            TryAcquireError::NoPermits => "the semaphore has not enough permits",
        })
    }
}

impl Error for AcquireError {}
impl Error for TryAcquireError {}
