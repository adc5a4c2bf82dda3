//! Parking, and how the worker's thread finds the wait of a coroutine that is parked.
//!
//! While a coroutine is parked, its block points to the signal that it waits on, in place of its control block: that is in the line of memory
//! that parking writes anyway, and the signal in turn knows the control block. With this a cancellation finds the wait, and the census the stack.

use std::ptr;
use std::sync::atomic::Ordering;

use corun_context::raw;

use super::shared::Seat;
use super::signal::Signal;
use super::worker::Worker;
use crate::cancel::levels;
use crate::coroutine::task::{Control, Header, PLACE_RUNNING, PLACE_SUSPENDED, TaskRef};
use crate::inspect::points;

/// What a coroutine's block says while it is parked: that it is, and on which signal. No other line of memory is touched for that.
struct Parked<'a> {
    header: &'a Header,
    control: *mut (),
}

/// Added to the address of a signal that may be interrupted.
pub(super) const OPEN: usize = 1;

impl<'a> Parked<'a> {
    #[inline(always)]
    fn begin(header: &'a Header, signal: &Signal, open: bool) -> Parked<'a> {
        points::suspended(TaskRef(header.into()));
        let control = header.next.load(Ordering::Relaxed);
        signal.control.set(control);
        let at = ptr::from_ref(signal)
            .cast_mut()
            .map_addr(|address| address | (usize::from(open) * OPEN));
        header.next.store(at.cast(), Ordering::Relaxed);
        header.place.store(PLACE_SUSPENDED, Ordering::Relaxed);
        Parked { header, control }
    }

    #[inline(always)]
    fn end(self) {
        self.header.next.store(self.control, Ordering::Relaxed);
        // Release: as in `begin`, since a reader may meet this store and not that one.
        self.header.place.store(PLACE_RUNNING, Ordering::Release);
    }
}

impl Worker {
    /// Suspends the running coroutine until somebody puts the context of `signal` on the run queue. With `open`, the wait may be cut short.
    #[inline(always)]
    pub(crate) fn park(&self, signal: &Signal, open: bool) {
        let me = self.seat.current.load(Ordering::Relaxed);
        // SAFETY: the running coroutine's task is alive.
        let parked = unsafe { Parked::begin(&*me, signal, open) };
        let (target, arg) = self.next(false);
        // SAFETY: `next` gives a suspended context of this worker; the signal lies on this stack.
        unsafe { raw::switch(signal.context.as_ptr(), target, arg) };
        self.resumed(me);
        parked.end();
    }

    /// Suspends the running coroutine and starts `task` in its place, before all others.
    ///
    /// It is not counted: in a loop of spawns and joins each second count would be here, where no turn of others can come, and with
    /// one parity these would be all those that give turns to others.
    #[inline(always)]
    pub(crate) fn park_and_start(&self, signal: &Signal, open: bool, task: TaskRef) {
        let me = self.seat.current.load(Ordering::Relaxed);
        let (target, arg) = self.launch(task).unwrap_or_else(|| {
            self.to_start.set(Some(task));
            (self.idle.get(), 0)
        });
        // SAFETY: as in `park`; the task was unstarted and out of every list.
        unsafe {
            let parked = Parked::begin(&*me, signal, open);
            raw::switch(signal.context.as_ptr(), target, arg);
            parked.end();
        }
        self.resumed(me);
    }

    /// Looks after a coroutine of this worker around which something was cancelled: wakes it if it is parked and can be.
    #[cold]
    pub(crate) fn nudge(&self, task: TaskRef) {
        let header = task.header();
        if task.ended().is_some()
            || !ptr::eq(
                header.prev.load(Ordering::Relaxed).cast::<Seat>(),
                self.seat,
            )
        {
            return;
        }
        if task.count_cancellation() {
            self.levels.update(|count| count + 1);
        }
        if header.place.load(Ordering::Relaxed) != PLACE_SUSPENDED {
            return;
        }
        let at = header.next.load(Ordering::Relaxed);
        if at.addr() & OPEN == 0 {
            return;
        }
        let signal = at.map_addr(|address| address & !OPEN).cast::<Signal>();
        // SAFETY: the coroutine is parked on this signal, and goes on when this thread switches to it, not before. Its control block lives
        // until it has ended.
        unsafe {
            let control = (*signal).control.get().cast::<Control>();
            if levels::is_cancelled(&(*control).innermost, task) {
                Signal::interrupt(signal);
            }
        }
    }

    /// A coroutine that was counted as cancelled is about to end.
    #[cold]
    pub(crate) fn uncount_cancellation() {
        if let Some(worker) = Worker::current() {
            worker.levels.update(|count| count - 1);
        }
    }
}
