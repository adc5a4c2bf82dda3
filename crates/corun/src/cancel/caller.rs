//! Whoever has entered a level with a flag, for those who raise it.

use std::sync::Arc;

use super::nudge;
use super::thread_wait::{self, ThreadWait};
use crate::coroutine::Coroutine;
use crate::coroutine::task::TaskRef;
use crate::scheduler::worker::Worker;

/// A coroutine or plain thread that stays inside of some call for as long as this is used.
pub(crate) enum Caller {
    Coroutine(TaskRef),
    Thread(Arc<ThreadWait>),
}

// SAFETY: a task's header is made of atomics and what does not change; it is only used to tell its worker.
unsafe impl Sync for Caller {}

impl Caller {
    pub(crate) fn current() -> Caller {
        match Worker::current().and_then(Worker::running) {
            Some(task) => Caller::Coroutine(task),
            None => Caller::Thread(thread_wait::of_current()),
        }
    }

    /// Ends the wait that it is in, if that can be cut short and a level around it is over. To be called when the flag is raised.
    ///
    /// # Safety
    /// The coroutine has not ended.
    #[cold]
    pub(crate) unsafe fn interrupt(&self) {
        match self {
            Caller::Coroutine(task) => nudge::send(Coroutine::from_running(*task)),
            Caller::Thread(thread) => thread.interrupt(),
        }
    }
}
