//! The executor: a run queue, and the loop that empties it.
//!
//! A round of it goes like this: interrupts that were noted wake who waits for them, timers that are due wake whose they are, and then each coroutine
//! that was ready when the round began runs until it waits. What becomes ready meanwhile runs in the next round. So neither events nor timers wait
//! longer than one round, however busy the queue is, and a loop of `yield_now` starves nobody.
//!
//! Everything here belongs to one processor and is not locked; the inbox alone is reached from elsewhere. No `RefCell` is borrowed while code of a
//! user's runs (closures, destructors, the machine), so none is ever found borrowed.
//!
//! A coroutine is suspended only by code on its own stack, which `current` checks. So there is one flow of control to each stack, and what
//! `shared.current` names is what runs.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::rc::{Rc, Weak};
use alloc::sync::Arc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use corun_context::stack::Stack;

use crate::inbox::{Inbox, Node};
use crate::join::{JoinHandle, Packet};
use crate::machine::Machine;
use crate::task::{Id, Task, Woken};
use crate::timers::Timers;
use crate::wait::WaitQueue;

/// Runs coroutines on the processor that it belongs to.
///
/// It is a handle: clones are the same executor. Coroutines capture a clone to wait by (`executor.sleep(..)`); a kernel may also keep one where each
/// processor finds its own. Processors have executors of their own, which talk through [`Notifier`](crate::Notifier)s.
///
/// When the last handle goes, coroutines that were never started are dropped; the stacks of those that have not ended are leaked, since
/// nothing can unwind them. Handles that coroutines have captured count: run an executor to its end.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # struct Host(std::time::Instant);
/// # impl corun_core::Machine for Host {
/// #     fn now(&self) -> Duration { self.0.elapsed() }
/// #     fn wait(&self, _: Option<Duration>, _: &dyn Fn() -> bool) { std::thread::yield_now() }
/// # }
/// # let machine = Host(std::time::Instant::now());
/// use corun_core::{Executor, HeapStack};
///
/// let executor = Executor::new(machine);
/// // SAFETY: 64 KiB are enough for what it does.
/// let stack = unsafe { HeapStack::new(64 * 1024) }.expect("there is memory");
/// let ticker = executor.spawn(stack, {
///     let executor = executor.clone();
///     move || {
///         let start = executor.now();
///         for _ in 0..3 {
///             executor.sleep(Duration::from_millis(1));
///         }
///         executor.now() - start
///     }
/// });
/// executor.run().unwrap();
/// assert!(ticker.join() >= Duration::from_millis(3));
/// ```
#[derive(Clone)]
pub struct Executor {
    shared: Rc<Shared>,
}

pub(crate) struct Shared {
    machine: Box<dyn Machine>,
    ready: RefCell<VecDeque<Rc<Task>>>,
    timers: RefCell<Timers>,
    inbox: Arc<Inbox>,
    /// Who waits for what the inbox tells of, by the address of the node.
    events: RefCell<BTreeMap<usize, Weak<WaitQueue>>>,
    current: RefCell<Option<Rc<Task>>>,
    running: Cell<bool>,
    spawned: Cell<u64>,
    unfinished: Cell<usize>,
}

impl Executor {
    /// An executor without coroutines, on a machine that tells it the time.
    pub fn new(machine: impl Machine + 'static) -> Executor {
        Executor {
            shared: Rc::new(Shared {
                machine: Box::new(machine),
                ready: RefCell::default(),
                timers: RefCell::default(),
                inbox: Arc::new(Inbox::new()),
                events: RefCell::default(),
                current: RefCell::new(None),
                running: Cell::new(false),
                spawned: Cell::new(0),
                unfinished: Cell::new(0),
            }),
        }
    }

    /// Makes a coroutine that runs `f` on `stack`, at the end of the run queue.
    ///
    /// # Panics
    /// If the stack has no room for the closure, which is moved there, and some 2 KiB more.
    pub fn spawn<S, T, F>(&self, stack: S, f: F) -> JoinHandle<T>
    where
        S: Stack + 'static,
        T: 'static,
        F: FnOnce() -> T + 'static,
    {
        let shared = &self.shared;
        let id = Id::new(shared.spawned.get() + 1);
        let packet = Rc::new(Packet::new(Rc::downgrade(shared)));
        let theirs = Rc::clone(&packet);
        let task = Task::new(id, stack, move || theirs.fill(f));
        shared.spawned.set(id.get());
        shared.unfinished.set(shared.unfinished.get() + 1);
        self.make_ready(task);
        JoinHandle::new(id, packet)
    }

    pub(crate) fn upgrade(shared: &Weak<Shared>) -> Option<Executor> {
        shared.upgrade().map(|shared| Executor { shared })
    }

    /// Lets every coroutine that is ready run before this one goes on.
    ///
    /// # Panics
    /// If it is called outside of the coroutines of this executor.
    pub fn yield_now(&self) {
        let task = self.current("yield_now");
        self.make_ready(Rc::clone(&task));
        self.suspend(&task);
    }

    /// Waits for so long, or a little longer.
    ///
    /// # Panics
    /// If it is called outside of the coroutines of this executor.
    pub fn sleep(&self, duration: Duration) {
        self.sleep_until(self.after(duration));
    }

    /// Waits until the clock of the machine shows `deadline`, or a little longer.
    ///
    /// # Panics
    /// If it is called outside of the coroutines of this executor.
    pub fn sleep_until(&self, deadline: Duration) {
        let task = self.current("sleep");
        task.prepare_to_wait();
        self.wait(&task, Some(deadline));
    }

    /// The present moment by the clock of the machine.
    pub fn now(&self) -> Duration {
        self.shared.machine.now()
    }

    /// The moment after so long, or the last that there is.
    pub(crate) fn after(&self, duration: Duration) -> Duration {
        self.now().saturating_add(duration)
    }

    /// The coroutine that this is called in, or `None` outside of the coroutines of this executor.
    pub fn current_id(&self) -> Option<Id> {
        self.shared.current.borrow().as_ref().map(|task| task.id())
    }

    /// How many coroutines have not ended.
    pub fn unfinished(&self) -> usize {
        self.shared.unfinished.get()
    }

    /// When the next timer is due, for a host that waits by itself between calls of [`run_until_idle`](Self::run_until_idle).
    pub fn next_deadline(&self) -> Option<Duration> {
        self.shared.timers.borrow().next()
    }

    /// Runs until every coroutine has ended. While all wait, the machine does.
    ///
    /// # Errors
    /// If coroutines are left that nothing can wake: none is ready, no timer is set, and there is no [`Event`](crate::Event) that could happen.
    ///
    /// # Panics
    /// As [`run_until_idle`](Self::run_until_idle).
    pub fn run(&self) -> Result<(), Deadlock> {
        let shared = &self.shared;
        loop {
            self.run_until_idle();
            let waiting = shared.unfinished.get();
            if waiting == 0 {
                return Ok(());
            }
            let deadline = self.next_deadline();
            if deadline.is_none() && shared.events.borrow().is_empty() {
                return Err(Deadlock { waiting });
            }
            shared.machine.wait(deadline, &|| !shared.inbox.is_empty());
        }
    }

    /// Runs until every coroutine waits for a timer, for an event or for ever, and does not wait itself.
    ///
    /// # Panics
    /// If a coroutine calls this; if one has overflowed its stack; and where panics unwind (not in a kernel), with the panic of a coroutine, after
    /// which it may be called again.
    pub fn run_until_idle(&self) {
        while self.turn() {}
    }

    /// Runs each coroutine that is ready once, and returns whether any is ready again: for a host that has other things to do in between.
    ///
    /// # Panics
    /// As [`run_until_idle`](Self::run_until_idle).
    pub fn turn(&self) -> bool {
        let shared = &self.shared;
        assert!(
            !shared.running.replace(true),
            "an executor was run by one of its own coroutines"
        );
        let _running = Running(shared);
        shared.inbox.take(|node| self.happened(node));
        self.fire_timers();
        let ready = shared.ready.borrow().len();
        for _ in 0..ready {
            let Some(task) = shared.ready.borrow_mut().pop_front() else {
                break;
            };
            let _current = Current::set(shared, &task);
            task.resume();
        }
        !shared.ready.borrow().is_empty() || !shared.inbox.is_empty()
    }

    fn fire_timers(&self) {
        if self.shared.timers.borrow().next().is_none() {
            return;
        }
        let now = self.now();
        loop {
            let due = self.shared.timers.borrow_mut().pop_due(now);
            let Some(task) = due else { break };
            self.wake(&task, Woken::TimedOut);
        }
    }

    fn happened(&self, node: &Arc<Node>) {
        let address = Arc::as_ptr(node).addr();
        let queue = self.shared.events.borrow().get(&address).cloned();
        if let Some(queue) = queue.and_then(|queue| queue.upgrade()) {
            queue.notify_one();
        }
    }

    /// Registers who waits for an event, until [`remove_event`](Self::remove_event).
    pub(crate) fn add_event(&self, queue: &Rc<WaitQueue>) -> Arc<Node> {
        let node = Arc::new(Node::new(Arc::clone(&self.shared.inbox)));
        let address = Arc::as_ptr(&node).addr();
        self.shared
            .events
            .borrow_mut()
            .insert(address, Rc::downgrade(queue));
        node
    }

    pub(crate) fn remove_event(&self, node: &Arc<Node>) {
        let address = Arc::as_ptr(node).addr();
        self.shared.events.borrow_mut().remove(&address);
    }

    /// The coroutine that this is called in.
    ///
    /// # Panics
    /// If there is none, or the caller stands on the stack of another one that it has resumed: a generator, or a coroutine of an inner executor.
    /// Who else resumed that one would find it half-way through, and the inner executor would take it for its current one.
    pub(crate) fn current(&self, operation: &str) -> Rc<Task> {
        match &*self.shared.current.borrow() {
            Some(task) if task.is_running() => Rc::clone(task),
            Some(_) => panic!("{operation} was called on the stack of an inner coroutine"),
            None => panic!("{operation} was called outside of the coroutines of its executor"),
        }
    }

    /// Suspends the current coroutine, which has called `prepare_to_wait` and is where others find it, until it is woken or the time has come.
    pub(crate) fn wait(&self, task: &Rc<Task>, deadline: Option<Duration>) -> Woken {
        let timers = &self.shared.timers;
        let timer = deadline.map(|moment| timers.borrow_mut().set(moment, Rc::clone(task)));
        self.suspend(task);
        let woken = task.woken().expect("nobody runs before he is woken");
        if let (Some(timer), Woken::Notified) = (timer, woken) {
            timers.borrow_mut().take_back(timer);
        }
        woken
    }

    /// Returns false if the task was woken already since it began to wait.
    pub(crate) fn wake(&self, task: &Rc<Task>, why: Woken) -> bool {
        let first = task.set_woken(why);
        if first {
            self.make_ready(Rc::clone(task));
        }
        first
    }

    fn make_ready(&self, task: Rc<Task>) {
        self.shared.ready.borrow_mut().push_back(task);
    }

    fn suspend(&self, task: &Rc<Task>) {
        debug_assert_eq!(self.current_id(), Some(task.id()));
        // SAFETY: the task comes from `current`, and nothing has been run since.
        unsafe { task.suspend() }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.inbox.close();
    }
}

/// Ends the run also if it ends by a panic.
struct Running<'a>(&'a Shared);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.set(false);
    }
}

/// The time in which a coroutine is the current one.
struct Current<'a>(&'a Shared);

impl Current<'_> {
    fn set<'a>(shared: &'a Shared, task: &Rc<Task>) -> Current<'a> {
        *shared.current.borrow_mut() = Some(Rc::clone(task));
        Current(shared)
    }
}

impl Drop for Current<'_> {
    fn drop(&mut self) {
        // It may be the last handle, and free the stack with whatever its owner does then.
        let task = self.0.current.borrow_mut().take();
        if task.is_some_and(|task| task.is_over()) {
            self.0.unfinished.set(self.0.unfinished.get() - 1);
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("unfinished", &self.unfinished())
            .field("next_deadline", &self.next_deadline())
            .finish_non_exhaustive()
    }
}

/// Coroutines are left that wait for each other or for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlock {
    waiting: usize,
}

impl Deadlock {
    /// How many there are.
    pub fn waiting(&self) -> usize {
        self.waiting
    }
}

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.waiting;
        write!(
            f,
            "{waiting} coroutines wait, and nothing is left that could wake them"
        )
    }
}

impl core::error::Error for Deadlock {}
