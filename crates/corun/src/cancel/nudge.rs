//! How a coroutine learns that something around it was cancelled.
//!
//! # Protocol
//! - What was cancelled is marked first: a flag in the token, or in the coroutine's own block. Then the coroutine is nudged. It is pinned to its
//!   worker, so the nudge goes to that worker's thread, which handles it while no coroutine runs there, or while another one does.
//!   So nothing can happen at the same time: the coroutine is parked, or waits for its turn.
//! - Parked in an open wait, and if something that it can see was cancelled, it is put on the run queue. If it waits for its turn it
//!   finds the mark when it next begins to wait.
//! - A migratable coroutine has no worker of its own. How its wait is found says `scheduler/migrant.rs`.
//! - A coroutine that has not started cannot be nudged. Who starts it looks for the mark; so does, after it was set, whoever has set it look
//!   whether the coroutine has started. The fences between the two (`platform/fences.rs`) see to it that one of them finds the other.
//!
//! Rejected: to publish the signal of each wait for the canceller to find (an atomic exchange or two per wait, for what hardly ever happens).

use std::ptr;
use std::sync::atomic::Ordering;

use crate::coroutine::Coroutine;
use crate::coroutine::task::TaskRef;
use crate::platform::fences;
use crate::scheduler::shared::Seat;
use crate::scheduler::worker::Worker;

/// Cancels a coroutine as a whole: it unwinds to its end, or does not begin.
pub(crate) fn cancel(task: TaskRef) {
    if !task.mark_cancelled() {
        return;
    }
    if let Some(migrant) = task.migrant() {
        // One that has not started finds the mark when it does.
        return migrant.nudge(task);
    }
    if !task.has_started() {
        // Pairs with the light fence of `Worker::begin`.
        fences::heavy();
        if !task.has_started() {
            return;
        }
    }
    send(Coroutine::from_running(task));
}

/// Nudges a coroutine that has started.
pub(super) fn send(coroutine: Coroutine) {
    let task = coroutine.task();
    if let Some(migrant) = task.migrant() {
        return migrant.nudge(task);
    }
    // An async task does not wait in a level, and has no worker of its own.
    if task.is_guest() || task.ended().is_some() {
        return;
    }
    let seat = task.header().prev.load(Ordering::Relaxed).cast::<Seat>();
    // SAFETY: a started coroutine's `prev` is its worker's seat, and seats live for ever.
    let seat: &'static Seat = unsafe { &*seat };
    match Worker::current() {
        Some(worker) if ptr::eq(worker.seat(), seat) => worker.nudge(task),
        _ => seat.nudges.post(coroutine),
    }
}
