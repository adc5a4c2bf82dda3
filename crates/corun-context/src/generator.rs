//! Iterators written as ordinary code.

use core::fmt;
use core::iter::FusedIterator;

use crate::stack::Stack;
use crate::{Coroutine, Resumed, Status, Suspender};

/// An [`Iterator`] whose items are produced by code that suspends itself with each one.
///
/// It is a [`Coroutine`] that takes nothing in and returns nothing at its end. Dropping it early unwinds the code, so
/// that destructors run. `&Generator` is an iterator as well, for use from several places in turn.
///
/// ```
/// use corun_context::Generator;
///
/// fn visit(tree: &[&[i32]], to: &corun_context::Suspender<(), i32, ()>) {
///     for row in tree {
///         row.iter().for_each(|n| to.suspend(*n)); // from inside any nested call
///     }
/// }
///
/// let numbers = Generator::new(|to| visit(&[&[1, 2], &[], &[3]], to));
/// assert_eq!(numbers.collect::<Vec<_>>(), [1, 2, 3]);
/// ```
#[must_use = "iterators are lazy and do nothing unless consumed"]
pub struct Generator<T: 'static> {
    coroutine: Coroutine<(), T, ()>,
}

impl<T> Generator<T> {
    /// Makes a generator on a [`DefaultStack`](crate::stack::DefaultStack).
    ///
    /// # Panics
    /// As [`Coroutine::new`].
    #[cfg(feature = "std")]
    pub fn new<F>(f: F) -> Self
    where
        F: FnOnce(&Suspender<(), T, ()>) + 'static,
    {
        Generator {
            coroutine: Coroutine::new(|suspender, ()| f(suspender)),
        }
    }

    /// Makes a generator that runs on `stack`.
    ///
    /// # Panics
    /// As [`Coroutine::with_stack`].
    pub fn with_stack<S, F>(stack: S, f: F) -> Self
    where
        S: Stack + 'static,
        F: FnOnce(&Suspender<(), T, ()>) + 'static,
    {
        Generator {
            coroutine: Coroutine::with_stack(stack, |suspender, ()| f(suspender)),
        }
    }

    /// The state of the coroutine behind it.
    pub fn status(&self) -> Status {
        self.coroutine.status()
    }
}

impl<T> Iterator for &Generator<T> {
    type Item = T;

    /// # Panics
    /// If the generator's own code asks for its next item, and with the panic of that code.
    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.coroutine.resume(()) {
            Ok(Resumed::Yield(item)) => Some(item),
            Ok(Resumed::Return(())) => None,
            Err(error) if error.status() == Status::Dead => None,
            Err(_) => panic!("a generator asked for its own next item"),
        }
    }
}

impl<T> Iterator for Generator<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        (&*self).next()
    }
}

impl<T> FusedIterator for Generator<T> {}
impl<T> FusedIterator for &Generator<T> {}

impl<T> fmt::Debug for Generator<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator")
            .field("status", &self.status())
            .finish()
    }
}
