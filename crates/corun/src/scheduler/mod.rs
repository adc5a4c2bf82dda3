//! The scheduler: many coroutines on a few threads.
//!
//! # Roles
//! - **Worker** (`worker.rs`): an OS thread that runs coroutines. It owns a run queue of started coroutines (`run_queue.rs`), which
//!   nobody else touches, a list of unstarted ones (`spawn_list.rs`), which others steal from, an inbox for wake-ups from other
//!   threads (`inbox.rs`), a reactor and timers.
//! - **Coroutine**: unstarted, it is a closure on the heap and can run anywhere. From its first run on it has a stack and stays on its
//!   worker: moving a running stack between threads is undefined behaviour in today's Rust.
//! - **Signal** (`signal.rs`): the wake-up that a parked coroutine waits for.
//! - **Watch thread** (`watch.rs`): notices workers that do not switch any more.
//!
//! # Rejected designs
//! - One global run queue: its lock is the bottleneck from two threads on, and coroutines cannot be pinned.
//! - Migration of started coroutines behind a safe API (may, generator, open-coroutine): unsound, see docs/safety.md.
//! - A scheduler context through which every switch goes: two switches per suspension instead of one.

pub(crate) mod blocks;
mod fork;
mod idle;
mod inbox;
pub(crate) mod lock;
pub(crate) mod overflow;
pub(crate) mod run_queue;
pub(crate) mod signal;
mod sleepers;
mod spawn_list;
pub(crate) mod stacks;
pub(crate) mod worker;

use std::io;
use std::panic::RefUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Instant;

use crate::blocking::BlockingPool;
use crate::coroutine::task::TaskRef;
use crate::platform::{self, numa::Placement};
use crate::reactor::Reactor;
use crate::runtime::config::Config;
use signal::Signal;
use sleepers::Sleepers;
use spawn_list::SpawnList;
use worker::{Shared, Worker, lock};

/// How many coroutine ids a worker draws at once.
const ID_BLOCK: u64 = 1 << 16;

/// How many workers the watch thread may add to stand in for stalled ones.
const SPARE_WORKERS: usize = 16;

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
    placement: Placement,
    /// The process that the workers are in: see `platform/fork.rs`.
    generation: u32,
    /// Filled from the front; room for spare workers that the watch thread adds.
    workers: Box<[OnceLock<Arc<Shared>>]>,
    started: AtomicUsize,
    /// Coroutines spawned from outside the workers.
    injected: SpawnList,
    sleepers: Sleepers,
    closed: AtomicBool,
    exits: Mutex<Exits>,
}

// No code of the user's runs under the scheduler's locks, so a panic leaves nothing half-done in it.
impl RefUnwindSafe for Scheduler {}

/// How many worker threads live, and who waits for them to end.
struct Exits {
    threads: usize,
    waiters: Vec<Waiter>,
}

struct Waiter(*const Signal);

// SAFETY: signals are made to be notified from other threads.
unsafe impl Send for Waiter {}

impl Scheduler {
    pub(crate) fn new(config: Config) -> Arc<Scheduler> {
        crate::coroutine::panic::install();
        fork::watch();
        let room = config.workers + SPARE_WORKERS;
        Arc::new(Scheduler {
            blocking: BlockingPool::new(config.max_blocking_threads, config.blocking_keep_alive),
            generation: platform::fork::generation(),
            placement: Placement::detect(config.workers),
            config,
            workers: (0..room).map(|_| OnceLock::new()).collect(),
            started: AtomicUsize::new(0),
            injected: SpawnList::new(0),
            sleepers: Sleepers::new(),
            closed: AtomicBool::new(false),
            exits: Mutex::new(Exits {
                threads: 0,
                waiters: Vec::new(),
            }),
        })
    }

    /// Adds one more worker, without a thread as yet.
    pub(crate) fn add_worker(self: &Arc<Self>) -> io::Result<Arc<Shared>> {
        overflow::install()?;
        let mut exits = lock(&self.exits);
        let index = self.started.load(Ordering::Relaxed);
        let Some(slot) = self.workers.get(index) else {
            return Err(io::Error::other(
                "the runtime has as many workers as it has room for",
            ));
        };
        let shared = Arc::new(Shared::new(index as u32, self)?);
        slot.get_or_init(|| Arc::clone(&shared));
        // Release pairs with the acquire in `worker_count`.
        self.started.store(index + 1, Ordering::Release);
        exits.threads += 1;
        Ok(shared)
    }

    /// Starts the thread of one more worker.
    pub(crate) fn start_worker(self: &Arc<Self>) -> io::Result<()> {
        let shared = self.add_worker()?;
        let name = format!("{}-{}", self.config.thread_name, shared.index);
        let started = thread::Builder::new().name(name).spawn({
            let (shared, scheduler) = (Arc::clone(&shared), Arc::clone(self));
            move || worker_thread(shared, scheduler)
        });
        if let Err(error) = started {
            self.worker_ended();
            return Err(error);
        }
        Ok(())
    }

    fn worker_ended(&self) {
        let mut exits = lock(&self.exits);
        exits.threads -= 1;
        if exits.threads == 0 {
            self.blocking.close();
            for waiter in exits.waiters.drain(..) {
                // SAFETY: a waiter takes its signal out of the list, under this lock, before the signal goes.
                unsafe { Signal::notify(waiter.0) };
            }
        }
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

    fn stealable_elsewhere(&self, index: u32) -> bool {
        self.workers()
            .any(|worker| worker.index != index && !worker.spawned.is_empty())
    }

    /// Hands an unstarted coroutine to the workers: to this one's own list, if the caller is one of them.
    #[inline]
    pub(crate) fn submit(&self, task: TaskRef) -> Result<(), TaskRef> {
        match Worker::current() {
            Some(worker) if std::ptr::eq(&*worker.shared.scheduler, self) => {
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
        for worker in self.workers() {
            self.wake(worker);
        }
    }

    /// Waits until every worker thread has ended. Returns how many have not by the deadline.
    pub(crate) fn wait_for_end(&self, deadline: Option<Instant>) -> usize {
        if self.is_left_in_parent() {
            return 0;
        }
        let signal = Signal::new();
        {
            let mut exits = lock(&self.exits);
            if exits.threads == 0 {
                return 0;
            }
            exits.waiters.push(Waiter(&raw const signal));
        }
        signal.wait_until(deadline);
        let mut exits = lock(&self.exits);
        exits
            .waiters
            .retain(|waiter| !std::ptr::eq(waiter.0, &raw const signal));
        exits.threads
    }
}

/// The life of a worker's thread.
fn worker_thread(shared: Arc<Shared>, scheduler: Arc<Scheduler>) {
    crate::platform::thread::set_timer_slack();
    overflow::arm_thread();
    scheduler.placement.apply(shared.index as usize);
    let worker = Worker::new(shared);
    Worker::enter_thread(&raw const worker);
    worker.run();
    Worker::enter_thread(std::ptr::null());
    // Descriptors that others still use look for another reactor.
    worker.shared().reactor.shutdown();
    drop(worker);
    scheduler.worker_ended();
}

/// The reactor of the worker that the calling coroutine runs on.
pub(crate) fn with_reactor<R>(f: impl FnOnce(&Arc<Reactor>) -> R) -> Option<R> {
    Worker::suspendable().map(|worker| f(&worker.shared().reactor))
}

/// The pool for blocking calls of the runtime that the calling coroutine belongs to.
pub(crate) fn blocking_pool() -> Option<&'static BlockingPool> {
    // Alive for as long as the coroutine has not ended, like everything that hangs on a worker.
    Worker::suspendable().map(|worker| &worker.shared().scheduler.blocking)
}

/// Does the caller run in a coroutine that may be suspended?
#[inline(always)]
pub(crate) fn in_coroutine() -> bool {
    Worker::suspendable().is_some()
}

/// Called by each operation that did not have to wait: gives way when the coroutine has used up its time slice.
#[inline(always)]
pub(crate) fn safepoint() {
    if let Some(worker) = Worker::suspendable() {
        worker.safepoint();
    }
}
