//! Scopes: coroutines that borrow from the one that spawns them, and end with it.
//!
//! The shape is a closure, not a guard: [`scope`] does not return before every child has ended, whatever the closure does, so the borrows
//! outlive the children. (A guard could be forgotten; corosensei's borrowing coroutines broke on that.)
//!
//! # Invariants
//! - The count of children that have not ended lies on the stack of the caller of `scope`. The last child reports under the lock, and the caller takes
//!   the lock once more after it was woken; so the child is done with the scope's memory before it goes.
//! - A child that runs has a [`Link`] on its own stack in one of the scope's lists, so that it can be cancelled. One that has not begun finds, when
//!   it links itself, that the scope was cancelled.
//! - The children are cancelled when one of them has failed unseen, when the closure has, and when the caller is cancelled while it waits, in the closure
//!   or for their ends. The failure of a child also ends the closure, which runs inside a level with a flag (`cancel/levels.rs`).
//! - Whoever fails or cancels does so before it is counted down, as the scope's memory may go after that.
//!
//! Rejected: a token for each scope (two allocations, and a lock and a listener for each child).

use std::any::Any;
use std::cell::Cell;
use std::fmt;
use std::marker::{PhantomData, PhantomPinned};
use std::panic::{self, AssertUnwindSafe, Location};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{io, thread};

use crate::cancel::Cancelled;
use crate::cancel::caller::Caller;
use crate::cancel::levels::{self, Level};
use crate::cancel::limit::Limit;
use crate::coroutine::body::{Body, Epilogue};
use crate::coroutine::handle::Coroutine;
use crate::coroutine::join::JoinHandle;
use crate::coroutine::slice::allow_suspension;
use crate::coroutine::spawn::{Builder, failed_here, launch};
use crate::coroutine::task::{MetaInit, TaskRef, forget_payload};
use crate::scheduler;
use crate::scheduler::lock::SpinLock;
use crate::scheduler::signal::Signal;
use crate::scheduler::worker::Worker;

type Payload = Box<dyn Any + Send>;

/// A scope to spawn borrowing coroutines in; see [`scope`].
pub struct Scope<'scope, 'env: 'scope> {
    data: ScopeData,
    /// Invariant, as in std: a scope must not be taken for one of another lifetime.
    scope: PhantomData<&'scope mut &'scope ()>,
    env: PhantomData<&'env mut &'env ()>,
}

struct ScopeData {
    state: SpinLock<ScopeState>,
    /// A child has failed unseen: ends the closure.
    failed: AtomicBool,
    caller: Caller,
}

struct ScopeState {
    running: usize,
    /// Children that run: those that were not cancelled, and those that were.
    going_on: *const Link,
    told: *const Link,
    cancelled: bool,
    /// The first unseen failure.
    failure: Option<Payload>,
    waiter: *const Signal,
}

// SAFETY: the signal is made to be notified from other threads, the links lie on stacks of coroutines that stay until they are unlinked, and both are
// reached under the lock only.
unsafe impl Send for ScopeState {}

/// A child that runs, on its own stack. Changed under the scope's lock.
struct Link {
    task: TaskRef,
    told: Cell<bool>,
    next: Cell<*const Link>,
    prev: Cell<*const Link>,
    _pinned: PhantomPinned,
}

impl Link {
    fn of_running() -> Link {
        let Some(task) = Worker::current().and_then(Worker::running) else {
            unreachable!("a coroutine runs on a worker");
        };
        Link {
            task,
            told: Cell::new(false),
            next: Cell::new(ptr::null()),
            prev: Cell::new(ptr::null()),
            _pinned: PhantomPinned,
        }
    }
}

/// The right to wait for a coroutine of a scope, and to have its result.
pub struct ScopedJoinHandle<'scope, T> {
    handle: JoinHandle<T>,
    data: &'scope ScopeData,
}

/// Runs `f` with a [`Scope`], in which coroutines may be spawned that borrow what lives outside of it. Returns when `f` has returned and all
/// of them have ended. The contract is that of [`std::thread::scope`], and more, since coroutines can be cancelled; a plain thread may call it too.
///
/// - The panic of a child whose handle is joined is the joiner's business, as with std. If its handle was dropped, or is dropped without a join, nobody
///   would see it: then `f` and the other children are cancelled at once, as by [`JoinHandle::cancel`], and when all have ended `scope`
///   goes on with that panic. The first counts.
/// - If `f` panics, the children are cancelled, and `scope` goes on with the panic of `f`.
/// - If the caller is cancelled, by a [`timeout`](crate::timeout) around the scope, say, the children are cancelled as well, and waited for.
/// - A child that was cancelled has not failed: what ends so disturbs nobody.
///
/// # Panics
/// With the panic of `f`, or of a child whose handle was not joined.
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
    let scope = Scope {
        data: ScopeData {
            state: SpinLock::new(ScopeState {
                running: 0,
                going_on: ptr::null(),
                told: ptr::null(),
                cancelled: false,
                failure: None,
                waiter: ptr::null(),
            }),
            failed: AtomicBool::new(false),
            caller: Caller::current(),
        },
        scope: PhantomData,
        env: PhantomData,
    };
    let data = &scope.data;
    let body = || Level::flagged(&data.failed).run(|| f(&scope));
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    if result.is_err() {
        data.cancel_children();
    }
    // To unwind out of here would free what the children borrow.
    let cut_short = allow_suspension(|| data.wait());
    let failure = data.state.lock().failure.take();
    match (result, failure) {
        (Err(payload), Some(failure)) if levels::is_cancellation(&*payload) => {
            forget_payload(payload);
            panic::resume_unwind(failure)
        }
        (Err(payload), failure) => {
            if let Some(failure) = failure {
                forget_payload(failure);
            }
            panic::resume_unwind(payload)
        }
        (Ok(_), Some(failure)) => panic::resume_unwind(failure),
        (Ok(value), None) => {
            if let Some(limit) = cut_short {
                limit.expired();
            }
            match value {
                Some(value) => value,
                None => unreachable!("the closure is cut short by a failure only"),
            }
        }
    }
}

impl ScopeData {
    /// One more child.
    fn count_up(&self) {
        self.state.lock().running += 1;
    }

    /// One child less. Nothing of it is left.
    fn count_down(&self) {
        let mut state = self.state.lock();
        state.running -= 1;
        if state.running == 0 && !state.waiter.is_null() {
            let waiter = std::mem::replace(&mut state.waiter, ptr::null());
            // SAFETY: the scope's end waits for this, and takes the lock before its signal goes.
            unsafe { Signal::notify(waiter) };
        }
    }

    /// Puts a child that begins into the list. Cancels it if the scope was cancelled before.
    fn enter(&self, link: &Link) {
        let cancelled = {
            let mut state = self.state.lock();
            link.told.set(state.cancelled);
            state.link(link);
            state.cancelled
        };
        if cancelled {
            link.task.cancel();
        }
    }

    fn leave(&self, link: &Link) {
        self.state.lock().unlink(link);
    }

    /// Waits until no child runs any more. If the caller was cancelled meanwhile, and so the children too, returns the limit of its wait.
    fn wait(&self) -> Option<Limit> {
        let mut cut_short = None;
        let mut limit = Limit::new(None);
        while self.state.lock().running != 0 {
            let signal = Signal::new();
            {
                let mut state = self.state.lock();
                if state.running == 0 {
                    break;
                }
                state.waiter = &raw const signal;
            }
            let withdraw =
                || !std::mem::replace(&mut self.state.lock().waiter, ptr::null()).is_null();
            if !limit.wait(&signal, withdraw) {
                self.cancel_children();
                cut_short = Some(std::mem::replace(&mut limit, Limit::masked(None)));
            }
        }
        cut_short
    }

    /// Cancels the children that run, and those to come.
    #[cold]
    fn cancel_children(&self) {
        self.state.lock().cancelled = true;
        loop {
            let mut state = self.state.lock();
            // SAFETY: a linked child stays on its stack until it has unlinked itself, under the lock.
            let Some(link) = (unsafe { state.going_on.as_ref() }) else {
                return;
            };
            state.unlink(link);
            link.told.set(true);
            state.link(link);
            let child = Coroutine::from_running(link.task);
            drop(state);
            // Without the lock: it may wake a worker.
            child.task().cancel();
        }
    }

    /// A child has failed, and has not been counted down.
    #[cold]
    fn fail(&self, payload: Payload) {
        if payload.is::<Cancelled>() {
            forget_payload(payload);
            return;
        }
        {
            let mut state = self.state.lock();
            if state.failure.is_some() {
                drop(state);
                forget_payload(payload);
                return;
            }
            state.failure = Some(payload);
        }
        self.failed.store(true, Ordering::SeqCst);
        // SAFETY: the caller is in `scope`, and does not leave it before this child was counted down, or before its handle, which borrows
        // the scope, is gone.
        unsafe { self.caller.interrupt() };
        self.cancel_children();
    }
}

impl ScopeState {
    fn list(&mut self, told: bool) -> &mut *const Link {
        if told {
            &mut self.told
        } else {
            &mut self.going_on
        }
    }

    fn link(&mut self, link: &Link) {
        let list = self.list(link.told.get());
        link.prev.set(ptr::null());
        link.next.set(*list);
        // SAFETY: what is linked is alive.
        if let Some(next) = unsafe { list.as_ref() } {
            next.prev.set(link);
        }
        *list = link;
    }

    fn unlink(&mut self, link: &Link) {
        // SAFETY: what is linked is alive.
        let (next, prev) = unsafe { (link.next.get().as_ref(), link.prev.get().as_ref()) };
        match prev {
            Some(prev) => prev.next.set(link.next.get()),
            None => *self.list(link.told.get()) = link.next.get(),
        }
        if let Some(next) = next {
            next.prev.set(link.prev.get());
        }
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
        let data = self.child.0;
        // SAFETY: the scope does not end before this child has been counted down.
        let f = move || run_linked(unsafe { &*data }, self.f);
        (f, self.child)
    }
}

/// Runs a child's closure, or not, if the scope was cancelled before.
fn run_linked<T>(data: &ScopeData, f: impl FnOnce() -> T) -> T {
    struct Linked<'a>(&'a ScopeData, &'a Link);
    impl Drop for Linked<'_> {
        fn drop(&mut self) {
            self.0.leave(self.1);
        }
    }
    let link = Link::of_running();
    data.enter(&link);
    let _linked = Linked(data, &link);
    if link.told.get() {
        Limit::check();
    }
    f()
}

impl Epilogue for Child {
    fn failed_unseen(&self, payload: Payload) {
        // SAFETY: the scope does not end before this child has been counted down.
        unsafe { &*self.0 }.fail(payload);
    }

    fn finish(self) {
        // SAFETY: as above, and the scope's end takes the lock that this has had.
        unsafe { &*self.0 }.count_down();
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
            .unwrap_or_else(|error| failed_here("a coroutine", &error))
    }

    fn launch<F, T>(&'scope self, f: F, meta: MetaInit) -> io::Result<ScopedJoinHandle<'scope, T>>
    where
        F: FnOnce() -> T + Send + 'scope,
        T: Send + 'scope,
    {
        let data = &self.data;
        data.count_up();
        // A refused body is counted down by its epilogue like one that has ended.
        let handle = launch(
            None,
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
    /// As [`JoinHandle::join`]. A panic that is seen here is not the scope's business any more.
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
        if let Some(payload) = self.handle.detach() {
            self.data.fail(payload);
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
