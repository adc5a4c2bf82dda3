//! What a task runs.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::failure::c_string;
use crate::own;
use crate::promised::{Keeper, Refusal, Value, Why};
use crate::registers;
use crate::scheduler;
use crate::task::{Launch, Task, lock};
use crate::value::{Call, Destructor, Owned};

/// The user's function with its argument. Dropped without having run, it frees the argument and tells whoever waits.
pub(crate) struct Body {
    call: Call,
    argument: Option<Owned>,
    result_destructor: Destructor,
    keeper: Option<Keeper>,
    task: Arc<Task>,
}

impl Body {
    pub(crate) fn new(launch: Launch, keeper: Keeper, task: Arc<Task>) -> Body {
        Body {
            call: launch.call,
            argument: Some(launch.argument),
            result_destructor: launch.result_destructor,
            keeper: Some(keeper),
            task,
        }
    }

    pub(crate) fn run(mut self) {
        let argument = self.argument.take().unwrap_or_default().into_inner();
        own::enter(&self.task);
        let result = self.call.run(argument);
        own::leave();
        registers::reset(self.task.flags);
        let value = Value::new(result, self.result_destructor);
        let Some(keeper) = self.keeper.take() else {
            return;
        };
        let failure = lock(&self.task.failure).take();
        if let Some((code, message)) = failure {
            scheduler::count(scheduler::FAILED);
            keeper.reject(Box::new(Refusal {
                why: Why::Failed,
                code,
                message,
                value,
            }));
        } else if self.task.noticed.load(Ordering::Relaxed) && corun::check_cancelled().is_err() {
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

    /// Why it has not run, as far as can be told.
    fn why(&self) -> Why {
        let is_cancelled = self.task.cancelled.load(Ordering::SeqCst)
            || self
                .task
                .coroutine
                .get()
                .is_some_and(|coroutine| corun::__private::is_cancelled(coroutine.coroutine()));
        if is_cancelled {
            Why::Cancelled
        } else {
            Why::NotStarted
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        drop(self.argument.take());
        if let Some(keeper) = self.keeper.take() {
            refuse(keeper, self.why());
        }
    }
}

/// Tells that a task will never run.
pub(crate) fn refuse(keeper: Keeper, why: Why) {
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
