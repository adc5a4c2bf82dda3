//! The main thread's side of everything that waits: work on corun's workers, timers, and the loop that brings their outcomes back.
//!
//! Invariants
//! - All of a `Host` is used by one thread only, which is the interpreter's; workers see a [`Sender`] and nothing else. Outcomes become
//!   values of the interpreter on the main thread ([`Event::value`]), so that no such value is ever seen by another thread.
//! - Work that was started gives exactly one event, also when it panics or cannot be spawned; `working` counts those that are to come.
//! - Nothing here calls Scheme. The loop of the prelude asks for the next event, and waits in [`Host::next`], in a plain `poll(2)` on
//!   this thread's own stack.
//!
//! The thread has a `LocalRuntime`, driven from `next` as docs/embedding.md describes: one coroutine takes events off the channel, and
//! the runtime's descriptor wakes the `poll`. Rejected: Scheme in coroutines of that runtime, which would suspend inside the interpreter's
//! native frames while other Scheme code runs on the same engine; and receiving from the channel directly, which could not wait for
//! the terminal at the same time, as the REPL does.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant};

use corun::channel::{Sender, unbounded};
use corun::runtime::{LocalRuntime, Runtime};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use steel::SteelVal;

use crate::failure::Failure;
use crate::progress::Progress;

/// The end of work or of a timer, by the number that its start gave.
struct Event {
    id: u64,
    /// Makes the outcome a value of the interpreter, on the main thread.
    value: Box<dyn FnOnce() -> SteelVal + Send>,
}

/// See the head of this file.
pub(crate) struct Host {
    local: LocalRuntime,
    /// `None` only while it is dropped.
    workers: Option<Runtime>,
    events: Option<Sender<Event>>,
    arrived: Rc<RefCell<VecDeque<Event>>>,
    /// By time, and by number among equals.
    timers: RefCell<BTreeSet<(Instant, u64)>>,
    due_at: RefCell<HashMap<u64, Instant>>,
    working: Cell<usize>,
    last_id: Cell<u64>,
    /// Whose turn it is when both a timer is due and an event is here, so that neither can starve the other.
    timers_first: Cell<bool>,
    progress: RefCell<Progress>,
}

impl Host {
    /// # Errors
    /// The system's, if a thread or a reactor cannot be made.
    pub(crate) fn new(workers: Option<usize>, progress: Progress) -> io::Result<Host> {
        let mut builder = Runtime::builder().thread_name("scheme-io");
        if let Some(count) = workers {
            builder = builder.workers(count);
        }
        let workers = builder.build()?;
        let local = LocalRuntime::new()?;
        let (events, incoming) = unbounded::<Event>();
        let arrived = Rc::new(RefCell::new(VecDeque::new()));
        let inbox = Rc::clone(&arrived);
        // Ends when the last sender is gone.
        local.spawn_local(move || {
            incoming
                .iter()
                .for_each(|event| inbox.borrow_mut().push_back(event))
        });
        Ok(Host {
            local,
            workers: Some(workers),
            events: Some(events),
            arrived,
            timers: RefCell::default(),
            due_at: RefCell::default(),
            working: Cell::new(0),
            last_id: Cell::new(0),
            timers_first: Cell::new(true),
            progress: RefCell::new(progress),
        })
    }

    fn new_id(&self) -> u64 {
        self.last_id.set(self.last_id.get() + 1);
        self.last_id.get()
    }

    /// Runs `work` on the workers. Its event has what `convert` makes of its result, or the failure.
    pub(crate) fn start<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
        convert: fn(T) -> SteelVal,
    ) -> u64 {
        let id = self.new_id();
        let (Some(workers), Some(events)) = (&self.workers, &self.events) else {
            unreachable!("only a dropped host has neither");
        };
        let sender = events.clone();
        let body = move || {
            let result = catch_unwind(AssertUnwindSafe(work))
                .unwrap_or_else(|payload| Err(Failure::new(describe_panic(&*payload))));
            // It fails only while the host is dropped, when nobody wants it any more.
            let _ = sender.send(Event {
                id,
                value: Box::new(move || result.map_or_else(Failure::into_value, convert)),
            });
        };
        self.working.set(self.working.get() + 1);
        if let Err(error) = corun::Builder::new()
            .name(name.to_owned())
            .spawn_on(workers.handle(), body)
        {
            let failure = Failure::new(format!("no coroutine could be made: {error}"));
            self.arrived.borrow_mut().push_back(Event {
                id,
                value: Box::new(move || failure.into_value()),
            });
        }
        id
    }

    /// Starts a timer. Its event has the value true.
    pub(crate) fn start_timer(&self, delay: Duration) -> u64 {
        let id = self.new_id();
        // What the clock cannot count to never comes, within anybody's patience.
        let at = Instant::now()
            .checked_add(delay)
            .unwrap_or_else(|| Instant::now() + Duration::from_secs(u32::MAX.into()));
        self.timers.borrow_mut().insert((at, id));
        self.due_at.borrow_mut().insert(id, at);
        id
    }

    /// Takes a timer back; nothing happens if it has gone off.
    pub(crate) fn cancel_timer(&self, id: u64) {
        if let Some(at) = self.due_at.borrow_mut().remove(&id) {
            self.timers.borrow_mut().remove(&(at, id));
        }
    }

    /// The next event. Without `wait`, `None` means that none is here; with it, that none will come, as nothing is under way.
    pub(crate) fn next(&self, wait: bool) -> Option<(u64, SteelVal)> {
        let mut waiting_since = None;
        let found = loop {
            if let Some(found) = self.take() {
                break Some(found);
            }
            if !wait || (self.working.get() == 0 && self.timers.borrow().is_empty()) {
                break None;
            }
            let since = *waiting_since.get_or_insert_with(Instant::now);
            let show_next = self.progress.borrow_mut().show(
                since,
                self.working.get(),
                self.timers.borrow().len(),
            );
            self.rest(None, show_next);
        };
        if waiting_since.is_some() {
            self.progress.borrow_mut().clear();
        }
        found
    }

    /// Waits until `input` is readable. Answers false, and sooner, if there is an event to be had.
    pub(crate) fn wait_for_input(&self, input: BorrowedFd<'_>) -> bool {
        if self.is_something_here() {
            return false;
        }
        self.rest(Some(input), None)
    }

    fn is_something_here(&self) -> bool {
        self.local.run_until_idle();
        let due = self
            .timers
            .borrow()
            .first()
            .is_some_and(|(at, _)| *at <= Instant::now());
        due || !self.arrived.borrow().is_empty()
    }

    fn take(&self) -> Option<(u64, SteelVal)> {
        self.local.run_until_idle();
        let timers_first = self.timers_first.get();
        self.timers_first.set(!timers_first);
        if timers_first {
            self.take_timer().or_else(|| self.take_event())
        } else {
            self.take_event().or_else(|| self.take_timer())
        }
    }

    fn take_timer(&self) -> Option<(u64, SteelVal)> {
        let (at, id) = *self.timers.borrow().first()?;
        if at > Instant::now() {
            return None;
        }
        self.cancel_timer(id);
        Some((id, SteelVal::BoolV(true)))
    }

    fn take_event(&self) -> Option<(u64, SteelVal)> {
        let event = self.arrived.borrow_mut().pop_front()?;
        self.working.set(self.working.get() - 1);
        Some((event.id, (event.value)()))
    }

    /// Waits for the runtime's descriptor, the earliest timer, `until`, or `input`. Answers whether `input` is readable.
    fn rest(&self, input: Option<BorrowedFd<'_>>, until: Option<Instant>) -> bool {
        let timer = self.timers.borrow().first().map(|(at, _)| *at);
        let deadline = [timer, until, self.local.next_deadline()]
            .into_iter()
            .flatten()
            .min();
        let timeout = deadline.map(|at| {
            let left = at.saturating_duration_since(Instant::now());
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: left.subsec_nanos().into(),
            }
        });
        let runtime = self.local.as_fd();
        let mut wanted = vec![PollFd::new(&runtime, PollFlags::IN)];
        if let Some(input) = &input {
            wanted.push(PollFd::new(input, PollFlags::IN));
        }
        // An error (a signal's, mostly) is as good as a wake-up: the caller looks again.
        let polled = poll(&mut wanted, timeout.as_ref()).is_ok();
        polled
            && wanted
                .get(1)
                .is_some_and(|input| !input.revents().is_empty())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Whatever is still under way is cancelled; its sockets close. Who has not finished is of no interest then.
        if let Some(workers) = self.workers.take() {
            let _ = workers.shutdown(Duration::ZERO);
        }
        self.events = None;
        self.local.run_until_idle();
    }
}

fn describe_panic(payload: &(dyn Any + Send)) -> String {
    let message = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    format!(
        "internal error: {}",
        message.unwrap_or("a panic without a message")
    )
}
