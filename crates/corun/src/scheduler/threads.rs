//! The worker threads of a scheduler: their start, their end, and who waits for it.
//!
//! A worker is a place in `Scheduler::workers`. The first `Config::workers` places are filled when the runtime starts; the others are for
//! spare workers, which the watch thread adds and sends away (`watch.rs`). The place of a spare that has ended serves the next one: its
//! [`Shared`] is as good as new, since a worker ends only when no coroutine is left that could know it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

use super::lock_mutex;
use super::shared::Shared;
use super::signal::Signal;
use super::watch::{self, Reporting};
use super::worker::{AbortOnUnwind, Worker};
use super::{Scheduler, overflow};
use crate::inspect::Metrics;
use crate::platform::{self, interrupt};

/// How many workers the watch thread may add to stand in for stalled ones.
pub(super) const SPARE_WORKERS: usize = 16;

/// Which worker threads live, and who waits for them to end.
pub(super) struct Exits {
    /// By the worker's place: has it a thread, or will it have one at once?
    live: Vec<bool>,
    threads: usize,
    /// The watch thread lives. It goes after the last worker.
    watched: bool,
    waiters: Vec<Waiter>,
}

struct Waiter(*const Signal);

// SAFETY: signals are made to be notified from other threads.
unsafe impl Send for Waiter {}

impl Exits {
    pub(super) fn new(room: usize) -> Exits {
        Exits {
            live: vec![false; room],
            threads: 0,
            watched: false,
            waiters: Vec::new(),
        }
    }

    fn tell_waiters(&mut self) {
        if self.threads != 0 || self.watched {
            return;
        }
        for waiter in self.waiters.drain(..) {
            // SAFETY: a waiter takes its signal out of the list, under the lock that the caller holds, before the signal goes.
            unsafe { Signal::notify(waiter.0) };
        }
    }
}

impl Scheduler {
    /// How many worker threads there are.
    fn threads(&self) -> usize {
        lock_mutex(&self.exits).threads
    }

    /// The counts at about this moment.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut metrics = Metrics {
            workers: self.threads(),
            queued: self.injected.len(),
            tasks: self.count_guests(),
            blocking: self.blocking.metrics(),
            ..Metrics::default()
        };
        self.every_worker()
            .for_each(|worker| worker.add_to(&mut metrics));
        metrics
    }

    /// Adds one more worker, without a thread as yet.
    pub(crate) fn add_worker(self: &Arc<Self>) -> io::Result<Arc<Shared>> {
        overflow::install()?;
        let mut exits = lock_mutex(&self.exits);
        let Some(index) = exits.live.iter().position(|live| !live) else {
            return Err(io::Error::other(
                "the runtime has as many workers as it has room for",
            ));
        };
        let shared = match self.workers[index].get() {
            Some(shared) => {
                shared.watched.reset();
                shared.errands.open();
                Arc::clone(shared)
            }
            None => {
                let fresh = Arc::new(Shared::new(index as u32, self)?);
                Arc::clone(self.workers[index].get_or_init(|| fresh))
            }
        };
        exits.live[index] = true;
        exits.threads += 1;
        self.count_workers(&exits);
        Ok(shared)
    }

    /// Starts the thread of one more worker.
    pub(crate) fn start_worker(self: &Arc<Self>) -> io::Result<()> {
        let shared = self.add_worker()?;
        let index = shared.index;
        let name = format!("{}-{index}", self.config.thread_name);
        let scheduler = Arc::clone(self);
        self.starting.fetch_add(1, Ordering::Relaxed);
        let started = thread::Builder::new()
            .name(name)
            .spawn(move || worker_thread(shared, scheduler));
        started.map(drop).inspect_err(|_| {
            self.starting.fetch_sub(1, Ordering::Relaxed);
            self.worker_ended(index as usize);
        })
    }

    /// Starts the thread that watches the workers.
    pub(crate) fn start_watch(self: &Arc<Self>, reporting: Reporting) -> io::Result<()> {
        lock_mutex(&self.exits).watched = true;
        let scheduler = Arc::clone(self);
        let started = thread::Builder::new()
            .name(format!("{}-watch", self.config.thread_name))
            .spawn(move || {
                // Also if it panics: nobody should wait for it then.
                let _ended = WatchEnded(&scheduler);
                // Here it may take its time.
                platform::fences::enable();
                watch::run(&scheduler, reporting);
            });
        started.map(drop).inspect_err(|_| self.watch_ended())
    }

    /// `started` is one more than the last living worker's place, so that a spawn looks for others only while there are some.
    fn count_workers(&self, exits: &Exits) {
        let count = exits.live.iter().rposition(|&live| live);
        // Release pairs with the acquire in `worker_count`.
        self.started
            .store(count.map_or(0, |last| last + 1), Ordering::Release);
    }

    fn worker_ended(&self, index: usize) {
        let mut exits = lock_mutex(&self.exits);
        exits.live[index] = false;
        exits.threads -= 1;
        self.count_workers(&exits);
        if let Some(worker) = self.worker(index) {
            worker.errands.close();
        }
        if exits.threads == 0 {
            self.blocking.close();
            self.watch.rouse();
            exits.tell_waiters();
        }
        drop(exits);
        // Those that lay down before may have left the next step of a paused clock to this one, or have waited for the async tasks that it ran.
        if self.clock.is_paused() || self.is_closed() {
            self.wake_all();
        }
    }

    fn watch_ended(&self) {
        let mut exits = lock_mutex(&self.exits);
        exits.watched = false;
        exits.tell_waiters();
    }

    /// Is there a thread for this worker?
    pub(super) fn has_thread(&self, index: usize) -> bool {
        lock_mutex(&self.exits).live[index]
    }

    /// Have all worker threads ended?
    pub(super) fn has_ended(&self) -> bool {
        lock_mutex(&self.exits).threads == 0
    }

    /// Waits until every thread has ended. Returns how many workers have not by the deadline.
    pub(crate) fn wait_for_end(&self, deadline: Option<Instant>) -> usize {
        if self.is_left_in_parent() {
            return 0;
        }
        let signal = Signal::new();
        {
            let mut exits = lock_mutex(&self.exits);
            if exits.threads == 0 && !exits.watched {
                return 0;
            }
            exits.waiters.push(Waiter(&raw const signal));
        }
        signal.wait_until(deadline);
        let mut exits = lock_mutex(&self.exits);
        exits
            .waiters
            .retain(|waiter| !std::ptr::eq(waiter.0, &raw const signal));
        exits.threads
    }
}

struct WatchEnded<'a>(&'a Scheduler);

impl Drop for WatchEnded<'_> {
    fn drop(&mut self) {
        self.0.watch_ended();
    }
}

/// The life of a worker's thread.
fn worker_thread(shared: Arc<Shared>, scheduler: Arc<Scheduler>) {
    let index = shared.index as usize;
    platform::thread::set_timer_slack();
    overflow::arm_thread();
    interrupt::admit();
    scheduler.placement.apply(index);
    shared.watched.begin(interrupt::current_thread());
    // Until here it counted as idle, so that the watch thread may have gone to sleep.
    scheduler.watch.worker_awake();
    let worker = Worker::new(shared);
    Worker::enter_thread(&raw const worker);
    scheduler.starting.fetch_sub(1, Ordering::Relaxed);
    let bomb = AbortOnUnwind;
    worker.run();
    std::mem::forget(bomb);
    Worker::enter_thread(std::ptr::null());
    worker.shared().watched.end();
    // Descriptors that others still use look for another reactor.
    worker.shared().reactor.shutdown();
    drop(worker);
    scheduler.worker_ended(index);
}
