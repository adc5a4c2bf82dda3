//! Async tasks on the workers: where a ready one stands, who polls it, and when all have ended.
//!
//! # Invariants
//! - A ready task stands in one place: a worker's list of what can be stolen, that worker's *next* place, the injection list, or, if it is bound to a worker,
//!   that one's local list, which other threads reach through `Guests::woken`. So it is stolen, injected and taken in turn exactly as an unstarted coroutine.
//! - Who is woken by a worker gets its next place, and is polled before all others: what it was woken with is in the cache. Whoever stood there goes
//!   to the end of the list. After [`IN_A_ROW`] polls of such tasks the next one goes there too, so that two that wake each other share
//!   the worker with everybody. A task that woke itself, or was woken during its poll, goes to the end at once.
//! - Nobody is called for a task in the next place, as its worker is about to poll it. But who searches anyway may take it from there, and the watch
//!   thread sends somebody if the worker does not come to it.
//! - Tasks are polled on the worker's own stack. While one is, the worker's `no_suspend` says so, and what would suspend panics before it has published
//!   anything. From one task to the next the worker switches nothing and asks for no time; the tick (`worker.rs`) sees to the rest.
//! - A task that always finds ready what it awaits gives way after a slice, as a coroutine does: [`may_go_on`](super::may_go_on) is asked by our futures.
//! - A task may end on another worker than it was spawned on. So each worker counts both, for itself alone, and nobody pays for a shared count. All have ended
//!   if the sum of the ends, read first, is that of the beginnings: then no task lived at the moment between the two.
//! - A bound task counts as ended there, and among its worker's live coroutines instead: the thread must not end before it does.
//!
//! # The end
//! After a runtime was closed its workers end when no task lives. The one that saw the last of them end comes to its own sleep some time later, and wakes the
//! others then (`announce_end_of_guests`), so that the end of a task costs no fence.
//!
//! Rejected: tasks polled on the stack of the coroutine that gives way to them (a deep poll would need deep stacks everywhere, and could not be told from
//! a coroutine); calling a sleeping worker for each task that is woken (two that talk would be torn apart at each message).

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use corun_context::raw::Context;

use super::Scheduler;
use super::next_place::NextPlace;
use super::shared::Shared;
use super::spawn_list::SpawnList;
use super::worker::{BUDGET, Next, TICK, Worker};
use crate::cancel::Cancelled;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::task::TaskRef;
use crate::future::state::LOCAL;
use crate::future::task::cancel_task;

/// So many tasks that were woken by the one before are polled in a row.
const IN_A_ROW: u32 = 3;

/// What others may touch of a worker's tasks.
pub(super) struct Guests {
    /// The task that is polled next.
    pub(super) next: NextPlace,
    /// Tasks bound to this worker that others have woken.
    woken: SpawnList,
    /// How many were spawned, and how many have ended here: written by the worker alone.
    begun: AtomicUsize,
    ended: AtomicUsize,
}

/// What the worker alone needs.
pub(super) struct Polls {
    /// How many tasks in a row came from the next place.
    in_a_row: Cell<u32>,
    /// The count of ends that was last announced to the others.
    announced: Cell<usize>,
}

impl Polls {
    pub(super) fn new() -> Polls {
        Polls {
            in_a_row: Cell::new(0),
            announced: Cell::new(usize::MAX),
        }
    }
}

impl Guests {
    pub(super) fn new() -> Guests {
        Guests {
            next: NextPlace::new(),
            woken: SpawnList::new(0),
            begun: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
        }
    }

    /// Has the worker no task in its next place, and none that others have woken?
    #[inline(always)]
    pub(super) fn is_idle(&self) -> bool {
        self.next.is_empty() && self.woken.is_empty()
    }

    #[inline(always)]
    fn count(counter: &AtomicUsize) {
        // Release pairs with `have_guests_ended`.
        counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Release);
    }
}

/// Puts a task in line that was woken. Its reference goes along.
#[inline]
pub(crate) fn ready(task: TaskRef, local: bool) {
    // SAFETY: a task that has not ended keeps its runtime's workers, and with them all that they share.
    let home = unsafe { &*task.guest().home.load(Ordering::Relaxed) };
    match Worker::current() {
        Some(worker) if ptr::eq(&*worker.shared.scheduler, &*home.scheduler) => {
            worker.shared.count_call();
            if local {
                worker.ready_local(task, home);
            } else {
                worker.ready_next(task);
            }
        }
        _ => ready_elsewhere(task, home, local),
    }
}

/// Puts a task in line that was woken during its poll, on the worker that has polled it.
#[inline]
pub(crate) fn ready_again(task: TaskRef) {
    match Worker::current() {
        Some(worker) if task.guest_flags() & LOCAL == 0 => worker.ready_at_end(task),
        Some(worker) => worker.local.push_again(task),
        None => unreachable!("tasks are polled on workers"),
    }
}

#[inline(never)]
fn ready_elsewhere(task: TaskRef, home: &Shared, local: bool) {
    if home.scheduler.is_left_in_parent() {
        // Nobody runs it in this process.
        return;
    }
    // The task may run and end as soon as it is in line, and its runtime with it.
    let scheduler = home.scheduler.to_arc();
    if local {
        home.guests.woken.push_again(task);
        scheduler.wake(home);
    } else {
        scheduler.injected.push_again(task);
        scheduler.wake_for_work();
    }
}

/// Counts a task that has ended on this worker.
#[inline(always)]
pub(crate) fn ended(task: TaskRef) {
    let Some(worker) = Worker::current() else {
        return;
    };
    if task.guest_flags() & LOCAL != 0 {
        worker.live.set(worker.live.get() - 1);
    } else {
        Guests::count(&worker.shared.guests.ended);
    }
}

impl Scheduler {
    /// What a task spawned by this worker, or by none, takes for its home; `None` if the runtime has none any more.
    #[inline(always)]
    pub(crate) fn home_for_guest<'a>(&'a self, worker: Option<&'a Worker>) -> Option<&'a Shared> {
        match worker {
            Some(worker) if ptr::eq(&*worker.shared.scheduler, self) => Some(&worker.shared),
            _ => self.worker(0).map(|shared| &**shared),
        }
    }

    /// Hands a new async task to the workers, or gives it back if the runtime is closed.
    #[inline]
    pub(crate) fn submit_guest(&self, task: TaskRef) -> Result<(), TaskRef> {
        match Worker::current() {
            Some(worker) if ptr::eq(&*worker.shared.scheduler, self) => {
                Guests::count(&worker.shared.guests.begun);
            }
            _ => {
                self.guests_from_outside.fetch_add(1, Ordering::AcqRel);
            }
        }
        self.submit(task).inspect_err(|_| {
            // A worker's own list is never closed, so this came from outside.
            self.guests_from_outside.fetch_sub(1, Ordering::AcqRel);
            if !self.is_left_in_parent() {
                // Some may have waited for it.
                self.wake_all();
            }
        })
    }

    fn count_ended_guests(&self) -> usize {
        let ends = self.every_worker();
        ends.map(|worker| worker.guests.ended.load(Ordering::Acquire))
            .fold(0, usize::wrapping_add)
    }

    /// How many async tasks live that are not bound to a worker, about.
    pub(super) fn count_guests(&self) -> usize {
        let ended = self.count_ended_guests();
        let begun = self
            .every_worker()
            .map(|worker| worker.guests.begun.load(Ordering::Acquire));
        let outside = self.guests_from_outside.load(Ordering::Acquire);
        begun.fold(outside, usize::wrapping_add).wrapping_sub(ended)
    }

    /// Has every async task ended that is not bound to a worker?
    pub(crate) fn have_guests_ended(&self) -> bool {
        self.count_guests() == 0
    }

    /// Those of spares that have ended included: tasks have begun and ended there.
    fn every_worker(&self) -> impl Iterator<Item = &Shared> {
        self.workers
            .iter()
            .map_while(|place| place.get().map(|shared| &**shared))
    }
}

impl Worker {
    /// Hands this worker a new task that may run nowhere else.
    pub(crate) fn submit_local_guest(&self, task: TaskRef) {
        self.live.set(self.live.get() + 1);
        self.submit_local(task);
    }

    fn ready_local(&self, task: TaskRef, home: &Shared) {
        if ptr::eq(home, &*self.shared) {
            self.local.push_again(task);
        } else {
            ready_elsewhere(task, home, true);
        }
    }

    #[inline(always)]
    fn ready_next(&self, task: TaskRef) {
        if let Some(displaced) = self.shared.guests.next.put(task) {
            self.ready_at_end(displaced);
        }
    }

    #[inline(always)]
    fn ready_at_end(&self, task: TaskRef) {
        if self.shared.watched.is_retiring() {
            self.shared.scheduler.injected.push_again(task);
            self.shared.scheduler.wake_for_work();
            return;
        }
        self.shared.spawned.push_again(task);
        // A lone worker is the one that runs this; and so is this one, if there is nothing else to do.
        if self.shared.scheduler.worker_count() != 1
            && (self.shared.spawned.len() > 1
                || !self.shared.guests.next.is_empty()
                || !self.run_queue.is_empty())
        {
            self.shared.scheduler.wake_for_work();
        }
    }

    /// Takes the task from the next place, or, if enough have come from there, puts it at the end of the list.
    #[inline(always)]
    pub(super) fn take_next_guest(&self) -> Option<TaskRef> {
        let next = self.shared.guests.next.take()?;
        let in_a_row = self.guests.in_a_row.get() + 1;
        if in_a_row <= IN_A_ROW {
            self.guests.in_a_row.set(in_a_row);
            return Some(next);
        }
        self.guests.in_a_row.set(0);
        if self.shared.spawned.is_empty() && self.local.is_empty() {
            // There is nobody else: its turn is now.
            return Some(next);
        }
        self.ready_at_end(next);
        None
    }

    /// The task that a coroutine has given way to.
    #[inline(always)]
    pub(super) fn take_guest_to_poll(&self) -> Option<TaskRef> {
        let task = self.to_start.get()?;
        if !task.is_guest() {
            return None;
        }
        self.to_start.set(None);
        Some(task)
    }

    /// Takes over what other threads have woken of the tasks bound to this worker.
    #[inline]
    pub(super) fn take_local_guests(&self) {
        while let Some(task) = self.shared.guests.woken.pop() {
            self.local.push_again(task);
        }
    }

    /// Polls tasks, and continues and starts coroutines between them as their turns come, until the tick, or until nothing is ready.
    pub(super) fn run_guests(&self, first: TaskRef) {
        let mut next = Some(first);
        while let Some(task) = next.take() {
            self.poll_guest(task);
            if self.count_switch().is_multiple_of(TICK) {
                return;
            }
            next = match self.pick(false) {
                Some(Next::Start(task)) if task.is_guest() => Some(task),
                Some(Next::Start(task)) => {
                    self.start(task);
                    self.take_guest_to_poll()
                }
                Some(Next::Continue(context)) => {
                    self.resume(context);
                    self.take_guest_to_poll()
                }
                None => None,
            };
        }
    }

    /// Polls a task that was taken out of its line.
    #[inline(always)]
    pub(super) fn poll_guest(&self, task: TaskRef) {
        let seat = &self.seat.current;
        let before = seat.load(Ordering::Relaxed);
        seat.store(task.0.as_ptr(), Ordering::Relaxed);
        self.budget.set(BUDGET);
        self.set_polling(true);
        if self.forsakes_guests.get() {
            self.forsake(task);
        }
        // SAFETY: it is in no line, and in the seat.
        unsafe { task.poll() };
        self.set_polling(false);
        seat.store(before, Ordering::Relaxed);
        let joiner = self.hand_back.replace(Context::NONE);
        if joiner != Context::NONE {
            self.run_queue.push(joiner);
        }
    }

    #[cold]
    fn forsake(&self, task: TaskRef) {
        if task.is_migrant() {
            // It has a stack, and is left as any coroutine is, by unwinding.
            task.mark_cancelled();
        } else {
            cancel_task(task, Box::new(Cancelled::default()));
        }
    }

    /// Counts an operation of the running task. Once it has had its share, or its time, it is woken, and is to give way to the others.
    #[inline(always)]
    pub(super) fn spend(&self, waker: &Waker) -> bool {
        let left = self.budget.get();
        if left != 0 && self.shared.overdue.load(Ordering::Relaxed) == 0 {
            self.budget.set(left - 1);
            return true;
        }
        // Until its poll is over.
        self.budget.set(0);
        self.shared.overdue.store(0, Ordering::Relaxed);
        waker.wake_by_ref();
        false
    }

    /// The locals of the running task.
    #[cold]
    #[inline(never)]
    pub(super) fn guest_locals(&self) -> Option<&LocalMap> {
        let task = self.running().filter(|task| task.is_guest())?;
        // SAFETY: the running task's block stays until its poll is over, and so do its locals; who asks for them does so in that poll.
        Some(unsafe { &*ptr::from_ref(&task.guest().locals) })
    }

    /// As `locals`, for a value to be made. It need not be `Send`, so the running task stays here from now on.
    pub(crate) fn locals_to_fill(&self) -> Option<&LocalMap> {
        if let Some(task) = self.running()
            && task.is_guest()
            && !task.is_migrant()
        {
            self.bind(task);
        }
        self.locals()
    }

    /// Has the running task, which is polled, stay with this worker from now on.
    pub(super) fn bind(&self, task: TaskRef) {
        if task.guest_flags() & LOCAL != 0 {
            return;
        }
        self.live.set(self.live.get() + 1);
        Guests::count(&self.shared.guests.ended);
        let here = ptr::from_ref(&*self.shared).cast_mut();
        task.guest().home.store(here, Ordering::Relaxed);
        task.make_local();
    }

    /// For a worker that is about to sleep: wakes the others if the runtime is closed and tasks have ended that they may have waited for.
    pub(super) fn announce_end_of_guests(&self) {
        if !self.is_dismissed() {
            return;
        }
        let ended = self.shared.scheduler.count_ended_guests();
        if self.guests.announced.replace(ended) != ended {
            self.shared.scheduler.wake_all();
        }
    }
}
