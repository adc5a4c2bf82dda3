//! A worker: one OS thread that runs coroutines, switching directly from one to the next.
//!
//! # Invariants
//! - [`Worker`] belongs to its thread; [`Shared`] is what other threads may touch of it. A coroutine that has started is
//!   continued by its worker alone, so `Worker` needs no atomics.
//! - The thread's own stack is the idle context. Everything that is not running coroutines happens there (`idle.rs`):
//!   it may use much stack, and a parked coroutine should fit one page.
//! - A coroutine that suspends picks its successor itself ([`Worker::next`]) and switches to it: one switch per suspension.
//!   Each [`TICK`]th choice is the idle context, so that inbox, timers and reactor are looked at however busy the queue is;
//! - Turns go in rounds: all started coroutines that were ready when the round began, then a share of the unstarted ones that
//!   wait, each in order of arrival. There is one exception: who joins a coroutine lends it its turn. A child that
//!   has not started runs at once in its joiner's place, and when it ends the joiner goes on at once. So a tree
//!   of spawns is walked depth first, in the cache and on few stacks, and the tick keeps that from lasting.
//! - A stack goes back to the pool when its last frame is done with it: the entry function puts it there and
//!   leaves by `switch_final`. Nobody else uses this worker's pool, so it cannot be taken before the switch is over.

use std::cell::{Cell, UnsafeCell};
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{Ordering, compiler_fence};
use std::time::{Duration, Instant};

use corun_context::raw::{self, Context};

use super::Scheduler;
use super::blocks::Blocks;
use super::guests::Polls;
use super::root::furnish;
use super::run_queue::RunQueue;
use super::shared::{Seat, Shared};
use super::spawn_list::SpawnList;
use super::stacks::Stacks;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::task::{Control, Header, PLACE_RUNNING, TaskRef};
use crate::inspect::points;
use crate::io::ring::PerWorker;
use crate::platform::{fences, own};

/// Every so many switches the worker looks at its inbox, its timers and its reactor.
pub(super) const TICK: u32 = 64;

/// A round starts this share of the unstarted coroutines that wait, or as many as it continues started ones, whichever is more, and at
/// least [`FRESH_LEAST`]. All of them would keep the started ones, with their timers and sockets, waiting for a whole burst of spawns; a
/// fixed number would let the list grow without bound when a coroutine spawns more than that in each of its turns; and the share
/// alone keeps new connections waiting for many turns of thousands of busy ones.
const FRESH_SHARE: usize = 16;
const FRESH_LEAST: usize = 16;

/// How long a coroutine that gives way and could go on leaves unstarted ones to a worker that was woken to take some. Started ones stay where
/// they are: of two that compute for long, the second would share the worker of the first for ever if it started there before the
/// other worker is up, which takes the system some 50 us, or more if it is busy.
const LEAVE: Duration = Duration::from_micros(500);

/// How many operations that were ready at once a coroutine may do before it gives way.
pub(super) const BUDGET: u32 = 128;

/// Set in `bars` while the panic hook runs: blocking then blocks the thread.
const IN_PANIC_HOOK: u8 = 1;
/// Set in `bars` while a migratable coroutine runs, which suspends in its own way (`migrant.rs`).
const MIGRANT: u8 = 2;

/// Added to the depth of `no_suspend` calls while an async task is polled.
const POLLING: u32 = 1 << 31;

pub(crate) struct Worker {
    pub(super) run_queue: RunQueue,
    /// The thread's own stack, suspended while a coroutine runs.
    pub(super) idle: Cell<Context>,
    pub(super) stacks: UnsafeCell<Stacks>,
    /// How many started and how many unstarted coroutines are still to have their turn in this round.
    started_left: Cell<usize>,
    fresh_left: Cell<usize>,
    /// Since when unstarted coroutines have been left to a searching worker.
    left_since: Cell<Option<Instant>>,
    /// The joiner of the coroutine that has just ended.
    pub(super) hand_back: Cell<Context>,
    pub(super) blocks: Blocks,
    pub(super) budget: Cell<u32>,
    /// Depth of `no_suspend` calls, and [`POLLING`]. One cell serves, since nothing else runs while it is not zero.
    no_suspend: Cell<u32>,
    pub(super) guests: Polls,
    /// How many levels (`cancel/levels.rs`) the coroutines of this worker are in, and how many of them were cancelled: none, mostly, and then
    /// nobody need look at his control block.
    pub(crate) levels: Cell<usize>,
    /// The runtime is shutting down and its time is over: async tasks are cancelled instead of being polled.
    pub(super) forsakes_guests: Cell<bool>,
    /// What keeps the running code from suspending as a pinned coroutine does: [`IN_PANIC_HOOK`], [`MIGRANT`]. Zero nearly always.
    bars: Cell<u8>,
    /// The next coroutine id of the block that this worker drew, and how many are left.
    ids: Cell<(u64, u32)>,
    pub(super) last_poll: Cell<Instant>,
    /// When a timer last woke the worker from its sleep.
    pub(super) last_timer: Cell<Instant>,
    /// The last sleep was short, and ended by a wake-up from another thread.
    pub(super) lingers: Cell<bool>,
    /// How much the worker has taken from outside since its last sleep.
    pub(super) brought: Cell<usize>,
    pub(super) random: Cell<u32>,
    /// Unstarted coroutines of `spawn_local`, which nobody may steal.
    pub(super) local: SpawnList,
    /// One that the idle context runs first: an async task, or a coroutine that needs a stack that was not at hand.
    pub(super) to_start: Cell<Option<TaskRef>>,
    pub(super) seat: &'static Seat,
    pub(super) shared: Arc<Shared>,
    /// For files, once one was used.
    pub(super) ring: PerWorker,
    /// Keeps what `Shared::scheduler` points to.
    _scheduler: Arc<Scheduler>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Coroutines of other runtimes may wait on descriptors that were registered here.
        self.shared.reactor.shutdown();
    }
}

/// What comes next on a worker.
pub(super) enum Next {
    Continue(Context),
    Start(TaskRef),
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>) -> Worker {
        Worker {
            run_queue: RunQueue::new(),
            idle: Cell::new(Context::NONE),
            stacks: UnsafeCell::new(Stacks::new(shared.scheduler.config.stack_size)),
            started_left: Cell::new(0),
            fresh_left: Cell::new(0),
            left_since: Cell::new(None),
            hand_back: Cell::new(Context::NONE),
            blocks: Blocks::new(),
            budget: Cell::new(BUDGET),
            no_suspend: Cell::new(0),
            guests: Polls::new(),
            levels: Cell::new(0),
            forsakes_guests: Cell::new(false),
            bars: Cell::new(0),
            ids: Cell::new((0, 0)),
            last_poll: Cell::new(Instant::now()),
            last_timer: Cell::new(Instant::now()),
            lingers: Cell::new(false),
            brought: Cell::new(0),
            random: Cell::new(shared.index.wrapping_mul(0x9e37_79b9) | 1),
            local: SpawnList::new(shared.seat.lists() + 1),
            to_start: Cell::new(None),
            seat: shared.seat,
            ring: PerWorker::default(),
            _scheduler: shared.scheduler.to_arc(),
            shared,
        }
    }

    /// The worker that this thread is; null on all others. Nobody keeps where that is noted: see `platform/own.rs`.
    #[inline(always)]
    pub(super) fn of_thread() -> *const Worker {
        own::worker().cast()
    }

    /// The worker that this thread is, whether or not it runs a coroutine just now.
    ///
    /// The reference is good while the calling code stays within the thread's time as a worker: coroutines do, and so does the
    /// idle context. It must not be kept by anything else.
    #[inline(always)]
    pub(crate) fn current() -> Option<&'static Worker> {
        // SAFETY: it is noted for exactly the time that the worker exists on this thread; see `enter_thread`.
        unsafe { Worker::of_thread().as_ref() }
    }

    /// The worker, if the caller is a pinned coroutine that may be suspended. Elsewhere, waiting means to block the thread, unless the caller is
    /// migratable: then it means to leave it (`migrant.rs`).
    #[inline(always)]
    pub(crate) fn suspendable() -> Option<&'static Worker> {
        let worker = Worker::current()?;
        (!worker.seat.current.load(Ordering::Relaxed).is_null() && worker.bars.get() == 0)
            .then_some(worker)
    }

    /// As `suspendable`, for a coroutine of either kind. After a suspension it may be another worker.
    #[inline(always)]
    pub(crate) fn of_coroutine() -> Option<&'static Worker> {
        let worker = Worker::current()?;
        (!worker.seat.current.load(Ordering::Relaxed).is_null()
            && worker.bars.get() & IN_PANIC_HOOK == 0)
            .then_some(worker)
    }

    /// The worker, if the caller is a migratable coroutine that may be suspended; until it is.
    #[inline]
    pub(crate) fn of_migrant() -> Option<&'static Worker> {
        Worker::current().filter(|worker| worker.bars.get() == MIGRANT)
    }

    /// Does a migratable coroutine run?
    pub(super) fn set_migrant_runs(&self, on: bool) {
        self.bars.set(if on { MIGRANT } else { 0 });
    }

    /// Makes this thread the worker, or, with null, no worker; returns what it was.
    pub(crate) fn enter_thread(worker: *const Worker) -> *const Worker {
        let before = Worker::of_thread();
        own::set_worker(worker.cast());
        before
    }

    #[inline(always)]
    pub(crate) fn seat(&self) -> &'static Seat {
        self.seat
    }

    #[inline(always)]
    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The running coroutine.
    #[inline(always)]
    pub(crate) fn running(&self) -> Option<TaskRef> {
        NonNull::new(self.seat.current.load(Ordering::Relaxed)).map(TaskRef)
    }

    /// Empties the seat of a coroutine that is about to give its own reference up, so that a signal handler does not follow it.
    #[inline(always)]
    pub(crate) fn leave_seat(task: TaskRef) {
        if let Some(worker) = Worker::current()
            && worker.running() == Some(task)
        {
            worker
                .seat
                .current
                .store(ptr::null_mut(), Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
        }
    }

    /// The locals of the running coroutine or async task.
    #[inline]
    pub(crate) fn locals(&self) -> Option<&LocalMap> {
        match self.control() {
            Some(control) => Some(&control.locals),
            None => self.guest_locals(),
        }
    }

    /// The control block of the running coroutine; an async task has none. It stays where it is when the coroutine changes threads.
    #[inline]
    pub(crate) fn control(&self) -> Option<&Control> {
        let task = self.running()?;
        if task.is_guest() {
            return self.control_of_migrant();
        }
        let control = task.header().next.load(Ordering::Relaxed).cast::<Control>();
        // SAFETY: a started coroutine's `next` is its control block, which lives until it has ended.
        Some(unsafe { &*control })
    }

    /// Panics inside `no_suspend`. Called before anything is published that a panic would leave dangling.
    #[inline(always)]
    pub(crate) fn assert_may_suspend(&self) {
        if self.no_suspend.get() != 0 {
            suspended_where_it_must_not(self.no_suspend.get());
        }
    }

    /// Is the caller outside of `no_suspend`, and of the poll of an async task?
    #[inline(always)]
    pub(crate) fn may_suspend(&self) -> bool {
        self.no_suspend.get() == 0
    }

    /// Panics in the poll of an async task, where nothing can suspend.
    #[inline(always)]
    pub(crate) fn assert_not_polling(&self) {
        if self.is_polling() && self.bars.get() & IN_PANIC_HOOK == 0 {
            suspended_where_it_must_not(POLLING);
        }
    }

    #[inline(always)]
    pub(crate) fn is_polling(&self) -> bool {
        self.no_suspend.get() & POLLING != 0
    }

    /// Whether the poll of an async task is under way: nothing can suspend then.
    #[inline(always)]
    pub(super) fn set_polling(&self, on: bool) {
        self.no_suspend.set(if on { POLLING } else { 0 });
    }

    /// Refuses all waits, also those that are let through inside `no_suspend`. Returns what is to be restored.
    #[cfg(feature = "events")]
    pub(crate) fn refuse_waits(&self) -> u32 {
        self.no_suspend.replace(POLLING)
    }

    #[cfg(feature = "events")]
    pub(crate) fn restore_waits(&self, before: u32) {
        self.no_suspend.set(before);
    }

    /// Changes nothing about a poll that is under way.
    pub(crate) fn set_no_suspend(&self, depth: u32) -> u32 {
        let polling = self.no_suspend.get() & POLLING;
        self.no_suspend.replace(polling | depth)
    }

    pub(crate) fn set_in_panic_hook(&self, on: bool) -> bool {
        let before = self.bars.get();
        self.bars
            .set(before & !IN_PANIC_HOOK | (u8::from(on) * IN_PANIC_HOOK));
        before & IN_PANIC_HOOK != 0
    }

    pub(crate) fn next_id(&self) -> u64 {
        let (id, left) = self.ids.get();
        if left == 0 {
            let first = super::draw_ids(super::ID_BLOCK);
            self.ids.set((first + 1, super::ID_BLOCK as u32 - 1));
            return first;
        }
        self.ids.set((id + 1, left - 1));
        id
    }

    /// Lets the others run, and goes on when its turn comes again.
    #[inline(always)]
    pub(crate) fn yield_now(&self) {
        self.assert_may_suspend();
        let (target, arg) = self.next(true);
        self.yield_to(target, arg);
    }

    /// Lets others run if there are any that are ready. Returns whether it did.
    #[inline(always)]
    pub(crate) fn give_way(&self) -> bool {
        if self.run_queue.is_empty() || self.no_suspend.get() != 0 {
            return false;
        }
        self.yield_now();
        true
    }

    #[inline(always)]
    fn yield_to(&self, target: Context, arg: usize) {
        let me = self.seat.current.load(Ordering::Relaxed);
        points::leaves_seat(me);
        let slot = self.run_queue.push_slot();
        // SAFETY: the target is a suspended context of this worker; the slot is filled by the switch before anybody
        // looks at the queue.
        unsafe { raw::switch(slot, target, arg) };
        self.resumed(me);
    }

    #[inline(always)]
    pub(super) fn resumed(&self, me: *mut Header) {
        self.seat.current.store(me, Ordering::Relaxed);
        self.budget.set(BUDGET);
        points::takes_seat(me);
    }

    /// Counts an operation that did not have to wait; gives way when the coroutine has had its share. Returns whether it had.
    #[inline(always)]
    pub(crate) fn safepoint(&self) -> bool {
        let left = self.budget.get();
        if left == 0 || self.shared.overdue.load(Ordering::Relaxed) != 0 {
            self.end_of_slice();
            true
        } else {
            self.budget.set(left - 1);
            false
        }
    }

    #[cold]
    #[inline(never)]
    fn end_of_slice(&self) {
        self.budget.set(BUDGET);
        let overdue = self.shared.overdue.swap(0, Ordering::Relaxed) != 0;
        // Giving way is a service to others, not a must.
        if self.no_suspend.get() != 0 || self.bars.get() & IN_PANIC_HOOK != 0 {
            return;
        }
        if overdue {
            // After so long a time, timers and descriptors first: ticks count switches, and long slices make them rare.
            self.yield_to(self.idle.get(), 0);
        } else {
            self.yield_now();
        }
    }

    /// Counts a choice of a successor.
    #[inline(always)]
    pub(super) fn count_switch(&self) -> u32 {
        let count = self.shared.switches.load(Ordering::Relaxed).wrapping_add(1);
        self.shared.switches.store(count, Ordering::Relaxed);
        count as u32
    }

    /// Whom to switch to, and what to pass. `yields`: the caller stays ready itself.
    #[inline(always)]
    pub(super) fn next(&self, yields: bool) -> (Context, usize) {
        let count = self.count_switch();
        let mut left = self.started_left.get();
        if left == 0
            && self.local.is_empty()
            && self.shared.spawned.is_empty()
            && self.shared.guests.next.is_empty()
        {
            // A new round, in which nobody starts.
            left = self.run_queue.len();
        }
        if left != 0 && !count.is_multiple_of(TICK) {
            self.started_left.set(left - 1);
            if let Some(context) = self.run_queue.pop() {
                return (context, 0);
            }
        }
        self.next_slow(count, yields)
    }

    #[inline(never)]
    fn next_slow(&self, count: u32, yields: bool) -> (Context, usize) {
        if count.is_multiple_of(TICK) {
            return (self.idle.get(), 0);
        }
        match self.pick(yields) {
            Some(Next::Continue(context)) => return (context, 0),
            Some(Next::Start(task)) => match self.launch(task) {
                Some(next) => return next,
                None => self.to_start.set(Some(task)),
            },
            None => {}
        }
        (self.idle.get(), 0)
    }

    /// The next one in this worker's order of turns, if anything is ready; `yields`: besides the caller.
    pub(super) fn pick(&self, yields: bool) -> Option<Next> {
        if self.started_left.get() == 0 && self.fresh_left.get() == 0 {
            let started = self.run_queue.len();
            let waiting = self.local.len() + self.shared.spawned.len();
            self.started_left.set(started);
            self.fresh_left
                .set((waiting / FRESH_SHARE).max(started).max(FRESH_LEAST));
        }
        if self.started_left.get() != 0
            && let Some(context) = self.run_queue.pop()
        {
            self.started_left.update(|left| left - 1);
            return Some(Next::Continue(context));
        }
        self.started_left.set(0);
        // Thieves may have been faster.
        if !(yields && self.leaves_to_searcher())
            && let Some(task) = self.pop_fresh()
        {
            self.fresh_left.update(|left| left.saturating_sub(1));
            return Some(Next::Start(task));
        }
        self.fresh_left.set(0);
        self.run_queue.pop().map(Next::Continue)
    }

    /// Is another worker about to take some of the unstarted coroutines?
    #[inline]
    fn leaves_to_searcher(&self) -> bool {
        if !self.shared.scheduler.is_searched() {
            self.left_since.set(None);
            return false;
        }
        self.leaves_for_now()
    }

    #[inline(never)]
    fn leaves_for_now(&self) -> bool {
        if self.shared.spawned.is_empty() || !self.local.is_empty() {
            return false;
        }
        let now = Instant::now();
        let since = self.left_since.get().unwrap_or(now);
        self.left_since.set(Some(since));
        now.duration_since(since) < LEAVE
    }

    /// The next coroutine that has not started, or the next async task.
    #[inline(always)]
    pub(super) fn pop_fresh(&self) -> Option<TaskRef> {
        if !self.shared.guests.next.is_empty()
            && let Some(task) = self.take_next_guest()
        {
            return Some(task);
        }
        if self.local.is_empty() {
            return self.shared.spawned.pop();
        }
        self.pop_fresh_of_both()
    }

    /// A coin decides, so that neither list starves the other.
    #[inline(never)]
    fn pop_fresh_of_both(&self) -> Option<TaskRef> {
        if self.flip() {
            self.local.pop().or_else(|| self.shared.spawned.pop())
        } else {
            self.shared.spawned.pop().or_else(|| self.local.pop())
        }
    }

    /// Takes an unstarted coroutine out of this worker's own lists, if that is where it stands.
    #[inline]
    pub(crate) fn take_unstarted(&self, task: TaskRef) -> bool {
        self.shared.spawned.remove(task) || self.local.remove(task)
    }

    /// Hands this worker a coroutine that may run nowhere else.
    pub(crate) fn submit_local(&self, task: TaskRef) {
        points::created(task);
        if self.local.push(task).is_err() {
            unreachable!("a worker's own list is never closed");
        }
    }

    /// Prepares a stack for an unstarted coroutine, if one is at hand without a system call.
    #[inline(always)]
    pub(super) fn launch(&self, task: TaskRef) -> Option<(Context, usize)> {
        if task.needs_idle() {
            return None;
        }
        // SAFETY: only this thread uses the pool, and no reference to it outlives the statement.
        let stack = unsafe { (*self.stacks.get()).take_cached()? };
        // SAFETY: a stack of the pool is unused.
        Some(unsafe { furnish(stack, task) })
    }

    /// Starts an unstarted coroutine from the idle context. Without a stack for it, it fails with the reason.
    pub(super) fn start(&self, task: TaskRef) {
        if task.is_guest() {
            return self.run_guests(task);
        }
        // SAFETY: only this thread uses the pool, and no reference to it outlives the statement.
        match unsafe { (*self.stacks.get()).take(task.stack_size()) } {
            Ok(stack) => {
                // SAFETY: a stack of the pool is unused.
                let (target, arg) = unsafe { furnish(stack, task) };
                // SAFETY: the context is new, and this thread's idle context may be continued by whoever runs next.
                unsafe { raw::switch(self.idle.as_ptr(), target, arg) };
                self.seat.current.store(ptr::null_mut(), Ordering::Relaxed);
            }
            Err(error) => {
                // SAFETY: the task is unstarted and out of every list.
                unsafe { task.fail(Box::new(crate::coroutine::StartError::from(error))) };
                let joiner = self.hand_back.replace(Context::NONE);
                if joiner != Context::NONE {
                    self.run_queue.push(joiner);
                }
            }
        }
    }

    /// Continues a started coroutine from the idle context.
    pub(super) fn resume(&self, context: Context) {
        // SAFETY: the run queue holds suspended contexts of this worker, each once.
        unsafe { raw::switch(self.idle.as_ptr(), context, 0) };
        self.seat.current.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// Marks `task` as the running coroutine, for the first time. Returns whether it was cancelled before.
    #[inline(always)]
    pub(super) fn begin(&self, task: TaskRef, control: &Control) -> bool {
        let header = task.header();
        header
            .next
            .store(ptr::from_ref(control).cast_mut().cast(), Ordering::Relaxed);
        header.prev.store(
            ptr::from_ref(self.seat).cast_mut().cast(),
            Ordering::Relaxed,
        );
        // Release pairs with the acquire of a handle that reads `place` and then follows `prev`.
        header.place.store(PLACE_RUNNING, Ordering::Release);
        self.resumed(task.0.as_ptr());
        // Pairs with the heavy fence of `nudge::cancel`.
        fences::light();
        task.is_cancelled()
    }

    /// What to run after a coroutine has ended; on a stack of the default size an unstarted one can start at once.
    #[inline(always)]
    pub(super) fn after_end(&self, default_size: bool) -> Next {
        let count = self.count_switch();
        let joiner = self.hand_back.replace(Context::NONE);
        if count.is_multiple_of(TICK) {
            if joiner != Context::NONE {
                self.run_queue.push(joiner);
            }
            return Next::Continue(self.idle.get());
        }
        if joiner != Context::NONE {
            return Next::Continue(joiner);
        }
        match self.pick(false) {
            Some(Next::Start(task)) if !default_size || task.needs_idle() => {
                self.to_start.set(Some(task));
                Next::Continue(self.idle.get())
            }
            Some(next) => next,
            None => Next::Continue(self.idle.get()),
        }
    }
}

/// Guards the idle context: if it unwound, coroutines would be left without their thread, and pointers to a worker that is gone.
pub(crate) struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("fatal: the scheduler of corun panicked");
        std::process::abort();
    }
}

#[cold]
#[inline(never)]
fn suspended_where_it_must_not(no_suspend: u32) -> ! {
    points::refuse_to_wait();
    assert!(
        no_suspend & POLLING == 0,
        "a call in an async task had to wait, and so would have blocked the other tasks of its worker: `.await` the async form instead \
         (recv_async, lock_async, a JoinHandle, ...), or do it in a coroutine and await that: `corun::spawn(|| ...).await`"
    );
    panic!(
        "a call inside corun::no_suspend had to wait, and so would have suspended the coroutine"
    );
}
