//! Who lives on a runtime, and to cancel all of them.
//!
//! Nothing is kept for this. The stacks that a worker has taken from its pools and not put back are those of its started coroutines: each has a control
//! block at its top that names its coroutine. Those that have not started stand in lists. Only the worker's own thread may look at the former, while it
//! runs none of them (`errands.rs`); a worker that does not come to that is kept by a coroutine, of which the watch thread knows.
//!
//! Migratable coroutines have pools and a list of their own (`migrants.rs`); where they wait is not told, as they may go on at any moment.
//!
//! Async tasks have no stack. Those that have waited stand in a roll (`roll.rs`); those that are ready to be polled are cancelled in place of the poll.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use corun_context::raw::Context;

use super::Scheduler;
use super::parked::OPEN;
use super::shared::Shared;
use super::signal::Signal;
use super::worker::Worker;
use crate::cancel::Cancelled;
use crate::coroutine::task::{Control, PLACE_SUSPENDED, TaskRef};
use crate::coroutine::{Coroutine, CoroutineId, State};
use crate::future::task::cancel_task;
use crate::inspect::resident::Resident;
use crate::inspect::unwind;

/// So many coroutines are listed of each worker and each list; more than that nobody reads.
const LISTED: usize = 512;

/// Of so many of these it is told where they wait, as that takes some time.
const SHOWN: usize = 32;

/// How long to wait for the answer of a worker that is not known to be kept by a coroutine. Where the watch thread can find that out, it takes it some 30 ms;
/// who takes longer without that has few turns on a busy machine.
const PATIENCE: Duration = Duration::from_secs(if cfg!(target_os = "linux") { 5 } else { 1 });

/// Who lived on a runtime when the census was taken.
#[derive(Default)]
pub(crate) struct Census {
    pub(crate) residents: Vec<Resident>,
    /// How many coroutines lived beyond those.
    pub(crate) others: usize,
    /// How many async tasks lived that are bound to no worker.
    pub(crate) tasks: usize,
    /// Some of all async tasks that have waited.
    pub(crate) waiting_tasks: Vec<Resident>,
    /// How many workers are kept by a coroutine, so that nobody knows of their others.
    pub(crate) silent: usize,
}

impl Census {
    fn add(&mut self, other: Census) {
        self.residents.extend(other.residents);
        self.others += other.others;
    }

    fn count(&mut self, resident: impl FnOnce() -> Resident) {
        if self.residents.len() < LISTED {
            self.residents.push(resident());
        } else {
            self.others += 1;
        }
    }

    fn count_unstarted(&mut self, task: TaskRef) {
        if !task.is_guest() {
            self.count(|| Resident {
                coroutine: Coroutine::from_running(task),
                state: State::Ready,
                frames: Arc::default(),
            });
        }
    }
}

impl Scheduler {
    /// Some of the async tasks that have waited.
    fn waiting_tasks(&self) -> Vec<Resident> {
        let mut tasks = Vec::new();
        for worker in self.every_worker() {
            worker.guests.roll.for_each(LISTED, |coroutine| {
                tasks.push(Resident {
                    state: coroutine.state(),
                    coroutine,
                    frames: Arc::default(),
                });
            });
        }
        tasks
    }

    /// Who lives here, on the one worker that the calling thread is, and runs no coroutine just now.
    pub(crate) fn census_by(&self, worker: &Worker) -> Census {
        let mut census = worker.census();
        self.injected.for_each(|task| census.count_unstarted(task));
        self.count_tasks(&mut census);
        census
    }

    /// Those that belong to no worker: async tasks, and migratable coroutines, which are counted with them.
    fn count_tasks(&self, census: &mut Census) {
        let migrants = self.migrants.living();
        census.tasks = self.count_guests().saturating_sub(migrants.len());
        census.waiting_tasks = self.waiting_tasks();
        for coroutine in migrants {
            census.count(|| Resident {
                state: coroutine.state(),
                coroutine,
                // It may go on at any moment.
                frames: Arc::default(),
            });
        }
    }

    /// Who lives here.
    pub(crate) fn census(&self) -> Census {
        if self.is_left_in_parent() {
            return Census::default();
        }
        let watch_closely = self.watch.closely();
        let mut census = Census::default();
        let is_kept = |worker: &Shared| {
            worker.watched.stall_at(worker.switches()).is_some()
                || !self.has_thread(worker.index as usize)
        };
        let answers = self.ask_workers(PATIENCE, Worker::census, |answers| {
            let answered = |worker: &Shared| {
                let mut of = answers.iter().map(|(index, _)| *index);
                of.any(|index| index == worker.index as usize)
            };
            self.workers()
                .all(|worker| answered(worker) || is_kept(worker))
        });
        let answered: Vec<usize> = answers.iter().map(|(index, _)| *index).collect();
        answers.into_iter().for_each(|(_, one)| census.add(one));
        for worker in self.workers() {
            let index = worker.index as usize;
            if answered.contains(&index) || !self.has_thread(index) {
                continue;
            }
            census.silent += 1;
            worker.spawned.for_each(|task| census.count_unstarted(task));
            if let Some(stall) = worker.watched.stall_at(worker.switches()) {
                census.count(|| Resident {
                    coroutine: stall.coroutine,
                    state: State::Running,
                    frames: stall.frames,
                });
            }
        }
        self.injected.for_each(|task| census.count_unstarted(task));
        self.count_tasks(&mut census);
        drop(watch_closely);
        census
    }

    /// Cancels all coroutines but one, and all async tasks.
    pub(crate) fn cancel_all(&self, but: Option<CoroutineId>) {
        for worker in self.every_worker() {
            // One that was cancelled before, and has not come to its end, is not harmed by it.
            worker.guests.roll.for_each(usize::MAX, |task| {
                cancel_task(task.task(), Box::new(Cancelled::default()));
            });
        }
        self.injected.for_each(mark);
        for worker in self.workers() {
            worker.spawned.for_each(mark);
        }
        for coroutine in self.migrants.living() {
            if Some(coroutine.id()) != but {
                coroutine.task().cancel();
            }
        }
        self.tell_workers(move |worker| worker.cancel_all(but));
    }
}

/// Cancels what has not started, and stands in a list whose lock is held.
fn mark(task: TaskRef) {
    if !task.is_guest() {
        task.mark_cancelled();
    }
}

impl Worker {
    /// Calls `each` for the coroutines that have started here, with their control blocks. On the idle context.
    fn for_each_started(&self, mut each: impl FnMut(TaskRef, *const Control)) {
        // SAFETY: only this thread uses the pools, and no reference to them outlives the statement.
        let tops = unsafe { (*self.stacks.get()).in_use() };
        for top in tops {
            let control = top.cast::<Control>().cast_const().wrapping_sub(1);
            // SAFETY: every stack of these pools that is in use has its control block there (`furnish`); a coroutine that runs on it is suspended now.
            if let Some(task) = unsafe { (*control).task.get() } {
                each(task, control);
            }
        }
    }

    fn census(&self) -> Census {
        let mut census = Census::default();
        let mut to_show = SHOWN;
        self.for_each_started(|task, control| {
            census.count(|| Resident {
                coroutine: Coroutine::from_running(task),
                state: Coroutine::from_ref(&task).state(),
                frames: if to_show == 0 {
                    Arc::default()
                } else {
                    to_show -= 1;
                    frames(task, control).into()
                },
            });
        });
        self.shared
            .spawned
            .for_each(|task| census.count_unstarted(task));
        self.local.for_each(|task| census.count_unstarted(task));
        if let Some(task) = self.to_start.get() {
            census.count_unstarted(task);
        }
        census
    }

    fn cancel_all(&self, but: Option<CoroutineId>) {
        self.forsakes_guests.set(true);
        self.local.for_each(mark);
        // Some may have come from a list that was looked at later than this one.
        self.shared.spawned.for_each(mark);
        if let Some(task) = self.to_start.get() {
            mark(task);
        }
        let mut started = Vec::new();
        self.for_each_started(|task, _| started.push(Coroutine::from_running(task)));
        for coroutine in started {
            if Some(coroutine.id()) != but {
                coroutine.task().cancel();
            }
        }
    }
}

/// The frames of a coroutine of this worker, if it is parked.
fn frames(task: TaskRef, control: *const Control) -> Vec<usize> {
    let header = task.header();
    if header.place.load(Ordering::Relaxed) != PLACE_SUSPENDED {
        return Vec::new();
    }
    let at = header.next.load(Ordering::Relaxed);
    let signal = at.map_addr(|address| address & !OPEN).cast::<Signal>();
    // SAFETY: the coroutine is parked on this signal, and goes on when this thread switches to it, not before.
    let context = unsafe { (*signal).context.get() };
    if context == Context::NONE {
        // It was woken, and stands in the run queue.
        return Vec::new();
    }
    // SAFETY: suspended, as above.
    unsafe { unwind::frames(context, context.stack_pointer()..control.addr()) }
}
