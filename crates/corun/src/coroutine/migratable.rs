//! Making coroutines that may change threads: the opt-in, and its contract. How they do it says `scheduler/migrant.rs`.

use std::io;
use std::panic::Location;

use crate::coroutine::JoinHandle;
use crate::coroutine::spawn::{Builder, failed_here};
use crate::coroutine::task::{Meta, MetaInit, TaskRef, Vtable};
use crate::future::spawn::blank;
use crate::future::task::{self, Blank};
use crate::runtime::{self, Handle};
use crate::scheduler::Scheduler;
use crate::scheduler::migrant::{self, Migrant};
use crate::scheduler::migrants::Stackful;

/// Spawns a coroutine that may go on on another thread after each suspension.
///
/// A coroutine that [`spawn`](crate::spawn) makes stays on the thread on which it first ran, because compilers and libraries take it for granted that code does.
/// This one goes on wherever it is woken, or on any worker that has nothing else to do: it stands in the lists that workers steal from, each time
/// that it is ready. So no worker that is kept busy, by a long computation or a call that blocks its thread, holds up others that have waited there.
/// It is made for compilers and script engines that know their code; and costs a little more at each suspension, as it goes by the worker's own stack.
///
/// Everything of corun works in it. What differs:
/// - [`spawn_local`](crate::spawn_local) and [`spawn_async_local`](crate::spawn_async_local) refuse.
/// - While it unwinds from a panic it suspends without leaving its thread, and from then on it stays there. So does one that suspends on a thread
///   on which another coroutine is suspended in such a state.
/// - The report of a [`shutdown`](crate::Runtime::shutdown) that took too long names it, but does not tell where it waits.
///
/// On a plain thread the coroutine is spawned on the global default runtime.
///
/// # Safety
/// Neither `f` nor anything that it calls may keep what belongs to the thread across a suspension: a call of corun that may wait or give way, which is
/// nearly each of them. That is:
/// - the address of a thread local, which compilers keep in a function that uses one before and after; so no function may use a thread
///   local both before and after a suspension, inlined ones included. Values that were read from one are no harm;
/// - what is shared with the thread or with other code on it and must not be sent: an `Rc` of which another clone stays, a pointer into a `RefCell` in
///   a thread local, a value of std's `thread_rng`-like handles. What is not `Send`, but is the coroutine's alone, as a whole, may stay on
///   its stack, and in its [`coroutine_local!`](crate::coroutine_local)s;
/// - a guard that must be dropped on its thread: `std::sync::MutexGuard`, `RwLockReadGuard`, `RefMut`s of thread locals. Those of [`corun::sync`](crate::sync) may be kept;
/// - state of the C library or the processor that is the thread's: `errno`, the locale of `uselocale`, the rounding mode, exceptions of C++ that are being
///   handled.
///
/// docs/safety.md has an example of each.
///
/// # Panics
/// If the runtime is shutting down, or, for the default one, cannot be started. [`Builder::spawn_migratable`] returns an error instead.
///
/// # Examples
/// ```
/// // SAFETY: the closure uses nothing of its thread.
/// let sum = unsafe {
///     corun::spawn_migratable(|| {
///         let mut sum = 0;
///         for number in 1..=100 {
///             sum += number;
///             corun::yield_now();
///         }
///         sum
///     })
/// };
/// assert_eq!(sum.join().unwrap(), 5050);
/// ```
#[track_caller]
pub unsafe fn spawn_migratable<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    let meta = Box::new(Meta::new(Location::caller()));
    runtime::here()
        .and_then(|scheduler| launch(scheduler, f, meta))
        .unwrap_or_else(|error| failed_here("a coroutine", &error))
}

impl Builder {
    /// Spawns as [`spawn_migratable`] does.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// # Safety
    /// As for [`spawn_migratable`].
    #[track_caller]
    pub unsafe fn spawn_migratable<F, T>(self, f: F) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let meta = self.boxed_meta(Location::caller())?;
        launch(runtime::here()?, f, meta)
    }

    /// Spawns a migratable coroutine on the runtime of `handle`, from anywhere.
    ///
    /// # Errors
    /// As [`Builder::spawn`].
    ///
    /// # Safety
    /// As for [`spawn_migratable`].
    #[track_caller]
    pub unsafe fn spawn_migratable_on<F, T>(
        self,
        handle: &Handle,
        f: F,
    ) -> io::Result<JoinHandle<T>>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let meta = self.boxed_meta(Location::caller())?;
        launch(&handle.scheduler, f, meta)
    }
}

/// Makes a migratable coroutine and hands it to the workers of `scheduler`.
fn launch<F, T>(scheduler: &Scheduler, f: F, meta: Box<Meta>) -> io::Result<JoinHandle<T>>
where
    F: FnOnce() -> T,
{
    let (task, join) = task::with(Stackful::new(f), |vtable| make(scheduler, vtable, meta))?;
    let handle = JoinHandle::new(join);
    submit(scheduler, task)?;
    Ok(handle)
}

/// The block of one that is spawned here.
fn make(scheduler: &Scheduler, vtable: &'static Vtable, mut meta: Box<Meta>) -> io::Result<Blank> {
    migrant::will_exist();
    meta.migrant = Some(Migrant::new());
    blank(Some(scheduler), vtable, MetaInit::Full(meta))
}

fn submit(scheduler: &Scheduler, task: TaskRef) -> io::Result<()> {
    scheduler.migrants.begin(task);
    scheduler.submit_guest(task).map_err(|task| {
        scheduler.migrants.end(task);
        // SAFETY: the task is in no line.
        unsafe { task.fail(Box::new("the runtime is shutting down")) };
        refused()
    })
}

#[cold]
fn refused() -> io::Error {
    io::Error::other("the runtime is shutting down and takes no more coroutines")
}
