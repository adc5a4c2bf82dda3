//! A stand-in for the worker: a thread that runs one coroutine, which is the thread's own code. To park it is to do what the idle context
//! does until the inbox, or the thread itself, has continued it.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::time::Instant;

use crate::checker::sync::Mutex;
use crate::checker::thread::{self, Thread};
use corun_context::raw::Context;

use super::inbox::Inbox;
use super::migrant::Wish;
use super::signal::Signal;
use super::sleepers::{Bed, Sleepers};
use crate::coroutine::Coroutine;
use crate::coroutine::task::TaskRef;
use crate::primitive::atomic::{AtomicU32, Ordering};

crate::checker::thread_local! {
    /// The migratable coroutine that the thread runs.
    static RUNNING: Cell<Option<TaskRef>> = Cell::new(None);
}

/// What `leave` unwinds with.
struct Left;

/// Runs `f` as the migratable coroutine. `None` if it has switched away.
pub fn as_migrant<T>(task: TaskRef, f: impl FnOnce() -> T) -> Option<T> {
    RUNNING.with(|running| running.set(Some(task)));
    let result = catch_unwind(AssertUnwindSafe(f));
    RUNNING.with(|running| running.set(None));
    match result {
        Ok(value) => Some(value),
        Err(payload) if payload.is::<Left>() => None,
        Err(payload) => resume_unwind(payload),
    }
}

crate::checker::thread_local! {
    static CURRENT: Cell<*const Worker> = Cell::new(ptr::null());
}

pub struct Worker {
    shared: *const Shared,
    continued: Cell<Option<Context>>,
    /// The next open wait is cut short as soon as the worker looks around.
    interrupts: Cell<bool>,
}

/// What a started coroutine's block leads to.
pub struct Seat {
    pub nudges: Nudges,
}

pub struct Nudges(AtomicU32);

impl Seat {
    pub fn new() -> Seat {
        Seat {
            nudges: Nudges(AtomicU32::new(0)),
        }
    }
}

impl Nudges {
    pub fn post(&self, _: Coroutine) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn are_posted(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

pub struct Shared {
    inbox: Inbox,
    bed: Bed,
    sleepers: Sleepers,
    thread: Mutex<Option<Thread>>,
    timers: Mutex<Vec<*const Signal>>,
    /// The async tasks that are ready.
    line: Mutex<Vec<TaskRef>>,
}

// SAFETY: as for the real one.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

#[derive(Clone, Copy)]
pub struct TimerId;

/// What a switch away saves: a word that names the place it was saved to.
fn context(save: *mut Context) -> Context {
    // SAFETY: a context is one word, and this one is only compared.
    unsafe { std::mem::transmute::<usize, Context>(save.addr()) }
}

impl Worker {
    /// Makes the calling thread the worker while `f` runs as its coroutine.
    pub fn run(shared: &Shared, f: impl FnOnce()) {
        Worker::run_as(shared, false, f);
    }

    /// As `run`, with the first open wait cut short.
    pub fn run_interrupting(shared: &Shared, f: impl FnOnce()) {
        Worker::run_as(shared, true, f);
    }

    fn run_as(shared: &Shared, interrupts: bool, f: impl FnOnce()) {
        *shared.thread.lock().unwrap() = Some(thread::current());
        let worker = Worker {
            shared,
            continued: Cell::new(None),
            interrupts: Cell::new(interrupts),
        };
        CURRENT.with(|current| current.set(&raw const worker));
        f();
        CURRENT.with(|current| current.set(ptr::null()));
    }

    pub fn current() -> Option<&'static Worker> {
        Worker::suspendable()
    }

    pub fn seat(&self) -> &'static Seat {
        unreachable!("no model cancels from a worker");
    }

    pub fn nudge(&self, _: TaskRef) {}

    pub fn uncount_cancellation() {}

    pub fn suspendable() -> Option<&'static Worker> {
        // SAFETY: set while `run` keeps the worker.
        unsafe { CURRENT.with(Cell::get).as_ref() }
    }

    pub fn assert_may_suspend(&self) {}

    /// The worker, in code that `as_migrant` runs.
    pub fn of_migrant() -> Option<&'static Worker> {
        struct Any(Worker);
        // SAFETY: nothing in it is used.
        unsafe impl Sync for Any {}
        static ANY: Any = Any(Worker {
            shared: ptr::null(),
            continued: Cell::new(None),
            interrupts: Cell::new(false),
        });
        RUNNING.with(Cell::get).map(|_| &ANY.0)
    }

    pub fn running(&self) -> Option<TaskRef> {
        RUNNING.with(Cell::get)
    }

    /// The stand-in for the switch away from a migratable coroutine: unwinds to `as_migrant`. The part of the wait that comes after the
    /// switch is for the model to do, when the coroutine is polled again.
    pub fn leave(wish: Wish) {
        assert_eq!(wish, Wish::Wait);
        resume_unwind(Box::new(Left));
    }

    pub fn shared_of_migrant() -> *const Shared {
        unreachable!("no model has a migratable coroutine that waits with a deadline");
    }

    pub fn leave_seat(_: TaskRef) {}

    pub fn shared(&self) -> &Shared {
        // SAFETY: the model keeps it.
        unsafe { &*self.shared }
    }

    pub fn park(&self, signal: &Signal, open: bool) {
        let shared = self.shared();
        let save = signal.context.as_ptr();
        // SAFETY: the caller's signal.
        unsafe { save.write(context(save)) };
        loop {
            shared.inbox.drain(|context| {
                assert_ne!(context, Context::NONE, "read before the switch");
                self.continued.set(Some(context));
            });
            if open && self.interrupts.take() && self.continued.get().is_none() {
                // SAFETY: the coroutine is parked on it.
                unsafe { Signal::interrupt(signal) };
            }
            if let Some(continued) = self.continued.take() {
                assert_eq!(continued, context(save));
                return;
            }
            shared.sleepers.lie_down(&shared.bed);
            if shared.inbox.is_empty() {
                thread::park();
            }
            shared.sleepers.get_up(&shared.bed);
        }
    }

    pub fn park_and_start(&self, _: &Signal, _: bool, _: TaskRef) {
        unreachable!("no model starts coroutines");
    }
}

impl Shared {
    pub fn new() -> Shared {
        Shared {
            inbox: Inbox::new(),
            bed: Bed::new(),
            sleepers: Sleepers::new(),
            thread: Mutex::new(None),
            timers: Mutex::new(Vec::new()),
            line: Mutex::new(Vec::new()),
        }
    }

    /// Nobody stands in line twice.
    pub fn line_up(&self, task: TaskRef) {
        let mut line = self.line.lock().unwrap();
        assert!(!line.contains(&task), "it is in line already");
        line.push(task);
    }

    /// Polls the first async task in line.
    pub fn poll_one(&self) -> bool {
        let first = {
            let mut line = self.line.lock().unwrap();
            (!line.is_empty()).then(|| line.remove(0))
        };
        // SAFETY: it was taken out of its line; there are no seats here.
        first.map(|task| unsafe { task.poll() }).is_some()
    }

    pub fn is_here(this: *const Shared) -> bool {
        Worker::suspendable().is_some_and(|worker| ptr::eq(worker.shared, this))
    }

    /// # Safety
    /// As for the real one.
    pub unsafe fn schedule(this: *const Shared, signal: *const Signal) {
        // SAFETY: by the contract; the model keeps the worker's shared part.
        unsafe {
            let shared = &*this;
            if Shared::is_here(this) {
                if let Some(context) = (*signal).take_context() {
                    Worker::suspendable().unwrap().continued.set(Some(context));
                }
                return;
            }
            shared.inbox.push(signal);
            if shared.sleepers.rouse_if_asleep(&shared.bed) {
                let thread = shared.thread.lock().unwrap().clone();
                thread.unwrap().unpark();
            }
        }
    }

    /// # Safety
    /// As for the real one.
    pub unsafe fn hand_back(signal: *const Signal) {
        // SAFETY: a parked coroutine's signal.
        let context = unsafe { (*signal).context.get() };
        Worker::suspendable().unwrap().continued.set(Some(context));
    }

    pub fn insert_timer(&self, _: Instant, signal: &Signal) -> TimerId {
        self.timers.lock().unwrap().push(signal);
        TimerId
    }

    pub fn disarm_for_task(&self, timer: TimerId, signal: &Signal) {
        self.cancel_timer(timer, signal);
    }

    pub fn cancel_timer(&self, _: TimerId, signal: &Signal) {
        self.timers
            .lock()
            .unwrap()
            .retain(|&armed| !ptr::eq(armed, signal));
    }

    /// What the watch thread does for a stalled worker when all timers are due.
    pub fn fire(&self) -> usize {
        let mut timers = self.timers.lock().unwrap();
        // SAFETY: an armed timer's signal is alive, under the lock.
        timers
            .drain(..)
            .filter(|&signal| unsafe { Signal::expire(signal) })
            .count()
    }
}
