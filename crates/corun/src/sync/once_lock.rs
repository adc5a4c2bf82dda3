//! [`OnceLock`].

use std::cell::UnsafeCell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::Once;

/// A place that is written once, in the shape of [`std::sync::OnceLock`].
///
/// The closure that makes the value may wait; others who want the value wait for it properly, on the same worker too.
///
/// # Examples
/// ```
/// use corun::sync::OnceLock;
///
/// static CONFIG: OnceLock<String> = OnceLock::new();
///
/// let readers: Vec<_> = (0..4)
///     .map(|_| {
///         corun::spawn(|| {
///             CONFIG
///                 .get_or_init(|| {
///                     corun::sleep(std::time::Duration::from_millis(1)); // reads a file, say
///                     "read once".to_owned()
///                 })
///                 .as_str()
///         })
///     })
///     .collect();
/// for reader in readers {
///     assert_eq!(reader.join().unwrap(), "read once");
/// }
/// ```
pub struct OnceLock<T> {
    once: Once,
    /// Initialised if `once` is completed.
    value: UnsafeCell<MaybeUninit<T>>,
    _owns: PhantomData<T>,
}

// SAFETY: shared, it gives shared access, and takes values from any thread.
unsafe impl<T: Sync + Send> Sync for OnceLock<T> {}
// SAFETY: as good as sending the value.
unsafe impl<T: Send> Send for OnceLock<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceLock<T> {}
impl<T: UnwindSafe> UnwindSafe for OnceLock<T> {}

impl<T> OnceLock<T> {
    /// An empty place.
    #[inline]
    #[must_use]
    pub const fn new() -> OnceLock<T> {
        OnceLock {
            once: Once::new(),
            value: UnsafeCell::new(MaybeUninit::uninit()),
            _owns: PhantomData,
        }
    }

    /// The value, if it is there. Does not wait for a closure that is making it.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        self.once.is_completed().then(|| {
            // SAFETY: completed.
            unsafe { self.get_unchecked() }
        })
    }

    /// As [`get`](OnceLock::get), to change it.
    #[inline]
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.once.is_completed().then(|| {
            // SAFETY: completed.
            unsafe { self.value.get_mut().assume_init_mut() }
        })
    }

    /// Waits until somebody has written the value.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    #[inline]
    pub fn wait(&self) -> &T {
        self.once.wait_force();
        // SAFETY: completed.
        unsafe { self.get_unchecked() }
    }

    /// Writes the value if there is none, having waited for a closure that is making one.
    ///
    /// # Errors
    /// The new value, if there is one already.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    #[inline]
    pub fn set(&self, value: T) -> Result<(), T> {
        let mut value = Some(value);
        self.get_or_init(|| match value.take() {
            Some(value) => value,
            None => unreachable!("it is called once"),
        });
        value.map_or(Ok(()), Err)
    }

    /// The value, which `f` makes if there is none yet. If several want to make it, one does, and the others wait.
    ///
    /// # Panics
    /// With the panic of `f`, after which the place is as empty as before; if `f` itself, on its own coroutine, wants the value; and if it
    /// has to wait inside [`no_suspend`](crate::no_suspend).
    #[inline]
    pub fn get_or_init<F: FnOnce() -> T>(&self, f: F) -> &T {
        if let Some(value) = self.get() {
            return value;
        }
        self.initialize(f);
        // SAFETY: completed.
        unsafe { self.get_unchecked() }
    }

    #[cold]
    fn initialize(&self, f: impl FnOnce() -> T) {
        // After a panic somebody else tries.
        self.once.call_once_force(|_| {
            let value = f();
            // SAFETY: one closure runs at a time, and nobody reads before it is completed.
            unsafe { (*self.value.get()).write(value) };
        });
    }

    /// The value, if there is one.
    #[inline]
    pub fn into_inner(mut self) -> Option<T> {
        self.take()
    }

    /// The value, if there is one; the place is empty afterwards.
    #[inline]
    pub fn take(&mut self) -> Option<T> {
        if !self.once.is_completed() {
            return None;
        }
        self.once = Once::new();
        // SAFETY: it was completed, and from now on is not.
        Some(unsafe { self.value.get_mut().assume_init_read() })
    }

    /// # Safety
    /// `once` is completed.
    #[inline]
    unsafe fn get_unchecked(&self) -> &T {
        // SAFETY: initialised, and not written again while it is shared.
        unsafe { (*self.value.get()).assume_init_ref() }
    }
}

impl<T> Drop for OnceLock<T> {
    #[inline]
    fn drop(&mut self) {
        if self.once.is_completed() {
            // SAFETY: completed.
            unsafe { self.value.get_mut().assume_init_drop() };
        }
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> OnceLock<T> {
        OnceLock::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_tuple("OnceLock");
        match self.get() {
            Some(value) => d.field(value),
            None => d.field(&format_args!("<uninit>")),
        };
        d.finish()
    }
}

impl<T: Clone> Clone for OnceLock<T> {
    fn clone(&self) -> OnceLock<T> {
        self.get()
            .cloned()
            .map_or_else(OnceLock::new, OnceLock::from)
    }
}

impl<T> From<T> for OnceLock<T> {
    fn from(value: T) -> OnceLock<T> {
        let place = OnceLock::new();
        place.get_or_init(|| value);
        place
    }
}

impl<T: PartialEq> PartialEq for OnceLock<T> {
    fn eq(&self, other: &OnceLock<T>) -> bool {
        self.get() == other.get()
    }
}

impl<T: Eq> Eq for OnceLock<T> {}
