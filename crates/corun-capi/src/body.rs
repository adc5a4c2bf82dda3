//! What a task runs.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::failure::c_string;
use crate::own::Running;
use crate::promised::{Keeper, Refusal, Value, Why};
use crate::registers;
use crate::scheduler;
use crate::task::Task;
use crate::value::{Call, Destructor, Owned};

/// The user's function with its argument, and what its result is for. It lies in the task.
pub(crate) struct Work {
    pub(crate) call: Call,
    pub(crate) argument: Owned,
    pub(crate) result_destructor: Destructor,
    pub(crate) keeper: Keeper,
}

/// The right to a task's work, for its coroutine. Dropped without having run, it frees the argument and tells whoever waits.
pub(crate) struct Body(Arc<Task>);

impl Body {
    /// # Safety
    /// There is no other for this task, nor ever was.
    pub(crate) unsafe fn new(task: Arc<Task>) -> Body {
        Body(task)
    }

    pub(crate) fn run(self) {
        let task = &self.0;
        // SAFETY: this has the right to it.
        let Some(work) = (unsafe { task.take_work() }) else {
            return;
        };
        let keeper = work.keeper;
        let argument = work.argument.into_inner();
        let running = Running::enter(task);
        let result = work.call.run(argument);
        drop(running);
        registers::reset(task.flags);
        let value = Value::new(result, work.result_destructor);
        let failure = task.failure.take();
        if let Some((code, message)) = failure {
            scheduler::count(scheduler::FAILED);
            keeper.reject(Box::new(Refusal {
                why: Why::Failed,
                code,
                message,
                value,
            }));
        } else if task.noticed.load(Ordering::Relaxed) && corun::check_cancelled().is_err() {
            scheduler::count(scheduler::CANCELLED);
            keeper.reject(Box::new(Refusal {
                why: Why::Cancelled,
                code: 0,
                message: None,
                value,
            }));
        } else {
            scheduler::count(scheduler::COMPLETED);
            keeper.resolve(value);
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        // SAFETY: this has the right to it.
        unsafe { give_up(&self.0) };
    }
}

/// The task will not run, if it has not done so.
///
/// # Safety
/// The caller has the right to its work.
pub(crate) unsafe fn give_up(task: &Task) {
    // SAFETY: by the contract.
    if let Some(work) = unsafe { task.take_work() } {
        drop(work.argument);
        refuse(work.keeper, why(task));
    }
}

/// Why a task has not run, as far as can be told.
fn why(task: &Task) -> Why {
    let is_cancelled = task.cancelled.load(Ordering::SeqCst)
        || task
            .coroutine
            .get()
            .is_some_and(|coroutine| corun::__private::is_cancelled(coroutine.coroutine()));
    if is_cancelled {
        Why::Cancelled
    } else {
        Why::NotStarted
    }
}

/// Tells that a task will never run.
fn refuse(keeper: Keeper, why: Why) {
    let (kind, message) = match why {
        Why::Cancelled => (scheduler::CANCELLED, None),
        _ => (
            scheduler::FAILED,
            Some(c_string(
                "the task did not start: there was no stack for it, or its runtime has ended",
            )),
        ),
    };
    scheduler::count(kind);
    keeper.reject(Box::new(Refusal {
        why,
        code: 0,
        message,
        value: Value::new(ptr::null_mut(), None),
    }));
}
