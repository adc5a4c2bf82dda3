//! Who lives on a runtime, and what each one waits for: [`Dump`].

use std::fmt;

use super::resident::Resident;
use crate::coroutine::{Coroutine, State};
use crate::runtime::{Handle, Runtime};
use crate::scheduler::census::Census;
use crate::scheduler::stall::Backtrace;

/// The coroutines of a runtime at one moment, from [`Handle::dump`]. Its `Display` has a line for each.
#[derive(Clone)]
pub struct Dump {
    entries: Vec<Entry>,
    others: usize,
    waiting_tasks: Vec<Entry>,
    tasks: usize,
    kept: usize,
}

/// A coroutine or async task in a [`Dump`]. Its `Display` is one line: name, number, spawn site, state, and where it waited.
#[derive(Clone)]
pub struct Entry {
    resident: Resident,
}

impl Dump {
    pub(crate) fn new(census: Census) -> Dump {
        let entry = |resident| Entry { resident };
        Dump {
            entries: census.residents.into_iter().map(entry).collect(),
            waiting_tasks: census.waiting_tasks.into_iter().map(entry).collect(),
            others: census.others,
            tasks: census.tasks,
            kept: census.silent,
        }
    }

    /// The coroutines. Of very many, some hundreds of each worker; and of a worker that was kept by a coroutine, that one, and those that had not begun.
    pub fn coroutines(&self) -> &[Entry] {
        &self.entries
    }

    /// How many coroutines there were beside these, as far as can be told.
    pub fn others(&self) -> usize {
        self.others
    }

    /// The async tasks that have waited for something and had not ended. Of very many, some hundreds for each worker. They have no stack, so it is not told
    /// where in their code they wait.
    pub fn async_tasks(&self) -> &[Entry] {
        &self.waiting_tasks
    }

    /// How many async tasks there were in all that are bound to no worker, ready or not.
    pub fn tasks(&self) -> usize {
        self.tasks
    }

    /// How many workers were kept by a coroutine that did not let others run, so that nobody knows who waits there.
    pub fn kept_workers(&self) -> usize {
        self.kept
    }
}

impl Entry {
    /// The coroutine: its number, name, spawn site.
    pub fn coroutine(&self) -> &Coroutine {
        &self.resident.coroutine
    }

    /// What it did at that moment.
    pub fn state(&self) -> State {
        self.resident.state
    }

    /// Where it waited, or computed: addresses of instructions, the innermost first. Empty if it was ready or had not begun, for all but the first of very
    /// many, and where the system does not tell.
    pub fn frames(&self) -> &[usize] {
        &self.resident.frames
    }

    /// The same with the names of functions and places in the source, for printing. To find them takes time and memory.
    pub fn backtrace(&self) -> impl fmt::Display + '_ {
        Backtrace(&self.resident.frames)
    }
}

impl Handle {
    /// Who lives on the runtime, and where each one waits.
    ///
    /// Each worker is asked to look at its own coroutines, which it does when it next switches; where nothing happens, at once. A worker that is kept by
    /// a coroutine for longer than some 30 milliseconds is passed over: of that coroutine, it is told where it is. So this takes a few milliseconds, or a
    /// few dozen; on a machine so busy that a worker has no turn at all, five seconds at most. Coroutines go on meanwhile.
    ///
    /// # Panics
    /// In an async task, and inside [`no_suspend`](crate::no_suspend), as it has to wait.
    ///
    /// # Examples
    /// ```
    /// use corun::State;
    ///
    /// let runtime = corun::Runtime::builder().workers(1).build()?;
    /// let (sender, receiver) = corun::channel::bounded::<u8>(1);
    /// let reader = corun::Builder::new().name("reader".into());
    /// let reader = reader.spawn_on(runtime.handle(), move || receiver.recv())?;
    /// while reader.coroutine().state() != State::Suspended {
    ///     std::thread::yield_now();
    /// }
    /// let dump = runtime.dump();
    /// assert_eq!(dump.coroutines()[0].coroutine().name(), Some("reader"));
    /// println!("{dump}");
    /// sender.send(1).unwrap();
    /// assert_eq!(reader.join().unwrap(), Ok(1));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn dump(&self) -> Dump {
        Dump::new(self.scheduler.census())
    }
}

impl Runtime {
    /// As [`Handle::dump`].
    ///
    /// # Panics
    /// As there.
    pub fn dump(&self) -> Dump {
        self.handle().dump()
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.resident.fmt(f)
    }
}

impl fmt::Display for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let coroutines = self.entries.len() + self.others;
        write!(f, "{coroutines} coroutines, {} async tasks", self.tasks)?;
        for entry in self.entries.iter().chain(&self.waiting_tasks) {
            write!(f, "\n  {entry}")?;
        }
        if self.others != 0 {
            write!(f, "\n  and {} more coroutines", self.others)?;
        }
        if self.kept != 0 {
            let kept = self.kept;
            write!(
                f,
                "\n  and whoever waits on {kept} workers that are kept by a coroutine"
            )?;
        }
        Ok(())
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("coroutine", self.coroutine())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Dump {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dump")
            .field("coroutines", &self.entries)
            .field("others", &self.others)
            .field("async_tasks", &self.waiting_tasks)
            .field("tasks", &self.tasks)
            .field("kept_workers", &self.kept)
            .finish()
    }
}
