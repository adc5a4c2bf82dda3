//! Wake-ups from other threads: any thread pushes, the worker alone takes all at once.
//!
//! A Treiber stack of the signals themselves, linked through the waiting coroutines' stacks. Taking everything by one exchange has no
//! ABA problem; the order is turned round while it is walked, so that wake-ups are served first come, first served.
//!
//! Checked by the models of `tests/models/scheduler/wake.rs`.

use std::ptr;

use corun_context::raw::Context;

use super::signal::Signal;
use crate::primitive::atomic::{AtomicPtr, Ordering};

pub(crate) struct Inbox {
    newest: AtomicPtr<Signal>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            newest: AtomicPtr::new(ptr::null_mut()),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        // SeqCst: a worker that goes to sleep looks here after it has said so; see `sleepers.rs`.
        self.newest.load(Ordering::SeqCst).is_null()
    }

    /// # Safety
    /// The signal's coroutine must be parked, and the caller have won the right to wake it.
    pub(crate) unsafe fn push(&self, signal: *const Signal) {
        let signal = signal.cast_mut();
        let mut newest = self.newest.load(Ordering::Relaxed);
        loop {
            // SAFETY: a parked coroutine's signal is alive until its worker takes it from here.
            unsafe { (*signal).next.store(newest, Ordering::Relaxed) };
            match self.newest.compare_exchange_weak(
                newest,
                signal,
                Ordering::SeqCst,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => newest = now,
            }
        }
    }

    /// Hands the contexts of all that were woken to `each`, oldest first.
    pub(crate) fn drain(&self, mut each: impl FnMut(Context)) {
        if self.newest.load(Ordering::Relaxed).is_null() {
            return;
        }
        // Acquire pairs with the pushes.
        let mut newest = self.newest.swap(ptr::null_mut(), Ordering::Acquire);
        let mut oldest: *mut Signal = ptr::null_mut();
        while !newest.is_null() {
            // SAFETY: the signals in the stack belong to parked coroutines that only this worker continues, later.
            unsafe {
                let next = (*newest).next.load(Ordering::Relaxed);
                (*newest).next.store(oldest, Ordering::Relaxed);
                oldest = newest;
                newest = next;
            }
        }
        while !oldest.is_null() {
            // SAFETY: as above; `next` is read before the context is handed out.
            unsafe {
                let next = (*oldest).next.load(Ordering::Relaxed);
                if let Some(context) = (*oldest).take_context() {
                    each(context);
                }
                oldest = next;
            }
        }
    }
}
