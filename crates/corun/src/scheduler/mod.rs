//! The scheduler: many coroutines on a few threads.
//!
//! # Roles
//! - **Worker** (`worker.rs`): an OS thread that runs coroutines. It owns a run queue of started coroutines (`run_queue.rs`), which
//!   nobody else touches, a list of unstarted ones (`spawn_list.rs`), which others steal from, an inbox for wake-ups from other
//!   threads (`inbox.rs`), a reactor and timers.
//! - **Coroutine**: unstarted, it is a closure on the heap and can run anywhere. From its first run on it has a stack and stays on its
//!   worker: moving a running stack between threads is undefined behaviour in today's Rust.
//! - **Migratable coroutine** (`migrant.rs`): one that may change threads after it has started, as its code keeps nothing of them. It stands where
//!   async tasks do.
//! - **Signal** (`signal.rs`): the wake-up that a parked coroutine waits for.
//! - **Watch thread** (`watch.rs`): notices workers that do not switch any more.
//!
//! # Rejected designs
//! - One global run queue: its lock is the bottleneck from two threads on, and coroutines cannot be pinned.
//! - Migration of started coroutines behind a safe API (may, generator, open-coroutine): unsound, see docs/safety.md.
//! - A scheduler context through which every switch goes: two switches per suspension instead of one.

pub(crate) mod blocks;
mod capture;
pub(crate) mod census;
mod errands;
mod fork;
pub(crate) mod guests;
mod idle;
mod inbox;
mod linger;
pub(crate) mod lock;
pub(crate) mod migrant;
pub(crate) mod migrants;
mod next_place;
mod nudges;
#[cfg_attr(not(unix), path = "no_overflow.rs")]
pub(crate) mod overflow;
pub(crate) mod parked;
pub(crate) mod roll;
mod root;
pub(crate) mod run_queue;
pub(crate) mod shared;
pub(crate) mod signal;
mod sleepers;
mod spawn_list;
pub(crate) mod stacks;
pub(crate) mod stall;
mod threads;
pub(crate) mod watch;
pub(crate) mod worker;

use std::io;
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::Instant;

use crate::blocking::BlockingPool;
use crate::coroutine::task::TaskRef;
use crate::hooking::own;
use crate::inspect::points;
use crate::io::ring::PerWorker;
use crate::platform::{self, numa::Placement};
use crate::reactor::Reactor;
use crate::runtime::config::Config;
use crate::time::clock::Clock;
use migrants::Migrants;
use shared::Shared;
use sleepers::Sleepers;
use spawn_list::SpawnList;
use threads::{Exits, SPARE_WORKERS};
use watch::Watch;
use worker::Worker;

/// How many coroutine ids a worker draws at once.
const ID_BLOCK: u64 = 1 << 16;

/// The next unused coroutine id of the process.
static NEXT_ID: AtomicU64 = AtomicU64::new(1);

/// Draws `count` consecutive ids.
pub(crate) fn draw_ids(count: u64) -> u64 {
    NEXT_ID.fetch_add(count, Ordering::Relaxed)
}

/// What the workers of one runtime share.
pub(crate) struct Scheduler {
    pub(crate) config: Config,
    /// Where `blocking` runs closures. Its threads end with the last worker.
    pub(crate) blocking: BlockingPool,
    /// What time it is here.
    pub(crate) clock: Clock,
    placement: Placement,
    /// The process that the workers are in: see `platform/fork.rs`.
    generation: u32,
    /// Filled from the front; room for spare workers that the watch thread adds.
    workers: Box<[OnceLock<Arc<Shared>>]>,
    started: AtomicUsize,
    /// How many threads of workers have been made and are not up yet.
    starting: AtomicUsize,
    /// Coroutines and async tasks from outside the workers.
    injected: SpawnList,
    /// How many async tasks were spawned from outside.
    guests_from_outside: AtomicUsize,
    /// The migratable coroutines, and their stacks.
    pub(crate) migrants: Migrants,
    sleepers: Sleepers,
    closed: AtomicBool,
    watch: Watch,
    exits: Mutex<Exits>,
}

// No code of the user's runs under the scheduler's locks, so a panic leaves nothing half-done in it.
impl RefUnwindSafe for Scheduler {}

impl Scheduler {
    pub(crate) fn new(config: Config) -> Arc<Scheduler> {
        crate::coroutine::panic::install();
        fork::watch();
        platform::fences::enable_if_alone();
        let room = config.workers + SPARE_WORKERS;
        let placement = Placement::detect(config.workers);
        Arc::new(Scheduler {
            blocking: BlockingPool::new(
                config.max_blocking_threads,
                config.max_blocking_queue,
                config.blocking_keep_alive,
                placement.unbound(),
            ),
            clock: Clock::new(config.start_paused),
            generation: platform::fork::generation(),
            placement,
            migrants: Migrants::new(config.stack_size),
            config,
            workers: (0..room).map(|_| OnceLock::new()).collect(),
            started: AtomicUsize::new(0),
            starting: AtomicUsize::new(0),
            injected: SpawnList::new(0),
            guests_from_outside: AtomicUsize::new(0),
            sleepers: Sleepers::new(),
            closed: AtomicBool::new(false),
            watch: Watch::new(),
            exits: Mutex::new(Exits::new(room)),
        })
    }

    #[inline(always)]
    pub(crate) fn worker_count(&self) -> usize {
        self.started.load(Ordering::Acquire)
    }

    fn worker(&self, index: usize) -> Option<&Arc<Shared>> {
        self.workers.get(index)?.get()
    }

    fn workers(&self) -> impl Iterator<Item = &Arc<Shared>> + Clone {
        self.workers
            .iter()
            .take(self.worker_count())
            .filter_map(OnceLock::get)
    }

    /// Some worker that lives as long as the runtime does: another one for each number.
    pub(crate) fn any_worker(&self, number: usize) -> *const Shared {
        let shared = self.worker(number % self.config.workers);
        shared.map_or_else(|| unreachable!("a runtime starts all of them"), Arc::as_ptr)
    }

    /// Is a worker on its way to look for unstarted coroutines?
    fn is_searched(&self) -> bool {
        self.sleepers.is_searching() || self.starting.load(Ordering::Relaxed) != 0
    }

    fn stealable_elsewhere(&self, index: u32) -> bool {
        self.workers()
            .any(|worker| worker.index != index && !worker.spawned.is_empty())
    }

    /// Hands an unstarted coroutine to the workers: to this one's own list, if the caller is one of them.
    #[inline]
    pub(crate) fn submit(&self, task: TaskRef) -> Result<(), TaskRef> {
        points::created(task);
        match Worker::current() {
            Some(worker) if std::ptr::eq(&*worker.shared.scheduler, self) => {
                worker.shared.count_call();
                worker.shared.spawned.push(task)?;
                // A lone worker is the one that runs this.
                if self.worker_count() != 1 {
                    self.wake_for_work();
                }
            }
            _ if self.is_left_in_parent() => return Err(task),
            _ => {
                self.injected.push(task)?;
                self.wake_for_work();
            }
        }
        Ok(())
    }

    /// Wakes a worker because there is stealable work, unless one is searching already.
    #[inline]
    fn wake_for_work(&self) {
        let workers = self.workers().map(|worker| (&worker.bed, worker));
        if let Some(called) = self.sleepers.call_searcher(workers) {
            called.reactor.wake();
        }
    }

    /// Wakes one worker if it sleeps, because of something that concerns it alone.
    fn wake(&self, worker: &Shared) {
        if self.sleepers.rouse_if_asleep(&worker.bed) {
            worker.reactor.wake();
        }
    }

    /// Wakes every worker that sleeps, as something has changed that all of them have to look at.
    pub(crate) fn wake_all(&self) {
        for worker in self.workers() {
            self.wake(worker);
        }
    }

    /// Waits until the threads of the blocking pool have ended, as there are no workers that could need them.
    pub(crate) fn end_blocking_threads(&self, deadline: Option<Instant>) {
        if !self.is_left_in_parent() {
            self.blocking.shutdown(deadline);
        }
    }

    /// Has this process forked since, and so none of the workers?
    pub(crate) fn is_left_in_parent(&self) -> bool {
        self.generation != platform::fork::generation()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Takes no more spawns from outside; workers end when they have nothing left.
    pub(crate) fn close(&self) {
        if self.is_left_in_parent() {
            return;
        }
        self.injected.close();
        self.closed.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}

/// Panics in the poll of an async task, and in an observer. For what is to be refused there before anything else happens.
#[inline(always)]
pub(crate) fn assert_not_polling() {
    points::refuse_to_wait();
    if let Some(worker) = Worker::current() {
        worker.assert_not_polling();
    }
}

/// The reactor of the worker that the calling coroutine runs on.
pub(crate) fn with_reactor<R>(f: impl FnOnce(&Arc<Reactor>) -> R) -> Option<R> {
    Worker::of_coroutine().map(|worker| f(&worker.shared().reactor))
}

/// The reactor that an async task should register a descriptor with: that of the worker which polls it; on any other thread, that of a worker of
/// the global runtime, each in its turn, as these never end.
pub(crate) fn reactor_for_task() -> io::Result<Arc<Reactor>> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if let Some(worker) = Worker::current() {
        return Ok(Arc::clone(&worker.shared().reactor));
    }
    let scheduler = &crate::runtime::try_global()?.scheduler;
    let index = NEXT.fetch_add(1, Ordering::Relaxed) % scheduler.config.workers;
    let worker = scheduler.worker(index).expect("the runtime has started");
    Ok(Arc::clone(&worker.reactor))
}

/// The caller's worker, for what is to stay on it and may share with the caller what is not `Send`.
///
/// # Errors
/// If there is none, or the caller does not stay with it.
pub(crate) fn worker_to_stay_with(what: &str) -> io::Result<&'static Worker> {
    let Some(worker) = Worker::current() else {
        return Err(io::Error::other(format!(
            "{what} was called on a plain thread, which has no worker"
        )));
    };
    if worker.running().is_some_and(TaskRef::is_migrant) {
        return Err(io::Error::other(format!(
            "{what} was called in a migratable coroutine, which does not stay with its worker"
        )));
    }
    Ok(worker)
}

/// The pool for blocking calls of the runtime that the calling coroutine belongs to.
pub(crate) fn blocking_pool() -> Option<&'static BlockingPool> {
    // Alive for as long as the coroutine has not ended, like everything that hangs on a worker.
    Worker::of_coroutine().map(|worker| &worker.shared().scheduler.blocking)
}

/// Where the ring of the worker is that the calling coroutine runs on, if it may have one.
#[allow(dead_code, reason = "not every system has rings")]
pub(crate) fn place_for_ring() -> Option<&'static PerWorker> {
    let worker = Worker::suspendable()?;
    let allowed = worker.shared().scheduler.config.io_uring;
    allowed.then_some(&worker.ring)
}

/// Does the caller run in a coroutine that may be suspended?
#[inline(always)]
pub(crate) fn in_coroutine() -> bool {
    Worker::of_coroutine().is_some()
}

/// To be called before a wait for the kernel: see [`run_queue::RunQueue::prefetch_frames`].
#[inline]
pub(crate) fn prefetch_frames() {
    if let Some(worker) = Worker::suspendable() {
        worker.run_queue.prefetch_frames();
    }
}

/// Called by each operation that did not have to wait: gives way when the coroutine has used up its time slice.
#[inline(always)]
pub(crate) fn safepoint() {
    match Worker::suspendable() {
        Some(worker) => {
            worker.safepoint();
        }
        None => {
            Worker::safepoint_of_migrant();
        }
    }
}

/// Called by each future of ours that is polled: false if the async task has used up its slice. It has been woken then, and is to give Pending.
/// Elsewhere, on another executor say, always true.
#[inline(always)]
pub(crate) fn may_go_on(waker: &Waker) -> bool {
    match Worker::current() {
        Some(worker) if worker.is_polling() => worker.spend(waker),
        _ => true,
    }
}

/// After how many uses in a row by one worker a channel's lock becomes that worker's: few enough that busy channels gain by it, and too many for
/// one that is used once, between workers.
pub(crate) const BIAS_AFTER: u32 = 64;

/// The address of the worker that this thread is; 0 on all others.
#[inline(always)]
pub(crate) fn worker_address() -> usize {
    Worker::of_thread().addr()
}

/// Lets other coroutines of the worker run, if any are ready. Returns whether it did.
#[inline(always)]
pub(crate) fn give_way() -> bool {
    Worker::suspendable().is_some_and(Worker::give_way)
}

/// Locks; a panic under one of the scheduler's own locks would be a bug of the scheduler, and poisons nothing of the user's.
pub(crate) fn lock_mutex<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    own(|| mutex.lock()).unwrap_or_else(PoisonError::into_inner)
}
