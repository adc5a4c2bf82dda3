//! The end of a runtime: who is waited for, who is cancelled, and who is reported.

use std::error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Runtime;
use crate::coroutine::{Coroutine, State};
use crate::inspect::resident::Resident;
use crate::scheduler::Scheduler;
use crate::scheduler::census::Census;
use crate::scheduler::stall::Backtrace;
use crate::scheduler::worker::Worker;
use crate::time::now;

/// How long those that were cancelled have, at the least and at the most, to come to their ends.
const LEAST: Duration = Duration::from_millis(100);
const MOST: Duration = Duration::from_secs(1);

/// The cancelled are cancelled anew so often, since they may have spawned others meanwhile.
const SWEEP: Duration = Duration::from_millis(20);

impl Runtime {
    /// Ends the runtime: lets its coroutines and async tasks finish, but cancels those that have not after `timeout`.
    ///
    /// 1. From now on it takes nothing more from outside: such spawns fail. Coroutines that are under way may still spawn others.
    /// 2. It waits until all have ended, at most for `timeout`. If they have, that is all.
    /// 3. It notes who is left, and where each of them waits. Then it cancels them, as [`JoinHandle::cancel`] does, the unstarted ones
    ///    included, and waits for their destructors: as long again as `timeout`, but at least a tenth of a second and at most one second. With a
    ///    `timeout` of zero it cancels at once.
    ///
    /// What does not end even so goes on, on its threads: a coroutine that computes without ever waiting, waits inside of
    /// [`shield`](crate::shield()), or blocks its thread. Closures that run in [`blocking`](crate::blocking) are waited for as well.
    ///
    /// A coroutine of this very runtime that calls this waits for itself, and so for the whole time; it is not cancelled.
    ///
    /// [`JoinHandle::cancel`]: crate::JoinHandle::cancel
    ///
    /// # Errors
    /// [`ShutdownError`], which lists those that had not finished in time, and tells which of them have not ended since.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    ///
    /// let runtime = corun::Runtime::new()?;
    /// let sleeper = corun::Builder::new().name("sleeper".into());
    /// sleeper.spawn_on(runtime.handle(), || corun::sleep(Duration::from_secs(60)))?;
    /// let error = runtime.shutdown(Duration::from_millis(10)).unwrap_err();
    /// let late = &error.unfinished()[0];
    /// assert_eq!(late.coroutine().name(), Some("sleeper"));
    /// assert!(late.has_ended(), "it was cancelled");
    /// println!("{error}");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn shutdown(self, timeout: Duration) -> Result<(), ShutdownError> {
        let scheduler = &self.handle.scheduler;
        scheduler.close();
        let Some(deadline) = now().checked_add(timeout) else {
            // A time too far away to be told never comes.
            scheduler.wait_for_end(None);
            scheduler.end_blocking_threads(None);
            return Ok(());
        };
        if scheduler.wait_for_end(Some(deadline)) == 0 {
            // They have nothing left to do, so this is a matter of microseconds.
            scheduler.end_blocking_threads(Some(deadline));
            return Ok(());
        }
        let census = scheduler.census();
        let busy = cancel(scheduler, timeout.clamp(LEAST, MOST));
        Err(ShutdownError::new(census, busy))
    }
}

/// Cancels all, and waits for their ends. Returns how many workers have not come to it.
fn cancel(scheduler: &Scheduler, patience: Duration) -> usize {
    let me = Worker::current()
        .and_then(Worker::running)
        .map(|task| Coroutine::from_ref(&task).id());
    let deadline = now() + patience;
    loop {
        scheduler.cancel_all(me);
        let next = deadline.min(now() + SWEEP);
        let busy = scheduler.wait_for_end(Some(next));
        if busy == 0 {
            scheduler.end_blocking_threads(Some(deadline));
            return 0;
        }
        if now() >= deadline {
            return busy;
        }
    }
}

/// The time for a shut-down was over before everything had finished: see [`Runtime::shutdown`].
///
/// Its `Display` names each coroutine that was left, with the place that spawned it and the one where it waited.
#[derive(Clone)]
pub struct ShutdownError {
    inner: Arc<Inner>,
}

struct Inner {
    unfinished: Vec<Unfinished>,
    others: usize,
    waiting_tasks: Vec<Unfinished>,
    tasks: usize,
    silent: usize,
    busy: usize,
}

/// A coroutine that had not finished when the time to shut down was over.
#[derive(Clone)]
pub struct Unfinished {
    resident: Resident,
}

impl ShutdownError {
    fn new(census: Census, busy: usize) -> ShutdownError {
        let unfinished = |resident| Unfinished { resident };
        ShutdownError {
            inner: Arc::new(Inner {
                unfinished: census.residents.into_iter().map(unfinished).collect(),
                waiting_tasks: census.waiting_tasks.into_iter().map(unfinished).collect(),
                others: census.others,
                tasks: census.tasks,
                silent: census.silent,
                busy,
            }),
        }
    }

    /// The coroutines that were left when the time was over. Of very many, some hundreds; and of a worker that was kept by a coroutine, that one alone.
    pub fn unfinished(&self) -> &[Unfinished] {
        &self.inner.unfinished
    }

    /// How many coroutines were left, as far as can be told.
    pub fn unfinished_coroutines(&self) -> usize {
        self.inner.unfinished.len() + self.inner.others
    }

    /// The async tasks that were left and have waited for something. Of very many, some hundreds for each worker.
    pub fn unfinished_async_tasks(&self) -> &[Unfinished] {
        &self.inner.waiting_tasks
    }

    /// How many async tasks were left that are bound to no worker.
    pub fn unfinished_tasks(&self) -> usize {
        self.inner.tasks
    }

    /// How many worker threads have not ended even after everything was cancelled.
    pub fn unfinished_workers(&self) -> usize {
        self.inner.busy
    }
}

impl Unfinished {
    /// The coroutine: its number, name, spawn site, and whether it has ended since.
    pub fn coroutine(&self) -> &Coroutine {
        &self.resident.coroutine
    }

    /// What it did when the time was over.
    pub fn state(&self) -> State {
        self.resident.state
    }

    /// Has it ended since, because it was cancelled?
    pub fn has_ended(&self) -> bool {
        matches!(
            self.resident.coroutine.state(),
            State::Completed | State::Failed | State::Cancelled
        )
    }

    /// Where it waited, or computed: addresses of instructions, the innermost first. Empty if it was ready or had not started, and where the system does
    /// not tell.
    pub fn frames(&self) -> &[usize] {
        &self.resident.frames
    }

    /// The same with the names of functions and places in the source, for printing. To find them takes time and memory.
    pub fn backtrace(&self) -> impl fmt::Display + '_ {
        Backtrace(&self.resident.frames)
    }
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resident.fmt(f)?;
        f.write_str(if self.has_ended() {
            "; cancelled, it has ended"
        } else {
            "; cancelled, it has not ended"
        })
    }
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner {
            unfinished,
            others,
            waiting_tasks,
            tasks,
            silent,
            busy,
        } = &*self.inner;
        write!(
            f,
            "the time to shut down was over before {} coroutines and {tasks} async tasks had finished; cancelled, they have left {busy} worker threads busy",
            unfinished.len() + others
        )?;
        for one in unfinished.iter().chain(waiting_tasks) {
            write!(f, "\n  {one}")?;
        }
        if *others != 0 {
            write!(f, "\n  and {others} more coroutines")?;
        }
        if *silent != 0 {
            write!(
                f,
                "\n  and whoever waits on {silent} workers that are kept by a coroutine"
            )?;
        }
        Ok(())
    }
}

impl error::Error for ShutdownError {}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShutdownError")
            .field("unfinished", &self.inner.unfinished)
            .field("others", &self.inner.others)
            .field("async_tasks", &self.inner.waiting_tasks)
            .field("tasks", &self.inner.tasks)
            .field("workers", &self.inner.busy)
            .finish()
    }
}

impl fmt::Debug for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unfinished")
            .field("coroutine", self.coroutine())
            .field("state", &self.state())
            .field("has_ended", &self.has_ended())
            .finish_non_exhaustive()
    }
}
