//! Making async tasks.

use std::future::Future;
use std::io;
use std::panic::Location;

use super::state::LOCAL;
use super::task::{self, Blank};
use crate::coroutine::inherited;
use crate::coroutine::spawn::{failed, failed_here};
use crate::coroutine::task::{MetaInit, TaskRef, Vtable};
use crate::coroutine::{Builder, JoinHandle};
use crate::runtime::{self, Handle, Runtime};
use crate::scheduler::worker::Worker;
use crate::scheduler::{self, Scheduler, draw_ids};

/// Spawns a future as an async task on the current runtime, or, from a plain thread, on the global default one.
///
/// An async task has no stack: it takes 112 bytes and what its future takes. It runs on the workers that run coroutines, in turn with these, and may
/// go on on another worker after each `.await`. The handle can be joined, from a coroutine or a thread, and awaited. If it is dropped the task
/// goes on by itself.
///
/// Inside a task nothing may block: a call of corun that would have to wait (a lock that is held, a receive from an empty channel, [`sleep`](crate::sleep))
/// panics, and says what to do instead. A value of [`coroutine_local!`](crate::coroutine_local) belongs to the task, and binds it to the worker that it is
/// made on, as it need not be `Send`. [`current`](crate::current) gives the task's handle.
///
/// A task that can never be woken again, because all its wakers have gone, and its handles too, is dropped. Tasks keep their runtime's workers alive
/// as coroutines do: a runtime that is shut down or dropped lets them finish.
///
/// # Panics
/// If the runtime is shutting down, or, for the default one, cannot be started. [`Builder::spawn_async`] returns an error instead.
///
/// # Examples
/// ```
/// let task = corun::spawn_async(async {
///     let half = corun::spawn_async(async { 21 });
///     half.await.unwrap() * 2
/// });
/// assert_eq!(task.join().unwrap(), 42);
/// ```
#[track_caller]
#[inline]
pub fn spawn_async<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let site = MetaInit::Site(Location::caller());
    launch(None, future, site).unwrap_or_else(|error| failed_here("an async task", &error))
}

/// Spawns a future on this very worker, where it may use what is not `Send`.
///
/// # Panics
/// On a plain thread, which has no worker, and in a [migratable](crate::spawn_migratable) coroutine, which does not stay with its own. (A
/// [`LocalRuntime`](crate::runtime::LocalRuntime) has a method of this name.)
///
/// # Examples
/// ```
/// use std::rc::Rc;
///
/// corun::spawn(|| {
///     let shared = Rc::new(5);
///     let other = Rc::clone(&shared);
///     let task = corun::spawn_async_local(async move { *other + 1 });
///     assert_eq!(task.join().unwrap(), *shared + 1);
/// })
/// .join()
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_async_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    launch_local(future, MetaInit::Site(Location::caller()))
        .unwrap_or_else(|error| failed("an async task", &error))
}

impl Builder {
    /// Spawns as [`spawn_async`] does. A stack size has no meaning for an async task.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_async<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let meta = self.meta(Location::caller())?;
        launch(None, future, meta)
    }

    /// Spawns as [`spawn_async_local`] does.
    ///
    /// # Errors
    /// As [`Builder::spawn`]; on a plain thread, and in a migratable coroutine.
    #[track_caller]
    pub fn spawn_async_local<F>(self, future: F) -> io::Result<JoinHandle<F::Output>>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        launch_local(future, self.meta(Location::caller())?)
    }
}

impl Handle {
    /// Spawns an async task on this runtime, from anywhere: see [`spawn_async`].
    ///
    /// # Panics
    /// If the runtime is shutting down.
    #[track_caller]
    pub fn spawn_async<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let site = MetaInit::Site(Location::caller());
        launch(Some(&self.scheduler), future, site)
            .unwrap_or_else(|error| failed("an async task", &error))
    }
}

impl Runtime {
    /// Spawns an async task on this runtime: see [`spawn_async`].
    ///
    /// # Panics
    /// As [`Handle::spawn_async`].
    #[track_caller]
    pub fn spawn_async<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle().spawn_async(future)
    }
}

/// Makes an async task and hands it to the workers of `scheduler`, or without one to those of the current runtime.
#[inline]
fn launch<F: Future>(
    scheduler: Option<&Scheduler>,
    future: F,
    meta: MetaInit,
) -> io::Result<JoinHandle<F::Output>> {
    let (task, join) = task::with(future, |vtable| blank(scheduler, vtable, meta))?;
    let handle = JoinHandle::new(join);
    submit(scheduler, task)?;
    Ok(handle)
}

pub(crate) fn launch_local<F: Future>(
    future: F,
    meta: MetaInit,
) -> io::Result<JoinHandle<F::Output>> {
    let worker = scheduler::worker_to_stay_with("spawn_async_local")?;
    let (task, join) = task::with(future, |vtable| {
        let (id, meta) = (worker.next_id(), inherited::carry(meta));
        Ok(Blank::new(vtable, id, meta, worker.shared(), LOCAL))
    })?;
    worker.submit_local_guest(task);
    Ok(JoinHandle::new(join))
}

// What follows is compiled once, and not for each future.

/// The block of a task that is spawned here.
pub(crate) fn blank(
    scheduler: Option<&Scheduler>,
    vtable: &'static Vtable,
    meta: MetaInit,
) -> io::Result<Blank> {
    let worker = Worker::current();
    let id = worker.map_or_else(|| draw_ids(1), Worker::next_id);
    let meta = inherited::carry(meta);
    let blank = |scheduler: &Scheduler| {
        let home = scheduler.home_for_guest(worker).ok_or_else(refused)?;
        Ok(Blank::new(vtable, id, meta, home, 0))
    };
    with_scheduler(scheduler, blank)
}

fn submit(scheduler: Option<&Scheduler>, task: TaskRef) -> io::Result<()> {
    with_scheduler(scheduler, |scheduler| {
        scheduler.submit_guest(task).map_err(|task| {
            // SAFETY: the task is in no line.
            unsafe { task.fail(Box::new("the runtime is shutting down")) };
            refused()
        })
    })
}

#[inline(always)]
fn with_scheduler<R>(
    scheduler: Option<&Scheduler>,
    f: impl FnOnce(&Scheduler) -> io::Result<R>,
) -> io::Result<R> {
    match scheduler {
        Some(scheduler) => f(scheduler),
        None => f(runtime::here()?),
    }
}

#[cold]
fn refused() -> io::Error {
    io::Error::other("the runtime is shutting down and takes no more tasks")
}
