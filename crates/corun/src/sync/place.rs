//! Telling the threads apart, for a load instead of a call.

use std::hint::black_box;

use crate::scheduler::migrant;
use crate::scheduler::worker::Worker;

thread_local! {
    /// Only its address matters.
    static PLACE: u64 = const { 0 };
}

/// A number that no other living thread has, larger than 0 and even. A thread that has it from one that has ended comes after that one: whoever
/// gives memory out again sees to it. So to the locks the two are one thread.
#[inline(always)]
pub(super) fn thread() -> usize {
    if migrant::exist() {
        return thread_anew();
    }
    PLACE.with(|place| std::ptr::from_ref(place).addr())
}

/// As `thread`, for a process with migratable coroutines. Each of them counts as a thread of its own, so that it can hold a lock while it changes threads; and
/// nobody may keep an address of this thread's for it.
#[inline(never)]
fn thread_anew() -> usize {
    match Worker::current().and_then(Worker::running) {
        Some(task) if task.is_migrant() => task.0.as_ptr().addr(),
        _ => black_box(PLACE.with(|place| std::ptr::from_ref(place).addr())),
    }
}

/// A number that no other living coroutine or thread has: whose code this is.
pub(super) fn caller() -> usize {
    match Worker::current().and_then(Worker::running) {
        Some(task) => task.0.as_ptr().addr(),
        None => thread(),
    }
}
