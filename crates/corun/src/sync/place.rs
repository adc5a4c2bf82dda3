//! Telling the threads apart, for a load instead of a call.

use crate::platform::own;
use crate::scheduler::worker::Worker;

/// A number that no other living thread has, larger than 3 and even. A thread that has it from one that has ended comes after that one: whoever
/// gives memory out again sees to it. So to the locks the two are one thread.
///
/// A migratable coroutine counts as a thread of its own, with the address of its block for a number. So it can hold a lock while it changes threads.
#[inline(always)]
pub(super) fn thread() -> usize {
    own::place()
}

/// A number that no other living coroutine or thread has: whose code this is.
pub(super) fn caller() -> usize {
    match Worker::current().and_then(Worker::running) {
        Some(task) => task.0.as_ptr().addr(),
        None => thread(),
    }
}
