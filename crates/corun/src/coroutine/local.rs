//! `coroutine_local!` and `LocalKey`: the shape of `std`'s `thread_local!`, with one value per coroutine.
//!
//! `with` hands out a `&T` and the closure may suspend while it holds it. That is sound because the value belongs to this coroutine alone
//! and outlives the closure: see the invariants of `local_map`. Nothing here depends on the thread that runs the coroutine, other than
//! that it is always the same one, so `T` needs to be neither `Send` nor `Sync`.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::fmt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::local_map::{LocalMap, Refusal, peek_thread_map, with_thread_map};
use crate::scheduler::worker::Worker;

/// Declares values of which each coroutine has its own, in the grammar of [`std::thread_local!`].
///
/// A value is made by its initialiser when the coroutine first uses it, and destroyed when the coroutine ends: on its thread, before
/// `join` returns, and in reverse order of initialisation. Outside of coroutines each plain thread has a value of its own.
///
/// The initialiser may use other locals, and it may suspend. One that uses the local that it initialises panics. `const { .. }` around an
/// initialiser is accepted, as in `std`, and has the expression evaluated at compile time.
///
/// With `inherit` before the name, and no initialiser, it declares an [`InheritedKey`](crate::InheritedKey) instead: a value that is bound for the time of a call, and that all
/// coroutines that are spawned during the call see as well.
///
/// # Examples
/// ```
/// use std::cell::{Cell, RefCell};
///
/// corun::coroutine_local! {
///     static DEPTH: Cell<u32> = const { Cell::new(0) };
///     /// The words that this coroutine has seen.
///     pub static WORDS: RefCell<Vec<String>> = RefCell::new(Vec::new());
/// }
///
/// DEPTH.set(DEPTH.get() + 1);
/// WORDS.with_borrow_mut(|words| words.push("hello".into()));
/// assert_eq!((DEPTH.get(), WORDS.take().len()), (1, 1));
///
/// corun::coroutine_local! {
///     /// The request that this is done for.
///     static inherit REQUEST: u64;
/// }
///
/// let child = REQUEST.with_value(7, || corun::spawn(|| REQUEST.get()));
/// assert_eq!(child.join().unwrap(), Some(7));
/// ```
#[macro_export]
macro_rules! coroutine_local {
    () => {};
    ($(#[$attribute:meta])* $visibility:vis static inherit $name:ident : $type:ty; $($rest:tt)*) => {
        $crate::coroutine_local!($(#[$attribute])* $visibility static inherit $name: $type);
        $crate::coroutine_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static inherit $name:ident : $type:ty) => {
        $(#[$attribute])*
        $visibility static $name: $crate::InheritedKey<$type> =
            $crate::InheritedKey::__new(::core::stringify!($name));
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident : $type:ty = const $init:block; $($rest:tt)*) => {
        $crate::coroutine_local!($(#[$attribute])* $visibility static $name: $type = const $init);
        $crate::coroutine_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident : $type:ty = const $init:block) => {
        $(#[$attribute])*
        $visibility static $name: $crate::LocalKey<$type> =
            $crate::LocalKey::__new(::core::stringify!($name), || const $init);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident : $type:ty = $init:expr; $($rest:tt)*) => {
        $crate::coroutine_local!($(#[$attribute])* $visibility static $name: $type = $init);
        $crate::coroutine_local!($($rest)*);
    };
    ($(#[$attribute:meta])* $visibility:vis static $name:ident : $type:ty = $init:expr) => {
        $(#[$attribute])*
        $visibility static $name: $crate::LocalKey<$type> =
            $crate::LocalKey::__new(::core::stringify!($name), || $init);
    };
}

/// A value of which each coroutine has its own. Declared by [`coroutine_local!`]; the methods are those of [`std::thread::LocalKey`].
///
/// # Panics
/// All methods but [`try_with`](Self::try_with) panic in a destructor of another local that runs after this one's, and all of them panic
/// when the initialiser of the value asks for the value.
pub struct LocalKey<T: 'static> {
    name: &'static str,
    init: fn() -> T,
    /// Identifies the key in a `LocalMap`; 0 until the first use. (Not the address: with an atomic inside a key is never promoted to a
    /// constant, but numbers also keep two keys apart if some linker should fold them.)
    number: AtomicUsize,
}

impl<T: 'static> LocalKey<T> {
    #[doc(hidden)]
    pub const fn __new(name: &'static str, init: fn() -> T) -> LocalKey<T> {
        LocalKey {
            name,
            init,
            number: AtomicUsize::new(0),
        }
    }

    /// The number of this key. Relaxed throughout: a number stands for nothing but itself.
    fn number(&'static self) -> usize {
        match self.number.load(Ordering::Relaxed) {
            0 => self.assign_number(),
            number => number,
        }
    }

    #[cold]
    fn assign_number(&'static self) -> usize {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        match self
            .number
            .compare_exchange(0, number, Ordering::Relaxed, Ordering::Relaxed)
        {
            Ok(_) => number,
            Err(earlier) => earlier,
        }
    }

    /// The value, if it is there: what nearly all uses come down to.
    #[inline]
    fn find(&'static self) -> Option<NonNull<T>> {
        // A key without a number, which nobody has used, is 0 here, and in no map.
        let number = self.number.load(Ordering::Relaxed);
        // SAFETY: each key has a number of its own, and `T` is part of the key.
        let find = |map: &LocalMap| unsafe { map.find(number) };
        match Worker::current().and_then(Worker::locals) {
            Some(map) => find(map),
            None => peek_thread_map(find),
        }
    }

    /// The value, if this coroutine has used the key: nothing is made.
    #[inline]
    pub(super) fn peek<R>(&'static self, f: impl FnOnce(&T) -> R) -> Option<R> {
        // SAFETY: as in `try_with`.
        self.find().map(|value| f(unsafe { value.as_ref() }))
    }

    /// The value, made by `init` if this coroutine has none yet.
    #[inline(never)]
    fn get_or_init(&'static self, init: impl FnOnce() -> T) -> Result<NonNull<T>, AccessError> {
        let number = self.number();
        // SAFETY: each key has a number of its own, and `T` is part of the key.
        let get = |map: &LocalMap| unsafe { map.get_or_init(number, init) };
        match with_current_map(get) {
            Some(Ok(value)) => Ok(value),
            Some(Err(Refusal::Destroyed)) | None => Err(AccessError),
            Some(Err(Refusal::Initialising)) => {
                panic!(
                    "the initialiser of the coroutine local `{}` uses the value that it is to make",
                    self.name
                )
            }
        }
    }

    #[track_caller]
    fn expect<R>(&'static self, result: Result<R, AccessError>) -> R {
        match result {
            Ok(value) => value,
            Err(error) => panic!(
                "cannot access the coroutine local `{}` during or after its destruction: {error:?}",
                self.name
            ),
        }
    }

    /// Calls `f` with this coroutine's value. `f` may suspend.
    ///
    /// # Panics
    /// If the value is being destroyed or has been, which only a destructor of another local can find.
    #[inline]
    #[track_caller]
    pub fn with<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.expect(self.try_with(f))
    }

    /// Calls `f` with this coroutine's value, if there is one.
    ///
    /// # Errors
    /// [`AccessError`] if the value is being destroyed or has been; `f` is not called then.
    #[inline]
    pub fn try_with<F, R>(&'static self, f: F) -> Result<R, AccessError>
    where
        F: FnOnce(&T) -> R,
    {
        let value = match self.find() {
            Some(value) => value,
            None => self.get_or_init(self.init)?,
        };
        // SAFETY: the value stays until the coroutine (or thread) ends or, in a destructor that runs then, until that destructor has
        // returned: `local_map`, invariant 3. Nobody ever makes a `&mut T` of it.
        Ok(f(unsafe { value.as_ref() }))
    }

    /// Calls `f` with the value and `first`; or makes `first` the value, without the initialiser, and calls `f` with `None`.
    #[inline]
    #[track_caller]
    fn with_first<R>(&'static self, first: T, f: impl FnOnce(Option<T>, &T) -> R) -> R {
        let mut first = Some(first);
        let value = match self.find() {
            Some(value) => value,
            None => {
                let made = self.get_or_init(|| first.take().expect("an initialiser runs once"));
                self.expect(made)
            }
        };
        // SAFETY: as in `try_with`.
        f(first, unsafe { value.as_ref() })
    }
}

impl<T: 'static> LocalKey<Cell<T>> {
    /// Sets the value. The initialiser does not run if this is the first use.
    #[inline]
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_first(Cell::new(value), |again, cell| {
            if let Some(value) = again {
                cell.set(value.into_inner());
            }
        });
    }

    /// A copy of the value.
    #[inline]
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Copy,
    {
        self.with(Cell::get)
    }

    /// Takes the value and leaves the default.
    #[inline]
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(Cell::take)
    }

    /// Replaces the value and returns the old one.
    #[inline]
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> LocalKey<RefCell<T>> {
    /// Calls `f` with a shared borrow of the value. Another borrow is possible while `f` is suspended only in this same coroutine.
    ///
    /// # Panics
    /// If the value is mutably borrowed.
    #[inline]
    #[track_caller]
    pub fn with_borrow<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&T) -> R,
    {
        self.with(|cell| f(&cell.borrow()))
    }

    /// Calls `f` with a mutable borrow of the value.
    ///
    /// # Panics
    /// If the value is borrowed.
    #[inline]
    #[track_caller]
    pub fn with_borrow_mut<F, R>(&'static self, f: F) -> R
    where
        F: FnOnce(&mut T) -> R,
    {
        self.with(|cell| f(&mut cell.borrow_mut()))
    }

    /// Sets the value. The initialiser does not run if this is the first use.
    ///
    /// # Panics
    /// If the value is borrowed.
    #[inline]
    #[track_caller]
    pub fn set(&'static self, value: T) {
        self.with_first(RefCell::new(value), |again, cell| {
            if let Some(value) = again {
                *cell.borrow_mut() = value.into_inner();
            }
        });
    }

    /// Takes the value and leaves the default.
    ///
    /// # Panics
    /// If the value is borrowed.
    #[inline]
    #[track_caller]
    pub fn take(&'static self) -> T
    where
        T: Default,
    {
        self.with(RefCell::take)
    }

    /// Replaces the value and returns the old one.
    ///
    /// # Panics
    /// If the value is borrowed.
    #[inline]
    #[track_caller]
    pub fn replace(&'static self, value: T) -> T {
        self.with(|cell| cell.replace(value))
    }
}

impl<T: 'static> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// The value of a [`LocalKey`] was asked for during or after its destruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccessError;

impl fmt::Display for AccessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the coroutine local has already been destroyed")
    }
}

impl Error for AccessError {}

/// Calls `f` with the map of the current coroutine, or of the thread outside of one, for a value to be made there.
fn with_current_map<R>(f: impl FnOnce(&LocalMap) -> R) -> Option<R> {
    match Worker::current().and_then(Worker::locals_to_fill) {
        Some(map) => Some(f(map)),
        None => with_thread_map(f),
    }
}
