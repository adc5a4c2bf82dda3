//! Values that are bound for the time of a call, and that coroutines inherit from whoever spawns them: `InheritedKey`.
//!
//! # Invariants
//! - What is bound at some place is a list that never changes ([`Bindings`]), shared by all who see it. To bind one more makes another list, in which
//!   the key occurs once: so the lists do not grow with the generations of a family of coroutines.
//! - Inside `with_value` the list is in a coroutine local; in an async task, whose poll goes on without a break, in a thread local, since a
//!   coroutine local would bind the task to its worker. Elsewhere a coroutine sees the one that it was spawned with, which its block keeps until the
//!   coroutine ends (not longer: handles to it may live on).
//! - The values of a coroutine are dropped on its own stack, after its closure, or by whoever else has them.
//!
//! A program that binds nothing pays for a look at one flag in each spawn, and for a look at the block's first line at each end.
//!
//! Rejected: a field in the control block (a store at each start); to copy the values of ordinary locals (each spawn would have to walk them).

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::task::{Meta, MetaInit, TaskRef, forget_payload};
use crate::scheduler::worker::Worker;

/// What is bound at some place.
pub(crate) type Bindings = Arc<[Binding]>;

#[derive(Clone)]
pub(crate) struct Binding {
    /// The address of the key, which is a static.
    key: usize,
    value: Arc<dyn Any + Send + Sync>,
}

/// Has anybody ever bound anything?
static USED: AtomicBool = AtomicBool::new(false);

crate::coroutine_local! {
    /// What is bound by the calls of `with_value` that the coroutine, or thread, is in.
    static BOUND: Cell<Option<Bindings>> = const { Cell::new(None) };
}

thread_local! {
    /// The same for the async task that the thread polls.
    static BOUND_IN_POLL: Cell<Option<Bindings>> = const { Cell::new(None) };
}

/// A key to values that are inherited: bound for the time of a call, and seen by everything that is called, and by all coroutines that are spawned
/// meanwhile, for as long as they live. Declared by [`coroutine_local!`](crate::coroutine_local) with `inherit`.
///
/// For what concerns a whole piece of work, however many coroutines do it: the number of the request in each line of a log, whose orders these are.
/// The values are shared, so they are `Send` and `Sync`, and cannot be changed; but a call further down may bind another one.
///
/// # Examples
/// ```
/// corun::coroutine_local! {
///     static inherit USER: String;
/// }
///
/// fn log(text: &str) -> String {
///     USER.with(|user| format!("{}: {text}", user.map_or("nobody", |user| user)))
/// }
///
/// assert_eq!(log("hello"), "nobody: hello");
/// let lines = USER.with_value("anna".into(), || {
///     corun::scope(|scope| {
///         let child = scope.spawn(|| log("from a child"));
///         [log("hello"), child.join().unwrap()]
///     })
/// });
/// assert_eq!(lines, ["anna: hello", "anna: from a child"]);
/// assert_eq!(log("again"), "nobody: again");
/// ```
pub struct InheritedKey<T: 'static> {
    name: &'static str,
    value: std::marker::PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> InheritedKey<T> {
    #[doc(hidden)]
    pub const fn __new(name: &'static str) -> InheritedKey<T> {
        InheritedKey {
            name,
            value: std::marker::PhantomData,
        }
    }

    fn address(&'static self) -> usize {
        ptr::from_ref(self).addr()
    }

    /// Calls `f` with the value bound to this key. Coroutines that are spawned meanwhile inherit it, even if they live longer.
    ///
    /// # Panics
    /// With the panic of `f`; and in the destructor of a coroutine local.
    pub fn with_value<R>(&'static self, value: T, f: impl FnOnce() -> R) -> R {
        USED.store(true, Ordering::Relaxed);
        let added = Binding {
            key: self.address(),
            value: Arc::new(value),
        };
        let others = current();
        let others = others.iter().flat_map(|bindings| bindings.iter());
        let others = others.filter(|binding| binding.key != added.key).cloned();
        let bindings: Bindings = others.chain([added.clone()]).collect();
        bound(Some(bindings), f)
    }

    /// Calls `f` with the value that is bound, if there is one.
    pub fn with<R>(&'static self, f: impl FnOnce(Option<&T>) -> R) -> R {
        let bindings = if USED.load(Ordering::Relaxed) {
            current()
        } else {
            None
        };
        let found = bindings
            .iter()
            .flat_map(|bindings| bindings.iter())
            .find(|binding| binding.key == self.address());
        f(found.and_then(|binding| binding.value.downcast_ref()))
    }

    /// A copy of the value that is bound, if there is one.
    pub fn get(&'static self) -> Option<T>
    where
        T: Clone,
    {
        self.with(|value| value.cloned())
    }
}

impl<T: 'static> fmt::Debug for InheritedKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InheritedKey")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Looks at a cell without taking from it for longer than that.
fn cloned(cell: &Cell<Option<Bindings>>) -> Option<Bindings> {
    let bindings = cell.take();
    cell.set(bindings.clone());
    bindings
}

/// What is bound where this is called.
fn current() -> Option<Bindings> {
    let running = Worker::current().and_then(Worker::running);
    let bound = match running {
        Some(task) if task.is_guest() && !task.is_migrant() => BOUND_IN_POLL.try_with(cloned).ok(),
        _ => BOUND.peek(cloned),
    };
    bound
        .flatten()
        .or_else(|| cloned(running.as_ref()?.inherited()?))
}

/// Puts these in the place of what the calls of `with_value` around here have bound.
fn replace(bindings: Option<Bindings>) -> Option<Bindings> {
    match Worker::current().and_then(Worker::running) {
        Some(task) if task.is_guest() && !task.is_migrant() => BOUND_IN_POLL.replace(bindings),
        _ => BOUND.replace(bindings),
    }
}

/// Calls `f` with these bound, in place of what is.
fn bound<R>(bindings: Option<Bindings>, f: impl FnOnce() -> R) -> R {
    struct Restore(Option<Bindings>);
    impl Drop for Restore {
        fn drop(&mut self) {
            let before = self.0.take();
            // The values that go are dropped after the others are back.
            drop(replace(before));
        }
    }
    let _restore = Restore(replace(bindings));
    f()
}

/// Calls `f` with nothing bound: what it spawns belongs to nobody's work in particular.
#[cfg(feature = "hickory")]
pub(crate) fn unbound<R>(f: impl FnOnce() -> R) -> R {
    bound(Some(Arc::from([])), f)
}

/// Has a coroutine that is being spawned inherit what is bound here.
#[inline(always)]
pub(crate) fn carry(meta: MetaInit) -> MetaInit {
    if USED.load(Ordering::Relaxed) {
        carry_bound(meta)
    } else {
        meta
    }
}

#[cold]
fn carry_bound(meta: MetaInit) -> MetaInit {
    let Some(bindings) = current() else {
        return meta;
    };
    let meta = match meta {
        MetaInit::Site(site) => Box::new(Meta::new(site)),
        MetaInit::Full(meta) => meta,
        // Made from one that has been here.
        MetaInit::Guest(_) => return meta,
    };
    meta.inherited.set(Some(bindings));
    MetaInit::Full(meta)
}

/// Drops what an ending coroutine has inherited. A destructor that panics keeps nothing else from running.
#[inline(always)]
pub(crate) fn forget(task: TaskRef) {
    if let Some(inherited) = task.inherited() {
        forget_inherited(inherited);
    }
}

#[inline(never)]
fn forget_inherited(inherited: &Cell<Option<Bindings>>) {
    let bindings = inherited.take();
    if bindings.is_some()
        && let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(bindings)))
    {
        forget_payload(payload);
    }
}
