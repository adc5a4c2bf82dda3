//! The watch thread: sees to it that a coroutine that does not give way harms none but those that share its worker.
//!
//! # What it does
//! Every [`SAMPLE`] it compares each awake worker's count of switches with the one before. If it has not changed, although the thread was
//! running or blocked (and did not merely wait for a processor, for which another thread would have to wait as well),
//! - once: it sets `Shared::overdue`, so that the coroutine gives way at its next safepoint, even in the middle of its time slice;
//! - twice: the worker is *stalled*. Its reactor and its timers are polled for it, because coroutines of other workers may wait on
//!   descriptors that are registered there; a wake-up from here goes through the inbox, as from any other thread. The coroutine is
//!   reported (`capture.rs`, `stall.rs`), to a handler of the user's at once, to standard error after [`PATIENCE`].
//!
//! If unstarted coroutines wait while workers are stalled, a sleeping worker is woken to search. If none sleeps and they still wait at the
//! next sample, a *spare* worker is started, up to one for each stalled worker. It steals as any other. Spares that have
//! been more than the stalled workers for [`RETIRE_AFTER`] samples are sent away one by one: such a worker takes no new work, and its thread
//! ends when the coroutines that it has started have ended, as they cannot move. If another stall comes before that, it is called back.
//!
//! The started coroutines of a stalled worker wait: that is the price of pinning.
//!
//! # Cost and sleep
//! Workers pay nothing: the count of switches is kept for their own tick. When every worker sleeps and none has switched since the last
//! sample, the watch thread goes to sleep as well, and the first worker to wake up wakes it:
//! ```text
//!   watch thread                                       worker
//!   (1) dormant := true; SeqCst fence                  (a) get up (`sleepers.rs`); SeqCst fence
//!   (2) look at all workers; any awake: undo (1)       (b) look at `dormant`; if set, clear it and unpark the watch thread
//! ```
//! Either (2) sees (a), or (b) sees (1). As it sleeps only after an idle sample, a program that is busy a thousand times a second does not
//! wake it a thousand times.
//!
//! # Rejected
//! - Preemption by a signal at an arbitrary instruction (open-coroutine): the code may hold a lock of the allocator's.
//! - A timer signal per worker instead of a thread: it interrupts the user's system calls even when nothing is wrong, and cannot steal.
//! - Handing the whole worker to another thread, as Go does with a P: started coroutines cannot move.
//! - A [`LocalRuntime`](crate::runtime::LocalRuntime) is not watched: its host decides when it runs, and no other thread could help.
//!
//! Checked by `tests/bad_stalls.rs`, `bad_stall_report.rs`, `bad_spare_workers_end.rs` and `bad_idle_is_quiet.rs`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicUsize, Ordering, fence};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::capture::{self, Capture};
use super::shared::Shared;
use super::stall::{self, Handler, Stall};
use super::{Scheduler, lock_mutex};
use crate::coroutine::CoroutineId;
use crate::platform::{self, interrupt};

const SAMPLE: Duration = Duration::from_millis(10);

/// So much processor time makes a sample count. Less than a whole sample, as the ends of both are not precise.
const USED: Duration = Duration::from_millis(5);

/// From so many unchanged samples on a worker is stalled.
const STALLED: u32 = 2;

/// So many unchanged samples, about a second, until a stall is printed if nobody has asked to be told.
const PATIENCE: u32 = 100;

/// For so many samples there must have been too many spare workers before one is sent away, so that a coroutine that stalls now and
/// then does not cost a thread each time.
const RETIRE_AFTER: u32 = 10;

/// Values of `Watched::role`.
const ACTIVE: u32 = 0;
const RETIRING: u32 = 1;
const GONE: u32 = 2;

/// What the watch thread and a worker share.
pub(super) struct Watched {
    /// ACTIVE; RETIRING for a spare worker that takes no more work; GONE once that has decided to end.
    role: AtomicU32,
    /// The worker's thread for `interrupt`, 0 if it has none.
    thread: AtomicI32,
    pub(super) capture: Capture,
    /// The last stall that was looked at, and the count of switches at that time.
    stall: Mutex<Option<(u32, Stall)>>,
}

impl Watched {
    pub(super) fn new() -> Watched {
        Watched {
            role: AtomicU32::new(ACTIVE),
            thread: AtomicI32::new(0),
            capture: Capture::new(),
            stall: Mutex::new(None),
        }
    }

    /// The stall that lasts since the count of switches was this, if it is known.
    pub(super) fn stall_at(&self, switches: u32) -> Option<Stall> {
        let stall = lock_mutex(&self.stall);
        stall
            .as_ref()
            .filter(|(at, _)| *at == switches)
            .map(|(_, stall)| stall.clone())
    }

    /// Before a worker's thread is started.
    pub(super) fn reset(&self) {
        self.role.store(ACTIVE, Ordering::SeqCst);
    }

    pub(super) fn begin(&self, thread: i32) {
        self.thread.store(thread, Ordering::Release);
    }

    pub(super) fn end(&self) {
        self.thread.store(0, Ordering::Release);
    }

    /// Should the worker take no more work?
    pub(super) fn is_retiring(&self) -> bool {
        self.role.load(Ordering::SeqCst) != ACTIVE
    }

    /// Decides to end, unless the worker was called back.
    pub(super) fn leave(&self) -> bool {
        self.role
            .compare_exchange(RETIRING, GONE, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }
}

/// The scheduler's end of the watch thread.
pub(super) struct Watch {
    thread: OnceLock<Thread>,
    dormant: AtomicBool,
    /// How many want every stall looked at, reported or not.
    close: AtomicUsize,
}

/// While it lives, every stall is looked at.
pub(super) struct Closely<'a>(&'a Watch);

impl Drop for Closely<'_> {
    fn drop(&mut self) {
        self.0.close.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Watch {
    pub(super) fn closely(&self) -> Closely<'_> {
        self.close.fetch_add(1, Ordering::Relaxed);
        Closely(self)
    }

    pub(super) fn new() -> Watch {
        Watch {
            thread: OnceLock::new(),
            dormant: AtomicBool::new(false),
            close: AtomicUsize::new(0),
        }
    }

    /// For a worker that has slept.
    #[inline]
    pub(super) fn worker_awake(&self) {
        // Pairs with that of `Watcher::sleep`.
        fence(Ordering::SeqCst);
        if self.dormant.load(Ordering::Relaxed) {
            self.rouse();
        }
    }

    #[cold]
    pub(super) fn rouse(&self) {
        self.dormant.store(false, Ordering::SeqCst);
        if let Some(thread) = self.thread.get() {
            thread.unpark();
        }
    }
}

/// What becomes of stalls.
pub(crate) enum Reporting {
    Silent,
    /// To standard error, when they last.
    Print,
    Call(Handler),
}

impl Reporting {
    fn after(&self) -> u32 {
        match self {
            Reporting::Silent => u32::MAX,
            Reporting::Print => PATIENCE,
            Reporting::Call(_) => STALLED,
        }
    }

    fn report(&self, stall: &Stall) {
        match self {
            Reporting::Silent => {}
            Reporting::Print => stall::print(stall),
            // The panic hook has said what there is to say.
            Reporting::Call(handler) => {
                drop(panic::catch_unwind(AssertUnwindSafe(|| handler(stall))));
            }
        }
    }
}

/// What the watch thread remembers of a worker.
#[derive(Clone, Copy)]
struct Seen {
    switches: u32,
    calls: u32,
    /// When this count was seen first.
    since: Instant,
    /// How many samples that count have not found another.
    unchanged: u32,
    /// The thread's processor time at the last of them.
    processor_time: Duration,
    /// It was asked during this stall what it is doing.
    asked: bool,
    /// How long the stall had lasted when it was asked last.
    duration: Duration,
    reported: Option<CoroutineId>,
}

/// The sum of one sample.
#[derive(Default)]
struct Sample {
    awake: bool,
    changed: bool,
    stalled: usize,
    /// Unstarted coroutines wait, and a stalled worker may be why.
    hungry: bool,
}

struct Watcher<'a> {
    scheduler: &'a Arc<Scheduler>,
    reporting: Reporting,
    seen: Vec<Seen>,
    /// For how many samples coroutines have waited, and there have been too many spare workers.
    hungry: u32,
    surplus: u32,
}

/// The life of the watch thread.
pub(super) fn run(scheduler: &Arc<Scheduler>, reporting: Reporting) {
    let _ = scheduler.watch.thread.set(thread::current());
    let fresh = Seen {
        switches: 0,
        calls: 0,
        since: Instant::now(),
        unchanged: 0,
        processor_time: Duration::ZERO,
        asked: false,
        duration: Duration::ZERO,
        reported: None,
    };
    let mut watcher = Watcher {
        scheduler,
        reporting,
        seen: vec![fresh; scheduler.workers.len()],
        hungry: 0,
        surplus: 0,
    };
    let mut next = Instant::now() + SAMPLE;
    while !scheduler.has_ended() {
        let now = Instant::now();
        if now < next {
            thread::park_timeout(next - now);
            continue;
        }
        let sample = watcher.sample(now);
        watcher.balance(&sample);
        if !sample.awake && !sample.changed {
            watcher.sleep();
        }
        next = Instant::now() + SAMPLE;
    }
}

/// Is there nothing to watch? A worker that has not begun yet is none that has stopped.
pub(super) fn is_idle(worker: &Shared) -> bool {
    worker.bed.is_occupied()
        || worker.bed.is_dozing()
        || worker.watched.thread.load(Ordering::Acquire) == 0
}

impl Watcher<'_> {
    fn sample(&mut self, now: Instant) -> Sample {
        let mut sample = Sample::default();
        for worker in self.scheduler.workers() {
            let seen = &mut self.seen[worker.index as usize];
            let (switches, calls) = worker.signs_of_life();
            let at_work = calls != seen.calls;
            seen.calls = calls;
            let idle = is_idle(worker);
            sample.awake |= !idle;
            let changed = switches != seen.switches;
            sample.changed |= changed;
            if idle || changed {
                collect(worker, seen, &self.reporting, true);
                *lock_mutex(&worker.watched.stall) = None;
                seen.asked = false;
                (seen.switches, seen.since, seen.unchanged) = (switches, now, 0);
                continue;
            }
            seen.count(worker);
            worker.overdue.store(1, Ordering::Relaxed);
            if seen.unchanged < STALLED {
                continue;
            }
            // One that spawns or wakes others all the time is about to run them; a spare worker would compete with it.
            if !at_work {
                sample.stalled += 1;
                sample.hungry |= !worker.spawned.is_empty() || !worker.guests.next.is_empty();
            }
            poll_for(worker, now);
            collect(worker, seen, &self.reporting, false);
            let close = self.scheduler.watch.close.load(Ordering::Relaxed) != 0;
            if !seen.asked && (close || seen.unchanged >= self.reporting.after()) {
                ask(worker, seen, now);
            }
        }
        sample.hungry |= sample.stalled != 0 && !self.scheduler.injected.is_empty();
        sample
    }

    /// Sees to it that somebody runs what stalled workers do not, and no more than that.
    fn balance(&mut self, sample: &Sample) {
        self.hungry = if sample.hungry { self.hungry + 1 } else { 0 };
        if sample.hungry {
            self.scheduler.wake_for_work();
        }
        let spares = self.scheduler.active_spares();
        let nobody = self.scheduler.sleepers.is_empty();
        if self.hungry > 1 && nobody && spares < sample.stalled && !self.scheduler.call_back() {
            // Without room or memory for another thread things stay as they are; the next sample tries again.
            let _ = self.scheduler.start_worker();
        }
        self.surplus = if spares > sample.stalled {
            self.surplus + 1
        } else {
            0
        };
        if self.surplus > RETIRE_AFTER {
            self.surplus = 0;
            self.scheduler.retire_one();
        }
    }

    /// Waits until some worker is awake, if none is now.
    fn sleep(&mut self) {
        let scheduler = self.scheduler;
        // All sleep, so none is stalled.
        while scheduler.retire_one() {}
        scheduler.watch.dormant.store(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        let all_idle = scheduler.workers().all(|worker| is_idle(worker));
        if !all_idle || scheduler.has_ended() {
            scheduler.watch.dormant.store(false, Ordering::SeqCst);
            return;
        }
        while scheduler.watch.dormant.load(Ordering::SeqCst) {
            thread::park();
        }
    }
}

impl Seen {
    /// Counts a sample that has found nothing new, if the thread could have done something.
    fn count(&mut self, worker: &Shared) {
        let thread = worker.watched.thread.load(Ordering::Acquire);
        let time = platform::thread::processor_time(thread);
        let counts = match time {
            Some(time) if self.unchanged != 0 => {
                time.saturating_sub(self.processor_time) >= USED
                    || platform::thread::is_blocked(thread)
            }
            _ => true,
        };
        if counts {
            self.unchanged = self.unchanged.saturating_add(1);
            self.processor_time = time.unwrap_or_default();
        }
    }
}

/// Does for a stalled worker what cannot wait.
fn poll_for(worker: &Shared, now: Instant) {
    worker.fire_timers(now);
    // An error would be one of the reactor's own descriptor, and the worker will meet it too.
    let _ = worker.reactor.poll(Some(Duration::ZERO));
}

/// Asks the worker's thread what it is doing.
fn ask(worker: &Shared, seen: &mut Seen, now: Instant) {
    if !is_prepared() {
        return;
    }
    let thread = worker.watched.thread.load(Ordering::Acquire);
    if thread == 0 || worker.watched.capture.is_open() {
        return;
    }
    seen.asked = true;
    seen.duration = now.saturating_duration_since(seen.since);
    worker.watched.capture.ask(seen.switches);
    interrupt::interrupt(thread);
}

/// Installs what `ask` needs, for the whole process, if that has not been done. Does not wait for another thread that does it: after a fork
/// there would be none.
fn is_prepared() -> bool {
    static STATE: AtomicU32 = AtomicU32::new(0);
    let first = STATE.compare_exchange(0, 1, Ordering::Relaxed, Ordering::Acquire);
    if first.is_ok() {
        capture::prepare();
        interrupt::install(capture::answer);
        STATE.store(2, Ordering::Release);
    }
    first.is_ok() || first == Err(2)
}

/// Reports what a worker has answered, once for each coroutine.
fn collect(worker: &Shared, seen: &mut Seen, reporting: &Reporting, over: bool) {
    if !worker.watched.capture.is_open() {
        return;
    }
    let Some((coroutine, frames)) = worker.watched.capture.take(over) else {
        return;
    };
    let id = coroutine.id();
    let stall = Stall {
        coroutine,
        worker: worker.index as usize,
        duration: seen.duration,
        frames: frames.into(),
    };
    if !over {
        *lock_mutex(&worker.watched.stall) = Some((seen.switches, stall.clone()));
    }
    // It may have been looked at sooner than it is worth a report.
    if seen.unchanged < reporting.after() || seen.reported.replace(id) == Some(id) {
        return;
    }
    reporting.report(&stall);
}

impl Scheduler {
    fn spares(&self) -> impl Iterator<Item = &Arc<Shared>> {
        self.workers().skip(self.config.workers)
    }

    fn active_spares(&self) -> usize {
        let active = |worker: &&Arc<Shared>| worker.watched.role.load(Ordering::SeqCst) == ACTIVE;
        self.spares().filter(active).count()
    }

    /// Sends a spare worker away. Returns whether there was one.
    fn retire_one(&self) -> bool {
        let retired = self.spares().find(|worker| {
            let role = &worker.watched.role;
            role.compare_exchange(ACTIVE, RETIRING, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        });
        // It has to see for itself whether it can end.
        retired.map(|worker| self.wake(worker)).is_some()
    }

    /// Calls a spare worker back that was sent away and has not gone. Returns whether there was one.
    fn call_back(&self) -> bool {
        let back = self.spares().find(|worker| {
            let role = &worker.watched.role;
            role.compare_exchange(RETIRING, ACTIVE, Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        });
        back.map(|worker| self.wake(worker)).is_some()
    }
}
