//! [`LazyLock`].

use std::cell::UnsafeCell;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::Once;

/// A value that is made when it is first used, in the shape of [`std::sync::LazyLock`].
///
/// The closure that makes it may wait; others who use the value meanwhile wait for it properly, on the same worker too.
///
/// # Poisoning
/// If the closure panics, every later use panics too.
///
/// # Examples
/// ```
/// use corun::sync::LazyLock;
///
/// static TABLE: LazyLock<Vec<u32>> = LazyLock::new(|| {
///     corun::sleep(std::time::Duration::from_millis(1)); // reads a file, say
///     vec![1, 2, 3]
/// });
///
/// let other = corun::spawn(|| TABLE.len());
/// assert_eq!((TABLE[0], other.join().unwrap()), (1, 3));
/// ```
pub struct LazyLock<T, F = fn() -> T> {
    once: Once,
    state: UnsafeCell<State<T, F>>,
}

enum State<T, F> {
    Closure(F),
    Value(T),
    /// The closure runs, or has panicked.
    Neither,
}

// SAFETY: shared, it gives shared access to the value; the closure is moved to whoever uses it first.
unsafe impl<T: Sync + Send, F: Send> Sync for LazyLock<T, F> {}
impl<T: RefUnwindSafe + UnwindSafe, F: UnwindSafe> RefUnwindSafe for LazyLock<T, F> {}
impl<T: UnwindSafe, F: UnwindSafe> UnwindSafe for LazyLock<T, F> {}

impl<T, F: FnOnce() -> T> LazyLock<T, F> {
    /// A value that `f` will make.
    #[inline]
    pub const fn new(f: F) -> LazyLock<T, F> {
        LazyLock {
            once: Once::new(),
            state: UnsafeCell::new(State::Closure(f)),
        }
    }

    /// Makes the value, if it is not there yet.
    ///
    /// # Panics
    /// With the panic of the closure, or if it has panicked before; if the closure itself, on its own coroutine, uses the value; and if it has to
    /// wait inside [`no_suspend`](crate::no_suspend).
    #[inline]
    pub fn force(this: &LazyLock<T, F>) -> &T {
        this.once.call_once(|| {
            // SAFETY: one closure runs, once, and nobody looks before it has ended. `&mut` is not held while it runs.
            unsafe {
                if let State::Closure(f) = mem::replace(&mut *this.state.get(), State::Neither) {
                    let value = f();
                    *this.state.get() = State::Value(value);
                }
            }
        });
        // SAFETY: completed, so it does not change any more.
        match unsafe { &*this.state.get() } {
            State::Value(value) => value,
            _ => unreachable!("the closure has returned a value"),
        }
    }

    /// As [`force`](LazyLock::force), to change the value.
    ///
    /// # Panics
    /// As `force`.
    #[inline]
    pub fn force_mut(this: &mut LazyLock<T, F>) -> &mut T {
        LazyLock::force(this);
        match LazyLock::get_mut(this) {
            Some(value) => value,
            None => unreachable!("it has been made"),
        }
    }
}

impl<T, F> LazyLock<T, F> {
    /// The value, if it has been made.
    #[inline]
    pub fn get(this: &LazyLock<T, F>) -> Option<&T> {
        if !this.once.is_completed() {
            return None;
        }
        // SAFETY: completed, so it does not change any more.
        match unsafe { &*this.state.get() } {
            State::Value(value) => Some(value),
            _ => None,
        }
    }

    /// As [`get`](LazyLock::get), to change the value.
    #[inline]
    pub fn get_mut(this: &mut LazyLock<T, F>) -> Option<&mut T> {
        match this.state.get_mut() {
            State::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl<T, F: FnOnce() -> T> Deref for LazyLock<T, F> {
    type Target = T;

    /// Makes the value, if it is not there yet: see [`force`](LazyLock::force).
    #[inline]
    fn deref(&self) -> &T {
        LazyLock::force(self)
    }
}

impl<T: Default> Default for LazyLock<T> {
    /// The default value, made when it is first used.
    fn default() -> LazyLock<T> {
        LazyLock::new(T::default)
    }
}

impl<T: fmt::Debug, F> fmt::Debug for LazyLock<T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut d = f.debug_tuple("LazyLock");
        match LazyLock::get(self) {
            Some(value) => d.field(value),
            None => d.field(&format_args!("<uninit>")),
        };
        d.finish()
    }
}
