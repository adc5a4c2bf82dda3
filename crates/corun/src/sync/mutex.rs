//! [`Mutex`].

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::{LockResult, TryLockError, TryLockResult};

use crate::primitive::constructor;

use super::poison::{Flag, Panicking};
use super::raw_mutex::RawMutex;

/// Mutual exclusion, in the shape of [`std::sync::Mutex`]: a coroutine that has to wait is suspended, a plain thread is blocked.
///
/// # Across suspensions
/// Unlike a guard of std, one of these may be held across a wait, of I/O for example: others that want the mutex wait properly, on the same
/// worker too. What remains is what any lock has: two that are taken in different orders, or one that is locked twice by the same coroutine,
/// wait for each other for ever; and whoever sleeps under a lock keeps everybody else waiting.
///
/// # Poisoning
/// As in std: a panic that leaves a guard's scope poisons the mutex, and everybody else gets an `Err` that gives access nevertheless.
/// A coroutine that is cancelled ([`timeout`](crate::timeout)) while it holds a guard unwinds too, and so poisons it as well: it was
/// interrupted in the middle of its critical section. To be cancelled while waiting for the mutex poisons nothing. While a coroutine *waits*
/// in a destructor that runs because of a panic, guards that others of its worker drop may poison without cause, as docs/safety.md says.
///
/// # Policy
/// Who finds the mutex free takes it, even if others wait (barging). Those wait in order of arrival, and when one has waited for a
/// millisecond and lost again, the mutex is handed over in order until the queue has recovered. So throughput is that of an unfair lock and
/// the wait of each is bounded. An uncontended `lock` is one atomic exchange, and the unlock a plain store; for a mutex that only one worker or
/// thread has used for a while both are plain stores, until another one comes.
///
/// # Examples
/// ```
/// use corun::sync::{Arc, Mutex};
/// use std::time::Duration;
///
/// let log = Arc::new(Mutex::new(Vec::new()));
/// let writers: Vec<_> = (0..3)
///     .map(|n| {
///         let log = Arc::clone(&log);
///         corun::spawn(move || {
///             let mut log = log.lock().unwrap();
///             log.push((n, "begin"));
///             corun::sleep(Duration::from_millis(1)); // still locked
///             log.push((n, "end"));
///         })
///     })
///     .collect();
/// for writer in writers {
///     writer.join().unwrap();
/// }
/// assert!(log.lock().unwrap().chunks(2).all(|pair| pair[0].0 == pair[1].0));
/// ```
pub struct Mutex<T: ?Sized> {
    pub(super) raw: RawMutex,
    pub(super) poison: Flag,
    data: UnsafeCell<T>,
}

// SAFETY: the mutex gives access to one at a time, which is as good as sending the value to each.
unsafe impl<T: ?Sized + Send> Send for Mutex<T> {}
// SAFETY: as above.
unsafe impl<T: ?Sized + Send> Sync for Mutex<T> {}
impl<T: ?Sized> UnwindSafe for Mutex<T> {}
impl<T: ?Sized> RefUnwindSafe for Mutex<T> {}

/// Access to the data of a [`Mutex`]; dropped, it unlocks.
///
/// It stays on its thread, as a coroutine does.
#[must_use = "if unused the Mutex will immediately unlock"]
pub struct MutexGuard<'a, T: ?Sized + 'a> {
    mutex: &'a Mutex<T>,
    entered: Panicking,
    _stays_on_its_thread: PhantomData<*const ()>,
}

// SAFETY: a shared guard gives shared access to the data only.
unsafe impl<T: ?Sized + Sync> Sync for MutexGuard<'_, T> {}

impl<T> Mutex<T> {
    constructor! {
        /// An unlocked mutex.
        #[inline]
        pub fn new(value: T) -> Mutex<T> {
            Mutex {
                raw: RawMutex::new(),
                poison: Flag::new(),
                data: UnsafeCell::new(value),
            }
        }
    }

    /// The data, as nobody else can have the mutex any more.
    ///
    /// # Errors
    /// The data in a [`PoisonError`](super::PoisonError), if the mutex is poisoned.
    pub fn into_inner(self) -> LockResult<T> {
        let poison = self.poison;
        poison.check(self.data.into_inner())
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the mutex and locks it.
    ///
    /// # Errors
    /// The guard in a [`PoisonError`](super::PoisonError), if the mutex is poisoned.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    ///
    /// Who locks a mutex that it has locked already waits for ever.
    #[inline]
    pub fn lock(&self) -> LockResult<MutexGuard<'_, T>> {
        self.raw.lock();
        // SAFETY: locked.
        unsafe { self.guard() }
    }

    /// Locks the mutex if it is free.
    ///
    /// # Errors
    /// [`WouldBlock`](TryLockError::WouldBlock) if it is not; [`Poisoned`](TryLockError::Poisoned) with the guard if it is poisoned.
    #[inline]
    pub fn try_lock(&self) -> TryLockResult<MutexGuard<'_, T>> {
        if !self.raw.try_lock() {
            return Err(TryLockError::WouldBlock);
        }
        // SAFETY: locked.
        Ok(unsafe { self.guard() }?)
    }

    /// Has somebody panicked while holding the mutex?
    #[inline]
    pub fn is_poisoned(&self) -> bool {
        self.poison.get()
    }

    /// Declares the data to be in order again.
    ///
    /// # Examples
    /// ```
    /// use corun::sync::{Arc, Mutex};
    ///
    /// let count = Arc::new(Mutex::new(0));
    /// let culprit = Arc::clone(&count);
    /// let _ = corun::spawn(move || {
    ///     let _guard = culprit.lock().unwrap();
    ///     panic!("while counting");
    /// })
    /// .join();
    ///
    /// let value = count.lock().unwrap_or_else(|mut poisoned| {
    ///     **poisoned.get_mut() = 1;
    ///     count.clear_poison();
    ///     poisoned.into_inner()
    /// });
    /// assert_eq!(*value, 1);
    /// assert!(!count.is_poisoned());
    /// ```
    #[inline]
    pub fn clear_poison(&self) {
        self.poison.clear();
    }

    /// The data, without locking, as nobody else has access.
    ///
    /// # Errors
    /// The reference in a [`PoisonError`](super::PoisonError), if the mutex is poisoned.
    pub fn get_mut(&mut self) -> LockResult<&mut T> {
        self.poison.check(self.data.get_mut())
    }

    /// # Safety
    /// The caller has locked `raw`.
    #[inline]
    unsafe fn guard(&self) -> LockResult<MutexGuard<'_, T>> {
        self.poison.check(MutexGuard {
            mutex: self,
            entered: Panicking::now(),
            _stays_on_its_thread: PhantomData,
        })
    }
}

impl<'a, T: ?Sized> MutexGuard<'a, T> {
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

impl<T: ?Sized> Drop for MutexGuard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.mutex.poison.leave(&self.entered);
        // SAFETY: a guard stands for the locked mutex and is not `Send`.
        unsafe { self.mutex.raw.unlock() };
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: a guard stands for the locked mutex.
        unsafe { &*self.mutex.data.get() }
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above.
        unsafe { &mut *self.mutex.data.get() }
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: ?Sized + fmt::Display> fmt::Display for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Mutex<T> {
        Mutex::new(value)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Mutex<T> {
        Mutex::new(T::default())
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_struct("Mutex");
        match self.try_lock() {
            Ok(guard) => d.field("data", &&*guard),
            Err(TryLockError::Poisoned(poisoned)) => d.field("data", &&**poisoned.get_ref()),
            Err(TryLockError::WouldBlock) => d.field("data", &format_args!("<locked>")),
        };
        d.field("poisoned", &self.poison.get())
            .finish_non_exhaustive()
    }
}
