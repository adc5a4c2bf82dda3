//! [`TaskGroup`]: children whose results are taken as they come, and who stand and fall together.
//!
//! # Protocol
//! A group is a [`scope`] with two tokens: one that its children run under, and one, its parent, that the body runs under. Whoever fails first
//! leaves the reason in the group and cancels the parent: so the siblings and the body unwind from the waits that they are in. When all have
//! ended, and not before, the reason goes on from the group's call: a panic as a panic, an error as an error.
//!
//! Each child sends one message when it ends, with its result if it has one; the body counts them. So a body that asks for the next result
//! learns that there is none, and a limit of how many run at a time needs nothing else.
//!
//! The body waits for the children while it can still be cancelled, by a [`timeout`](crate::timeout) say; only when that has cancelled them, it waits
//! to the bitter end, as they may borrow.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::thread;

use crate::cancel::levels::is_cancellation;
use crate::cancel::{CancelToken, Cancelled};
use crate::channel::{Receiver, Sender, unbounded};
use crate::coroutine::{Scope, scope};
use crate::scheduler::lock::SpinLock;

/// Children that borrow, whose results are taken as they come: see [`task_group`] and [`try_task_group`].
pub struct TaskGroup<'scope, 'env: 'scope, T, E = Infallible> {
    scope: &'scope Scope<'scope, 'env>,
    core: Arc<Core<E>>,
    /// What each child sends when it ends: its result, if it has one.
    endings: (Sender<Option<T>>, Receiver<Option<T>>),
    running: Cell<usize>,
    limit: Cell<usize>,
    /// Results that came while room was made for others.
    ready: RefCell<VecDeque<T>>,
}

/// What the children know of their group.
struct Core<E> {
    body: CancelToken,
    children: CancelToken,
    failure: SpinLock<Option<Failure<E>>>,
}

/// Why a group ends before its time.
enum Failure<E> {
    Panic(Box<dyn Any + Send>),
    Error(E),
}

impl<E> Core<E> {
    /// Ends all, for this reason if it is the first.
    fn fail(&self, failure: Failure<E>) {
        let mut first = self.failure.lock();
        let late = match *first {
            Some(_) => Some(failure),
            None => {
                *first = Some(failure);
                None
            }
        };
        drop(first);
        self.body.cancel();
        drop(late);
    }

    /// A child's life. Returns its result, if it has one.
    fn child<T>(&self, f: impl FnOnce() -> Result<T, E>) -> thread::Result<Option<T>> {
        if self.children.is_cancelled() {
            return Ok(None);
        }
        match catch_unwind(AssertUnwindSafe(|| self.children.run(f))) {
            Ok(Ok(Ok(value))) => return Ok(Some(value)),
            Ok(Ok(Err(error))) => self.fail(Failure::Error(error)),
            Ok(Err(Cancelled { .. })) => {}
            // For somebody further out.
            Err(payload) if is_cancellation(&*payload) => return Err(payload),
            Err(payload) => self.fail(Failure::Panic(payload)),
        }
        Ok(None)
    }
}

/// Runs `f` with a [`TaskGroup`], whose children may borrow what lives outside of it. Returns when `f` has returned and all children have ended.
///
/// If `f` or a child panics, or the caller is cancelled, the (other) children are cancelled, and so is `f`: each is left at the wait that it is
/// in, or at the next one.
///
/// # Panics
/// With the panic of `f` or the first of a child, when all have ended.
///
/// # Examples
/// ```
/// let words = ["one", "fifteen", "four"];
/// let longest = corun::task_group(|group| {
///     for word in &words {
///         group.spawn(|| word.len());
///     }
///     let mut longest = 0;
///     while let Some(length) = group.next() {
///         longest = longest.max(length);
///     }
///     longest
/// });
/// assert_eq!(longest, 7);
/// ```
#[track_caller]
pub fn task_group<'env, T, F, R>(f: F) -> R
where
    F: for<'scope> FnOnce(&TaskGroup<'scope, 'env, T>) -> R,
    T: Send + 'env,
{
    match run(|group| Ok(f(group))) {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

/// As [`task_group`], for work that may fail: the first error of a child ends the others and `f`, and is returned.
///
/// # Errors
/// That of `f`, or the first of a child.
///
/// # Panics
/// As [`task_group`].
///
/// # Examples
/// ```
/// fn digits(of: &str) -> Result<u32, std::num::ParseIntError> {
///     of.parse()
/// }
///
/// let sum = |words: &[&str]| {
///     corun::try_task_group(|group| {
///         for word in words {
///             group.try_spawn(|| digits(word));
///         }
///         Ok(std::iter::from_fn(|| group.next()).sum::<u32>())
///     })
/// };
/// assert_eq!(sum(&["1", "2", "3"]), Ok(6));
/// assert!(sum(&["1", "two", "3"]).is_err());
/// ```
#[track_caller]
pub fn try_task_group<'env, T, E, F, R>(f: F) -> Result<R, E>
where
    F: for<'scope> FnOnce(&TaskGroup<'scope, 'env, T, E>) -> Result<R, E>,
    T: Send + 'env,
    E: Send + 'env,
{
    run(f)
}

fn run<'env, T, E, F, R>(f: F) -> Result<R, E>
where
    F: for<'scope> FnOnce(&TaskGroup<'scope, 'env, T, E>) -> Result<R, E>,
    T: Send + 'env,
    E: Send + 'env,
{
    let body = CancelToken::new();
    let core = Arc::new(Core {
        children: body.child(),
        body,
        failure: SpinLock::new(None),
    });
    let ended = scope(|scope| {
        let group = TaskGroup {
            scope,
            core: Arc::clone(&core),
            endings: unbounded(),
            running: Cell::new(0),
            limit: Cell::new(usize::MAX),
            ready: RefCell::new(VecDeque::new()),
        };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            core.body.run(|| {
                let result = f(&group)?;
                while group.next().is_some() {}
                Ok(result)
            })
        }));
        if !matches!(ended, Ok(Ok(Ok(_)))) {
            core.children.cancel();
        }
        ended
    });
    let failure = core.failure.lock().take();
    match (failure, ended) {
        (Some(Failure::Panic(payload)), _) | (_, Err(payload)) => resume_unwind(payload),
        (Some(Failure::Error(error)), _) => Err(error),
        (None, Ok(Ok(result))) => result,
        (None, Ok(Err(_))) => unreachable!("only failures cancel the body"),
    }
}

impl<'scope, T: Send + 'scope, E: Send + 'scope> TaskGroup<'scope, '_, T, E> {
    /// From now on no more than `limit` children run at a time: [`spawn`](TaskGroup::spawn) waits until one has ended.
    ///
    /// # Panics
    /// If `limit` is zero.
    #[track_caller]
    pub fn set_limit(&self, limit: usize) {
        assert_ne!(limit, 0, "a limit of zero lets nothing run");
        self.limit.set(limit);
    }

    /// Spawns a child. If there are as many as the [limit](TaskGroup::set_limit) allows, waits until one has ended.
    ///
    /// # Panics
    /// As [`corun::spawn`](crate::spawn()).
    #[track_caller]
    pub fn spawn<F>(&self, f: F)
    where
        F: FnOnce() -> T + Send + 'scope,
    {
        self.try_spawn(|| Ok(f()));
    }

    /// Spawns a child that may fail: its error ends the group. See [`try_task_group`].
    ///
    /// # Panics
    /// As [`corun::spawn`](crate::spawn()).
    #[track_caller]
    pub fn try_spawn<F>(&self, f: F)
    where
        F: FnOnce() -> Result<T, E> + Send + 'scope,
    {
        while self.running.get() >= self.limit.get() {
            self.take_ending();
        }
        let (core, endings) = (Arc::clone(&self.core), self.endings.0.clone());
        drop(self.scope.spawn(move || {
            let ended = core.child(f);
            // Its place is without bounds, and the group waits for it.
            let send = |message| drop(endings.send(message));
            match ended {
                Ok(result) => send(result),
                Err(payload) => {
                    send(None);
                    resume_unwind(payload);
                }
            }
        }));
        self.running.update(|running| running + 1);
    }

    /// Waits until a child ends, and keeps its result.
    fn take_ending(&self) {
        match self.endings.1.recv() {
            Ok(message) => self.count(message),
            Err(_) => unreachable!("the group has a sender itself"),
        }
    }

    fn count(&self, message: Option<T>) {
        self.running.update(|running| running - 1);
        self.ready.borrow_mut().extend(message);
    }

    /// The next result, in the order in which they come. Waits for it, if it must; `None` if all children have ended and their results were taken.
    pub fn next(&self) -> Option<T> {
        loop {
            let ready = self.ready.borrow_mut().pop_front();
            if ready.is_some() || self.running.get() == 0 {
                return ready;
            }
            self.take_ending();
        }
    }

    /// The next result, if it is there.
    pub fn try_next(&self) -> Option<T> {
        loop {
            let ready = self.ready.borrow_mut().pop_front();
            if ready.is_some() {
                return ready;
            }
            self.count(self.endings.1.try_recv().ok()?);
        }
    }

    /// How many children run, as far as the body has asked for results.
    pub fn running(&self) -> usize {
        self.running.get()
    }

    /// Cancels the children: each ends at the wait that it is in, or at the next one, and has no result. The body goes on, and so does the group's
    /// call.
    ///
    /// # Examples
    /// The first answer will do:
    /// ```
    /// use std::time::Duration;
    ///
    /// let first = corun::task_group(|group| {
    ///     for time in [500, 1, 700] {
    ///         group.spawn(move || {
    ///             corun::sleep(Duration::from_millis(time));
    ///             time
    ///         });
    ///     }
    ///     let first = group.next();
    ///     group.cancel();
    ///     first
    /// });
    /// assert_eq!(first, Some(1));
    /// ```
    pub fn cancel(&self) {
        self.core.children.cancel();
    }
}

impl<T, E> fmt::Debug for TaskGroup<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskGroup")
            .field("running", &self.running.get())
            .finish_non_exhaustive()
    }
}
