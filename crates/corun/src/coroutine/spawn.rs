//! Making coroutines.

use std::io;
use std::panic::Location;

use crate::coroutine::body::{Blank, Body, Plain};
use crate::coroutine::inherited;
use crate::coroutine::join::JoinHandle;
use crate::coroutine::task::{Meta, MetaInit, TaskRef, Vtable};
use crate::runtime::{self, Handle, config};
use crate::scheduler::worker::Worker;
use crate::scheduler::{self, Scheduler, draw_ids};

/// Spawns a coroutine on the current runtime, or, from a plain thread, on the global default one, and returns a handle to wait for it.
///
/// The coroutine runs on whichever worker takes it first, and from then on stays on that worker's thread. If the handle is dropped the
/// coroutine goes on by itself. When the program's main function returns, the program ends, coroutines or not, as with threads.
///
/// # Panics
/// If the runtime is shutting down, or, for the default one, cannot be started. [`Builder::spawn`] returns an error instead.
///
/// # Examples
/// ```
/// let sum = corun::spawn(|| (1..=100).sum::<u32>());
/// assert_eq!(sum.join().unwrap(), 5050);
/// ```
#[track_caller]
#[inline]
pub fn spawn<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let site = MetaInit::Site(Location::caller());
    launch(None, Plain(f), site).unwrap_or_else(|error| failed_here("a coroutine", &error))
}

/// Spawns a coroutine on this very worker, where it may use what is not `Send`.
///
/// # Panics
/// Outside of a coroutine: a plain thread has no worker. (A [`LocalRuntime`](crate::runtime::LocalRuntime) has a method of this name.) And in a
/// [migratable](crate::spawn_migratable) coroutine, which does not stay with its worker.
///
/// # Examples
/// ```
/// use std::rc::Rc;
///
/// corun::spawn(|| {
///     let shared = Rc::new(5);
///     let other = corun::spawn_local({
///         let shared = Rc::clone(&shared);
///         move || *shared + 1
///     });
///     assert_eq!(other.join().unwrap(), 6);
/// })
/// .join()
/// .unwrap();
/// ```
#[track_caller]
pub fn spawn_local<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + 'static,
    T: 'static,
{
    let site = MetaInit::Site(Location::caller());
    launch_local(Plain(f), site).unwrap_or_else(|error| failed("a coroutine", &error))
}

/// Sets the name and the stack size of a coroutine before it is spawned, as [`std::thread::Builder`] does for threads.
///
/// # Examples
/// ```
/// let deep = corun::Builder::new().name("deep".into()).stack_size(1 << 20);
/// let handle = deep.spawn(|| corun::current().name().map(String::from)).unwrap();
/// assert_eq!(handle.join().unwrap().as_deref(), Some("deep"));
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct Builder {
    name: Option<String>,
    stack_size: Option<usize>,
}

impl Builder {
    /// No name, and the runtime's stack size.
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Names the coroutine: in panic messages, in reports of overflows and stalls, and by [`Coroutine::name`](crate::Coroutine::name).
    pub fn name(mut self, name: String) -> Builder {
        self.name = Some(name);
        self
    }

    /// Address space for the stack, in bytes. Only pages that are touched take memory, so a generous size costs little.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.stack_size = Some(bytes);
        self
    }

    /// Spawns as [`spawn`] does.
    ///
    /// # Errors
    /// `InvalidInput` for a stack size of 0 or beyond any machine; an error if the runtime is shutting down or the default one
    /// cannot be started.
    #[track_caller]
    pub fn spawn<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let meta = self.meta(Location::caller())?;
        launch(None, Plain(f), meta)
    }

    /// Spawns on the runtime of `handle`.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    #[track_caller]
    pub fn spawn_on<F, T>(self, handle: &Handle, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let meta = self.meta(Location::caller())?;
        launch(Some(&handle.scheduler), Plain(f), meta)
    }

    /// Spawns as [`spawn_local`] does.
    ///
    /// # Errors
    /// As [`Builder::spawn`]; outside of a coroutine, and in a migratable one.
    #[track_caller]
    pub fn spawn_local<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        launch_local(Plain(f), self.meta(Location::caller())?)
    }

    pub(crate) fn meta(self, site: &'static Location<'static>) -> io::Result<MetaInit> {
        self.boxed_meta(site).map(MetaInit::Full)
    }

    pub(super) fn boxed_meta(self, site: &'static Location<'static>) -> io::Result<Box<Meta>> {
        let mut meta = Meta::new(site);
        meta.name = self.name.map(String::into_boxed_str);
        meta.stack_size = self
            .stack_size
            .map(config::coroutine_stack_size)
            .transpose()?
            .unwrap_or(0);
        Ok(Box::new(meta))
    }
}

/// Makes a coroutine and hands it to the workers of `scheduler`, or without one to those of the current runtime.
///
/// Whether the body may go to another thread and how long its borrows hold is for the caller to see to.
#[inline]
pub(crate) fn launch<B: Body>(
    scheduler: Option<&Scheduler>,
    body: B,
    meta: MetaInit,
) -> io::Result<JoinHandle<B::Output>> {
    let (task, join) = TaskRef::with(body, |vtable| blank(vtable, meta));
    let handle = JoinHandle::new(join);
    submit(scheduler, task)?;
    Ok(handle)
}

pub(crate) fn launch_local<B: Body>(body: B, meta: MetaInit) -> io::Result<JoinHandle<B::Output>> {
    let worker = scheduler::worker_to_stay_with("spawn_local")?;
    let (task, join) = TaskRef::with(body, |vtable| blank(vtable, meta));
    worker.submit_local(task);
    Ok(JoinHandle::new(join))
}

// What follows is compiled once, and not for each closure.

/// The block of a coroutine that is spawned here.
fn blank(vtable: &'static Vtable, meta: MetaInit) -> Blank {
    let id = Worker::current().map_or_else(|| draw_ids(1), Worker::next_id);
    Blank::new(vtable, id, inherited::carry(meta))
}

fn submit(scheduler: Option<&Scheduler>, task: TaskRef) -> io::Result<()> {
    let refuse = |error, task: TaskRef| {
        // SAFETY: the task is unstarted and in no list.
        unsafe { task.fail(Box::new("there is no runtime to run it")) };
        Err(error)
    };
    let scheduler = match scheduler {
        Some(scheduler) => scheduler,
        None => match runtime::here() {
            Ok(scheduler) => scheduler,
            Err(error) => return refuse(error, task),
        },
    };
    scheduler.submit(task).or_else(|task| {
        let error = "the runtime is shutting down and takes no more coroutines";
        refuse(io::Error::other(error), task)
    })
}

/// The panic of those that have no error to return.
#[cold]
#[track_caller]
pub(crate) fn failed(what: &str, error: &io::Error) -> ! {
    panic!("failed to spawn {what}: {error}")
}

/// The same where the default runtime may be what is missing.
#[cold]
#[track_caller]
pub(crate) fn failed_here(what: &str, error: &io::Error) -> ! {
    match runtime::is_here() {
        true => failed(what, error),
        false => panic!("failed to start the default runtime: {error}"),
    }
}
