//! Waiting until somebody says so.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::RefCell;
use core::fmt;
use core::time::Duration;

use crate::executor::Executor;
use crate::task::{Task, Woken};

/// Coroutines that wait until another one calls them up, in the order in which they came: what locks, conditions and the like are made of.
///
/// Since coroutines of an executor run one at a time and are switched only where they wait, a condition needs no lock around it:
/// ```
/// # use corun_core::{Executor, HeapStack, WaitQueue};
/// # struct Still;
/// # impl corun_core::Machine for Still {
/// #     fn now(&self) -> core::time::Duration { core::time::Duration::ZERO }
/// #     fn wait(&self, _: Option<core::time::Duration>, _: &dyn Fn() -> bool) {}
/// # }
/// # let executor = Executor::new(Still);
/// # // SAFETY: enough for what they do.
/// # let stack = || unsafe { HeapStack::new(64 * 1024) }.unwrap();
/// use std::{cell::Cell, rc::Rc};
///
/// let shared = Rc::new((Cell::new(false), WaitQueue::new(&executor)));
/// let theirs = shared.clone();
/// let waiter = executor.spawn(stack(), move || {
///     let (is_open, queue) = &*theirs;
///     while !is_open.get() {
///         queue.wait();
///     }
/// });
/// executor.spawn(stack(), move || {
///     shared.0.set(true);
///     shared.1.notify_all();
/// });
/// executor.run().unwrap();
/// assert!(waiter.is_finished());
/// ```
pub struct WaitQueue {
    executor: Executor,
    line: Line,
}

/// The line itself, which does not keep the executor alive.
#[derive(Default)]
pub(crate) struct Line {
    waiting: RefCell<VecDeque<Rc<Task>>>,
}

impl WaitQueue {
    /// A queue with nobody in it, for the coroutines of this executor.
    pub fn new(executor: &Executor) -> WaitQueue {
        WaitQueue {
            executor: executor.clone(),
            line: Line::default(),
        }
    }

    /// Waits until this coroutine is called up.
    ///
    /// # Panics
    /// If it is called outside of the coroutines of the executor.
    pub fn wait(&self) {
        self.wait_until(None);
    }

    /// Waits until this coroutine is called up, but no longer than so long. Returns whether it was.
    ///
    /// # Panics
    /// If it is called outside of the coroutines of the executor.
    pub fn wait_timeout(&self, duration: Duration) -> bool {
        self.wait_until(Some(self.executor.after(duration)))
    }

    pub(crate) fn wait_until(&self, deadline: Option<Duration>) -> bool {
        self.line.wait(&self.executor, deadline)
    }

    /// Calls up the coroutine that has waited longest. Returns whether there was one.
    pub fn notify_one(&self) -> bool {
        self.line.notify_one(&self.executor)
    }

    /// Calls up all who wait, and returns how many there were.
    pub fn notify_all(&self) -> usize {
        self.line.notify_all(&self.executor)
    }

    pub(crate) fn executor(&self) -> &Executor {
        &self.executor
    }
}

impl Line {
    /// Returns whether the current coroutine was called up before the deadline.
    pub(crate) fn wait(&self, executor: &Executor, deadline: Option<Duration>) -> bool {
        let task = executor.current("wait");
        task.prepare_to_wait();
        self.waiting.borrow_mut().push_back(Rc::clone(&task));
        let woken = executor.wait(&task, deadline);
        if woken == Woken::TimedOut {
            let mut waiting = self.waiting.borrow_mut();
            waiting.retain(|other| !Rc::ptr_eq(other, &task));
        }
        woken == Woken::Notified
    }

    fn notify_one(&self, executor: &Executor) -> bool {
        loop {
            let first = self.waiting.borrow_mut().pop_front();
            match first {
                Some(task) if executor.wake(&task, Woken::Notified) => return true,
                // Whose time is up, and who only has not run since, does not count.
                Some(_) => (),
                None => return false,
            }
        }
    }

    pub(crate) fn notify_all(&self, executor: &Executor) -> usize {
        core::iter::from_fn(|| self.notify_one(executor).then_some(())).count()
    }
}

impl fmt::Debug for WaitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitQueue")
            .field("waiting", &self.line.waiting.borrow().len())
            .finish()
    }
}
