//! Scopes: coroutines that borrow from the one that spawns them.
//!
//! The shape is a closure, not a guard: [`scope`] does not return before every child has ended, whatever the closure does, so the borrows
//! outlive the children. (A guard could be forgotten; corosensei's borrowing coroutines broke on that.)
//!
//! The count of running children lies on the stack of the caller of `scope`. The last child reports under the lock, and
//! the caller takes the lock once more after it was woken; so the child is done with the scope's memory before it goes.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::panic::{self, AssertUnwindSafe, Location};
use std::ptr;
use std::{io, thread};

use crate::coroutine::handle::Coroutine;
use crate::coroutine::join::JoinHandle;
use crate::coroutine::slice::allow_suspension;
use crate::coroutine::spawn::{Builder, launch};
use crate::coroutine::task::{Body, Epilogue, MetaInit};
use crate::runtime;
use crate::scheduler;
use crate::scheduler::lock::SpinLock;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;

/// A scope to spawn borrowing coroutines in; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    data: ScopeData,
    /// Invariant, as in std: a scope must not be taken for one of another lifetime.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

struct ScopeData {
    state: SpinLock<ScopeState>,
}

struct ScopeState {
    running: usize,
    failed_unseen: bool,
    waiter: *const Signal,
}

// SAFETY: the signal is made to be notified from other threads, and reached under the lock only.
unsafe impl Send for ScopeState {}

/// The right to wait for a coroutine of a scope, and to have its result.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    data: &'scope ScopeData,
}

/// Runs `f` with a [`Scope`], in which coroutines may be spawned that borrow what lives outside of it. Returns when `f` has returned and all
/// of them have ended. The contract is that of [`std::thread::scope`]; a plain thread may call it too.
///
/// # Panics
/// With the panic of `f`; if a coroutine panicked whose handle was not joined; and in an async task, which cannot wait here.
///
/// # Examples
/// ```
/// let mut numbers = vec![1, 2, 3];
/// let mut sum = 0;
/// corun::scope(|scope| {
///     scope.spawn(|| sum = numbers.iter().sum());
///     scope.spawn(|| println!("the first is {}", numbers[0]));
/// });
/// numbers.push(sum);
/// assert_eq!(numbers, [1, 2, 3, 6]);
/// ```
#[track_caller]
pub fn scope<'env, F, T>(f: F) -> T
where
    F: for<'scope> FnOnce(&'scope Scope<'scope, 'env>) -> T,
{
    scheduler::assert_not_polling();
    let state = ScopeState {
        running: 0,
        failed_unseen: false,
        waiter: ptr::null(),
    };
    let scope = Scope {
        data: ScopeData {
            state: SpinLock::new(state),
        },
        scope: PhantomData,
        env: PhantomData,
    };
    let result = panic::catch_unwind(AssertUnwindSafe(|| f(&scope)));
    // To unwind out of here would free what the children borrow.
    let failed = allow_suspension(|| scope.data.wait());
    match result {
        Err(payload) => panic::resume_unwind(payload),
        Ok(_) if failed => panic!("a scoped coroutine panicked"),
        Ok(value) => value,
    }
}

impl ScopeData {
    /// Waits until no child runs any more. Returns whether one failed unseen.
    fn wait(&self) -> bool {
        let mut state = self.state.lock();
        if state.running != 0 {
            drop(state);
            let signal = Signal::new();
            state = self.state.lock();
            if state.running != 0 {
                state.waiter = &raw const signal;
                drop(state);
                signal.wait();
                state = self.state.lock();
            }
        }
        state.failed_unseen
    }
}

/// The body of a scope's coroutine.
struct Scoped<F> {
    f: F,
    child: Child,
}

/// Counts a child down when nothing of it is left.
struct Child(*const ScopeData);

impl<F: FnOnce() -> T, T> Body for Scoped<F> {
    type Output = T;
    type Epilogue = Child;
    fn split(self) -> (impl FnOnce() -> T, Child) {
        (self.f, self.child)
    }
}

impl Epilogue for Child {
    fn finish(self, failed_unseen: bool) {
        // SAFETY: the scope does not end before this child has been counted down, and the lock was given up after that.
        let mut state = unsafe { &*self.0 }.state.lock();
        state.running -= 1;
        state.failed_unseen |= failed_unseen;
        if state.running == 0 && !state.waiter.is_null() {
            // SAFETY: the scope's end waits for this, and takes the lock before its signal goes.
            unsafe { Signal::notify(state.waiter) };
        }
    }
}

impl<'scope> Scope<'scope, '_> {
    /// Spawns a coroutine in the scope.
    ///
    /// # Panics
    /// As [`corun::spawn`](crate::spawn).
    #[track_caller]
    pub fn spawn<F, T>(&'scope self, f: F) -> ScopedJoinHandle<'scope, T>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        self.launch(f, MetaInit::Site(Location::caller()))
            .unwrap_or_else(|error| panic!("failed to spawn a coroutine: {error}"))
    }

    fn launch<F, T>(&'scope self, f: F, meta: MetaInit) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let data = &self.data;
        let scheduler = match Worker::current() {
            Some(worker) => &*worker.shared().scheduler,
            None => &*runtime::try_global()?.scheduler,
        };
        data.state.lock().running += 1;
        // A refused body is counted down by its epilogue like one that has ended.
        let handle = launch(
            scheduler,
            Scoped {
                f,
                child: Child(data),
            },
            meta,
        )?;
        Ok(ScopedJoinHandle { handle, data })
    }
}

impl Builder {
    /// Spawns a coroutine with this name and stack size in a scope.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_scoped<'scope, F, T>(
        self,
        scope: &'scope Scope<'scope, '_>,
        f: F,
    ) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let meta = self.meta(Location::caller())?;
        scope.launch(f, meta)
    }
}

impl<T> ScopedJoinHandle<'_, T> {
    /// Waits for the coroutine and returns what its closure returned.
    ///
    /// # Errors
    /// As [`JoinHandle::join`]. A panic that is seen here does not make the scope panic.
    pub fn join(self) -> Result<T, Box<dyn Any + Send + 'static>> {
        // Takes the handle out past the destructor below, which is for handles that were not joined.
        let this = std::mem::ManuallyDrop::new(self);
        // SAFETY: `this` is not used again.
        let handle = unsafe { ptr::read(&raw const this.handle) };
        let result: thread::Result<T> = handle.join();
        result
    }

    /// Cancels the coroutine: see [`JoinHandle::cancel`].
    pub fn cancel(&self) {
        self.handle.cancel();
    }

    /// Has the coroutine ended?
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// The coroutine that this is the handle of.
    pub fn coroutine(&self) -> &Coroutine {
        self.handle.coroutine()
    }

    /// The same as [`coroutine`](ScopedJoinHandle::coroutine), under std's name.
    pub fn thread(&self) -> &Coroutine {
        self.handle.coroutine()
    }
}

impl<T> Drop for ScopedJoinHandle<'_, T> {
    fn drop(&mut self) {
        if self.handle.detach() {
            self.data.state.lock().failed_unseen = true;
        }
    }
}

impl fmt::Debug for Scope<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope")
            .field("running", &self.data.state.lock().running)
            .finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for ScopedJoinHandle<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopedJoinHandle")
            .field("coroutine", self.coroutine())
            .finish_non_exhaustive()
    }
}
