//! A runtime on the calling thread, driven by a loop of the host's.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::panic::{self, Location};
use std::time::Instant;

use crate::coroutine::JoinHandle;
use crate::coroutine::body::{Body, Plain};
use crate::coroutine::spawn::launch_local;
use crate::coroutine::task::MetaInit;
use crate::future::spawn;
use crate::inspect::Dump;
use crate::platform::host_wait::HostWait;
use crate::runtime::Handle;
use crate::runtime::config::Request;
use crate::scheduler::Scheduler;
use crate::scheduler::overflow;
use crate::scheduler::worker::{AbortOnUnwind, Worker};

/// A runtime whose one worker is the thread that made it, and runs only while the thread calls [`poll`](LocalRuntime::poll) or one of its
/// sisters. For programs that have a main loop already (a GUI, a game, libevent, a script engine), and for coroutines that
/// use what is not `Send`.
///
/// On Unix, the host waits on [`as_fd`](std::os::fd::AsFd::as_fd) beside its own descriptors: it is readable when a call of `poll` would have something
/// to do because of a descriptor, a timer or a wake-up from another thread. On Windows there is no such handle as yet, so that the host has to call
/// `poll` from time to time, or be in [`block_on`](LocalRuntime::block_on).
///
/// If it is dropped with coroutines that have not ended, these stay suspended for ever, with what they hold, as their stacks cannot be
/// freed without being unwound.
///
/// # Examples
/// ```
/// use std::cell::Cell;
/// use std::rc::Rc;
///
/// let runtime = corun::runtime::LocalRuntime::new()?;
/// let count = Rc::new(Cell::new(0));
/// for _ in 0..3 {
///     let count = Rc::clone(&count);
///     runtime.spawn_local(move || {
///         corun::yield_now();
///         count.set(count.get() + 1);
///     });
/// }
/// runtime.run_until_idle();
/// assert_eq!(count.get(), 3);
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct LocalRuntime {
    worker: ManuallyDrop<Box<Worker>>,
    handle: Handle,
    host_wait: HostWait,
    /// Set while the runtime runs coroutines, which must not drive it from inside.
    driven: Cell<bool>,
    /// Coroutines of this runtime are bound to the thread.
    not_send: PhantomData<*mut ()>,
}

impl LocalRuntime {
    /// Makes a runtime on this thread.
    ///
    /// # Errors
    /// The system's error if its reactor cannot be made; `InvalidInput` for a wrong value in the environment.
    pub fn new() -> io::Result<LocalRuntime> {
        let mut config = Request::default().resolve()?;
        config.workers = 1;
        let scheduler = Scheduler::new(config);
        let worker = Box::new(Worker::new(scheduler.add_worker()?));
        let host_wait = HostWait::new(&worker.shared().reactor)?;
        worker.leave_to_host();
        overflow::arm_thread();
        Ok(LocalRuntime {
            worker: ManuallyDrop::new(worker),
            handle: Handle { scheduler },
            host_wait,
            driven: Cell::new(false),
            not_send: PhantomData,
        })
    }

    /// A reference with which other threads can spawn coroutines here; that makes the descriptor readable.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Spawns a coroutine, which runs when the runtime is next driven. Join it inside of [`block_on`](LocalRuntime::block_on): while
    /// the thread waits elsewhere, nobody drives.
    #[track_caller]
    pub fn spawn_local<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + 'static,
        T: 'static,
    {
        self.launch(Plain(f), MetaInit::Site(Location::caller()))
    }

    /// Spawns an async task, which runs when the runtime is next driven, on this thread.
    #[track_caller]
    pub fn spawn_async_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        let meta = MetaInit::Site(Location::caller());
        self.entered(|| spawn::launch_local(future, meta))
    }

    fn launch<B: Body>(&self, body: B, meta: MetaInit) -> JoinHandle<B::Output> {
        self.entered(|| launch_local(body, meta))
    }

    fn entered<T>(&self, launch: impl FnOnce() -> io::Result<JoinHandle<T>>) -> JoinHandle<T> {
        let entered = Entered::new(self);
        let handle = launch();
        drop(entered);
        match handle {
            Ok(handle) => handle,
            Err(_) => unreachable!("the thread is the worker just now"),
        }
    }

    /// Runs what is ready now, once round, and returns without waiting. Returns whether more is ready already.
    ///
    /// # Panics
    /// From inside one of its own coroutines.
    pub fn poll(&self) -> bool {
        self.drive(|worker| {
            worker.poll_and_turn();
            worker.is_ready()
        })
    }

    /// Runs until nothing is ready, and returns without waiting for timers or descriptors.
    ///
    /// # Panics
    /// From inside one of its own coroutines.
    pub fn run_until_idle(&self) {
        self.drive(|worker| while worker.poll_and_turn() {});
    }

    /// Runs `f` as a coroutine, and all others beside it, until `f` has returned; waits where there is nothing to do.
    ///
    /// # Panics
    /// With the panic of `f`; and from inside one of its own coroutines.
    #[track_caller]
    pub fn block_on<F, T>(&self, f: F) -> T
    where
        F: FnOnce() -> T,
    {
        assert!(
            !self.driven.get(),
            "a coroutine of a LocalRuntime cannot drive it: call the closure instead"
        );
        // The closure may borrow: it is used up before this returns, as the loop ends with the coroutine only. A panic of the loop itself
        // would be one of the runtime's own, and ends the process.
        let handle = self.launch(Plain(f), MetaInit::Site(Location::caller()));
        self.drive(|worker| {
            while !handle.is_finished() {
                if !worker.turn() && !handle.is_finished() {
                    worker.rest();
                }
            }
        });
        handle
            .join()
            .unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    /// When the host should call `poll` next, if no descriptor event comes before: the earliest timer.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.worker.shared().next_deadline()
    }

    pub(crate) fn wind_up(&self) -> bool {
        self.handle.scheduler.close();
        self.handle.scheduler.cancel_all(None);
        !self.worker.is_unused()
    }

    /// As [`Handle::dump`]. While the host does not drive the runtime only this method, and not the handle's, learns of its coroutines.
    ///
    /// # Panics
    /// As there.
    pub fn dump(&self) -> Dump {
        if self.driven.get() {
            return self.handle.dump();
        }
        let _entered = Entered::new(self);
        Dump::new(self.handle.scheduler.census_by(&self.worker))
    }

    fn drive<R>(&self, f: impl FnOnce(&Worker) -> R) -> R {
        assert!(
            !self.driven.get(),
            "a coroutine of a LocalRuntime cannot drive it"
        );
        let _entered = Entered::new(self);
        self.driven.set(true);
        self.worker.take_from_host();
        let bomb = AbortOnUnwind;
        let result = f(&self.worker);
        std::mem::forget(bomb);
        self.worker.leave_to_host();
        self.driven.set(false);
        self.host_wait.set_deadline(self.next_deadline());
        result
    }
}

/// Makes the thread this runtime's worker for a while, and then what it was.
struct Entered {
    before: *const Worker,
}

impl Entered {
    fn new(runtime: &LocalRuntime) -> Entered {
        Entered {
            before: Worker::enter_thread(&raw const **runtime.worker),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        Worker::enter_thread(self.before);
    }
}

#[cfg(unix)]
impl std::os::fd::AsFd for LocalRuntime {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.host_wait.as_fd(&self.worker.shared().reactor)
    }
}

#[cfg(unix)]
impl std::os::fd::AsRawFd for LocalRuntime {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        use std::os::fd::AsFd;
        self.as_fd().as_raw_fd()
    }
}

impl Drop for LocalRuntime {
    fn drop(&mut self) {
        self.handle.scheduler.close();
        // What has not started has no stack, and ends by dropping its closure.
        let before = Worker::enter_thread(&raw const **self.worker);
        self.worker.fail_unstarted();
        Worker::enter_thread(before);
        if self.worker.is_unused() {
            self.worker.shared().reactor.shutdown();
            // SAFETY: dropped once, here; no coroutine is left that could refer to it.
            unsafe { ManuallyDrop::drop(&mut self.worker) };
        }
    }
}

impl fmt::Debug for LocalRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalRuntime")
            .field("driven", &self.driven.get())
            .finish_non_exhaustive()
    }
}
