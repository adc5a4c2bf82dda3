//! The root of each coroutine's stack.
//!
//! A stack takes one coroutine after the other, without a switch in between, for as long as the next one to run has not started and wants a stack of this size.
//! The control block at its top is furnished anew for each.

use std::cell::Cell;
use std::ptr;

use corun_context::raw::{self, Context};

use super::stacks::Pooled;
use super::worker::{Next, Worker};
use crate::cancel::Cancelled;
use crate::coroutine::local_map::LocalMap;
use crate::coroutine::task::{Control, TaskRef};

#[inline(always)]
pub(super) fn control_block(task: TaskRef, stack: Option<Pooled>) -> Control {
    Control {
        task: Cell::new(Some(task)),
        stack: Cell::new(stack),
        locals: LocalMap::new(),
        innermost: Cell::new(ptr::null()),
        callbacks: Cell::new(ptr::null()),
    }
}

/// Puts the control block at the top of a stack, and below it a context that runs `task`.
///
/// # Safety
/// The stack must be unused, and the context be continued with the returned argument.
#[inline(always)]
pub(super) unsafe fn furnish(stack: Pooled, task: TaskRef) -> (Context, usize) {
    // SAFETY: the stack's top is 16-aligned, as is the size of a control block, and a stack is far larger than both
    // the block and what `prepare` writes.
    unsafe {
        let control = stack.top().cast::<Control>().sub(1);
        control.write(control_block(task, Some(stack)));
        (
            raw::prepare(control.cast(), entry),
            control.expose_provenance(),
        )
    }
}

/// The root of each coroutine's stack: runs coroutines, one after the other, until something else is to be continued.
unsafe extern "C" fn entry(control: usize) -> ! {
    // SAFETY: `furnish` passes the address of the control block, which stays until the stack is given up below.
    let control = unsafe { &*ptr::with_exposed_provenance::<Control>(control) };
    let stack = control.stack.take();
    let default_size = stack.as_ref().is_some_and(Pooled::is_default);
    let context = loop {
        let (Some(worker), Some(task)) = (Worker::current(), control.task.get()) else {
            unreachable!("a coroutine starts on a worker, with its task");
        };
        let cancelled = worker.begin(task, control);
        worker.shared.count_live(1);
        // SAFETY: the task was unstarted and taken out of its list by whoever furnished this stack or `after_end`.
        unsafe {
            if cancelled {
                task.fail(Box::new(Cancelled::default()));
            } else {
                task.run(control);
            }
        }
        let Some(worker) = Worker::current() else {
            // The child of a fork: this coroutine went on as the only thread, and has ended.
            std::process::exit(0);
        };
        worker.shared.count_live(usize::MAX);
        match worker.after_end(default_size) {
            Next::Start(task) => {
                control.locals.reopen();
                control.innermost.set(ptr::null());
                control.task.set(Some(task));
            }
            Next::Continue(context) => break context,
        }
    };
    control.task.set(None);
    if let (Some(worker), Some(stack)) = (Worker::current(), stack) {
        // SAFETY: only this thread uses the pool; the stack stays mapped there, and nobody takes it before the switch is over.
        unsafe { (*worker.stacks.get()).put(stack) };
    }
    // SAFETY: the context is suspended and this worker's; nothing of this stack is used again, as its frames own nothing.
    unsafe { raw::switch_final(context, 0) }
}
