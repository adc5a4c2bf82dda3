//! Where it is noted that callbacks run: see [`callback`](super::callback).

use std::cell::Cell;
use std::ptr;

use super::callback::Place;
use crate::scheduler::worker::Worker;

thread_local! {
    /// For what runs on the thread outside of coroutines.
    static OF_THREAD: Place = const { Cell::new(ptr::null()) };
}

/// The place of the calling coroutine or thread: there for as long as the caller is.
pub(super) fn place() -> *const Place {
    match Worker::current().and_then(Worker::control) {
        Some(control) => &raw const control.callbacks,
        None => OF_THREAD.with(ptr::from_ref),
    }
}
