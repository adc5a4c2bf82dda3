//! Runtimes: a set of workers, made explicitly or on first use.

use std::io;
use std::panic::Location;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fmt, ptr};

use crate::coroutine::JoinHandle;
use crate::coroutine::body::Plain;
use crate::coroutine::spawn::{failed, launch};
use crate::coroutine::task::MetaInit;
use crate::scheduler;
use crate::scheduler::lock_mutex;
use crate::scheduler::watch::Reporting;
use crate::scheduler::worker::Worker;
use crate::scheduler::{Scheduler, stall};
use config::Request;

pub(crate) mod config;
mod local;
mod shutdown;

pub use crate::scheduler::stall::Stall;
pub use local::LocalRuntime;
pub use shutdown::{ShutdownError, Unfinished};

/// Workers that run coroutines.
///
/// Most programs need none of their own: [`corun::spawn`](crate::spawn) starts a global default runtime on first use. Make one for a
/// number of workers, a stack size or a life time of your own.
///
/// Dropping a runtime does not wait. It takes no more coroutines from outside; those that it has go on, and each of its threads ends when
/// the last one on it has ended. So it may be dropped anywhere, also by one of its own coroutines. [`Runtime::shutdown`] waits.
///
/// # Examples
/// ```
/// let runtime = corun::Runtime::builder().workers(2).build()?;
/// let answer = runtime.block_on(|| corun::spawn(|| 42).join().unwrap());
/// assert_eq!(answer, 42);
/// runtime.shutdown(std::time::Duration::from_secs(1)).unwrap();
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Runtime {
    handle: Handle,
}

/// A reference to a runtime, to spawn on it from anywhere. It does not keep the runtime open.
#[derive(Clone)]
pub struct Handle {
    pub(crate) scheduler: Arc<Scheduler>,
}

/// Configures a [`Runtime`].
#[derive(Clone, Debug, Default)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    request: Request,
    on_stall: OnStall,
}

#[derive(Clone, Default)]
struct OnStall(Option<stall::Handler>);

impl fmt::Debug for OnStall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "set" } else { "none" })
    }
}

impl Builder {
    /// The defaults: as many workers as the process may use processors (cgroup quotas count), 184 KiB of stack (1 MiB in
    /// builds with `debug_assertions`, whose frames are larger).
    pub fn new() -> Builder {
        Builder::default()
    }

    /// How many worker threads. The environment variable `CORUN_WORKERS` overrides it.
    pub fn workers(mut self, count: usize) -> Builder {
        self.request.workers = Some(count);
        self
    }

    /// The stack size of coroutines whose own builder sets none, in bytes. The default is 184 KiB (1 MiB in builds with
    /// `debug_assertions`), or what the environment variable `CORUN_STACK_SIZE` says.
    pub fn stack_size(mut self, bytes: usize) -> Builder {
        self.request.stack_size = Some(bytes);
        self
    }

    /// The name of the worker threads, to which their number is added. The default is `corun-worker`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Builder {
        self.request.thread_name = Some(name.into());
        self
    }

    /// How many threads [`blocking`](crate::blocking) may use at once. Jobs beyond wait. The default is 512.
    pub fn max_blocking_threads(mut self, count: usize) -> Builder {
        self.request.max_blocking_threads = Some(count);
        self
    }

    /// How many calls may wait for such a thread before [`try_blocking`](crate::try_blocking) refuses to be one more, instead of waiting behind them. The
    /// default is 65,536. [`blocking`](crate::blocking) and files wait however many there are.
    pub fn max_blocking_queue(mut self, count: usize) -> Builder {
        self.request.max_blocking_queue = Some(count);
        self
    }

    /// With `false`, files go through the pool of threads even where the system has io_uring. The default is `true`; the environment variable
    /// `CORUN_IO_URING` (0 or 1) overrides it.
    pub fn io_uring(mut self, allowed: bool) -> Builder {
        self.request.io_uring = Some(allowed);
        self
    }

    /// With `true`, the runtime's clock stands still from the beginning, and jumps from deadline to deadline while everything waits. For
    /// tests: see [`time::pause`](crate::time::pause()).
    pub fn start_paused(mut self, paused: bool) -> Builder {
        self.request.start_paused = paused;
        self
    }

    /// Calls `handler` for each coroutine that has run for more than 10 to 20 ms without letting the others of its worker run, once for
    /// each. It is called on a thread of the runtime that watches the workers, and should not keep it for long; if it panics, the
    /// panic is reported and goes no further.
    ///
    /// Without a handler, a stall of more than a second is printed to standard error, unless the environment variable `CORUN_STALL_REPORT`
    /// is 0. To see where a coroutine is, its thread is interrupted by the signal SIGURG.
    pub fn on_stall(mut self, handler: impl Fn(&Stall) + Send + Sync + 'static) -> Builder {
        self.on_stall = OnStall(Some(Arc::new(handler)));
        self
    }

    /// Starts the workers.
    ///
    /// # Errors
    /// `InvalidInput` for a value out of range, here or in the environment; the system's error if a thread, its reactor or its
    /// first stacks cannot be made. Nothing of a runtime that could not be started stays behind.
    pub fn build(self) -> io::Result<Runtime> {
        let config = self.request.resolve()?;
        let reporting = match self.on_stall.0 {
            Some(handler) => Reporting::Call(handler),
            None if config.print_stalls => Reporting::Print,
            None => Reporting::Silent,
        };
        let scheduler = Scheduler::new(config);
        let runtime = Runtime {
            handle: Handle { scheduler },
        };
        for _ in 0..runtime.handle.scheduler.config.workers {
            // On an error `runtime` is dropped, and the workers that have started end.
            runtime.handle.scheduler.start_worker()?;
        }
        runtime.handle.scheduler.start_watch(reporting)?;
        Ok(runtime)
    }
}

impl Runtime {
    /// Starts a runtime with the defaults of [`Builder`].
    ///
    /// # Errors
    /// As [`Builder::build`].
    pub fn new() -> io::Result<Runtime> {
        Builder::new().build()
    }

    /// Starts the description of a runtime.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A reference that other threads and coroutines can spawn with.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a coroutine on this runtime.
    ///
    /// # Panics
    /// As [`Handle::spawn`].
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        self.handle.spawn(f)
    }

    /// Runs `f` as a coroutine of this runtime and waits for it: see [`Handle::block_on`].
    ///
    /// # Panics
    /// With the panic of `f`; and if the runtime is shutting down.
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        self.handle.block_on(f)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.handle.scheduler.close();
    }
}

impl Handle {
    /// The runtime that the calling coroutine belongs to; on a plain thread, the global default one if it has been started.
    pub fn try_current() -> Option<Handle> {
        if let Some(worker) = Worker::current() {
            return Some(Handle {
                scheduler: worker.shared().scheduler.to_arc(),
            });
        }
        GLOBAL.get().cloned()
    }

    /// Spawns a coroutine on this runtime, from anywhere.
    ///
    /// # Panics
    /// If the runtime is shutting down; [`Builder::spawn_on`](crate::Builder::spawn_on) returns an error instead.
    #[track_caller]
    pub fn spawn<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let site = MetaInit::Site(Location::caller());
        launch(Some(&self.scheduler), Plain(f), site)
            .unwrap_or_else(|error| failed("a coroutine", &error))
    }

    /// Runs `f` as a coroutine of this runtime and waits for its result. `f` may borrow, as this does not return before it has ended.
    ///
    /// It may be called from a plain thread, which is blocked, or from a coroutine of this or another runtime, which is suspended.
    ///
    /// # Panics
    /// With the panic of `f`; if the runtime is shutting down; and in an async task, which cannot wait here.
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T + Send,
        T: Send,
    {
        scheduler::assert_not_polling();
        let site = MetaInit::Site(Location::caller());
        let handle = launch(Some(&self.scheduler), Plain(f), site)
            .unwrap_or_else(|error| panic!("failed to start the coroutine: {error}"));
        // The closure is used up, and the result with its borrows is ours, before `join` returns. It does not unwind before that: a
        // forbidden suspension is reported by a panic, so it is allowed for this wait.
        handle
            .join_uninterrupted()
            .unwrap_or_else(|payload| std::panic::resume_unwind(payload))
    }

    /// How many workers the runtime has.
    pub fn workers(&self) -> usize {
        self.scheduler.config.workers
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("workers", &self.handle.workers())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("workers", &self.workers())
            .finish_non_exhaustive()
    }
}

/// The global default runtime, made on first use and never ended. It is a pointer, so that the child of a fork can begin anew.
pub(crate) struct Global {
    handle: AtomicPtr<Handle>,
    starting: Mutex<()>,
}

pub(crate) static GLOBAL: Global = Global {
    handle: AtomicPtr::new(ptr::null_mut()),
    starting: Mutex::new(()),
};

impl Global {
    /// Keeps other threads from starting it.
    pub(crate) fn hold(&self) -> MutexGuard<'_, ()> {
        lock_mutex(&self.starting)
    }

    /// Has the next use begin anew. For the child of a fork, which has none of its workers.
    pub(crate) fn forget(&self) {
        self.handle.store(ptr::null_mut(), Ordering::Relaxed);
    }

    fn get(&self) -> Option<&'static Handle> {
        // Acquire pairs with the release in `start`.
        // SAFETY: a handle that was stored is never freed.
        unsafe { self.handle.load(Ordering::Acquire).as_ref() }
    }

    #[cold]
    fn start(&self, request: Request) -> io::Result<&'static Handle> {
        let _starting = lock_mutex(&self.starting);
        if let Some(handle) = self.get() {
            return Ok(handle);
        }
        let on_stall = OnStall::default();
        let runtime = Builder { request, on_stall }.build()?;
        let handle = Box::leak(Box::new(runtime.handle().clone()));
        // Never dropped, so never closed.
        std::mem::forget(runtime);
        self.handle.store(handle, Ordering::Release);
        Ok(handle)
    }
}

/// The global default runtime.
pub(crate) fn try_global() -> io::Result<&'static Handle> {
    match GLOBAL.get() {
        Some(handle) => Ok(handle),
        None => GLOBAL.start(Request::default()),
    }
}

/// The global default runtime, made as `request` says if it is not there yet.
pub(crate) fn start_global(request: Request) -> io::Result<&'static Handle> {
    GLOBAL.start(request)
}

#[track_caller]
pub(crate) fn global() -> &'static Handle {
    try_global().unwrap_or_else(|error| panic!("failed to start the default runtime: {error}"))
}

/// Is there anything that the caller can spawn on, or was it not started yet?
pub(crate) fn is_here() -> bool {
    Worker::current().is_some() || GLOBAL.get().is_some()
}

/// What the caller spawns on: its own runtime, or the global default one.
pub(crate) fn here() -> io::Result<&'static Scheduler> {
    match Worker::current() {
        Some(worker) => Ok(&worker.shared().scheduler),
        None => Ok(&try_global()?.scheduler),
    }
}
