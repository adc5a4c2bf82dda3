//! What a wait has to know of the levels that it is in: [`Limit`].
//!
//! # Protocol
//! - A wait asks for a [`Limit`] before it publishes anything, and waits by `Limit::wait`. If that returns false the node is in no list, nothing
//!   was handed over, and the wait calls `Limit::expired`: that unwinds if a level is over, and returns if the caller's own deadline was it.
//! - Deadlines of levels go to the timer with the caller's own. A cancellation wakes the parked coroutine out of an *open* wait
//!   (`nudge.rs`); if it has come before the wait, the wait does not begin.
//! - A wait that begins while the thread is panicking is not limited: to unwind out of a destructor that waits would end the process.
//!   (`thread::panicking` counts for the thread. While one coroutine waits in a destructor during a panic, waits of others that begin then are
//!   not limited either. The alternative is to end the process if the guess is wrong. Waits that have begun before are limited, as a
//!   coroutine cannot begin to panic while it waits.)
//! - An operation that has succeeded, or need not wait, never unwinds: no value is lost.
//!
//! With `panic = "abort"` nothing can unwind. There a limit knows the caller's own deadline only, except for I/O, which has an error to
//! return.
//!
//! Rejected: a timer for each `timeout`, which marks it and wakes the coroutine (an entry in the heap even when nothing waits, and a
//! race between the mark and the wait); to unwind from a level's own check after the operation (values would be lost).
//!
//! Tests: `tests/time/timeout_*.rs`, `tests/time_timeout_unwinding.rs`, `tests/cancel/`.

use std::cell::Cell;
use std::io;
use std::thread;
use std::time::Instant;

use super::levels::Surroundings;
use super::thread_wait;
use crate::platform;
use crate::reactor::{BorrowedDescriptor, Direction};
use crate::scheduler::signal::Signal;
use crate::time::Elapsed;

/// Without unwinding there is no way out of a wait that cannot return an error.
const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// Until when the caller may wait, and what else may end its wait.
pub(crate) struct Limit {
    deadline: Option<Instant>,
    /// A cancellation may end the wait: it is no destructor's, say.
    open: bool,
    /// The caller may have been cancelled: it is inside of something, or an earlier wait within this limit was cut short.
    look: Cell<bool>,
    /// A plain thread waits, inside of some level.
    of_thread: bool,
}

impl Limit {
    /// The earlier of the caller's own deadline and those of the levels that it is in.
    #[inline]
    pub(crate) fn new(own: Option<Instant>) -> Limit {
        if CAN_UNWIND {
            Limit::for_io(own)
        } else {
            Limit::masked(own)
        }
    }

    /// As `new`, for an operation that can return an error where nothing can unwind.
    #[inline]
    pub(crate) fn for_io(own: Option<Instant>) -> Limit {
        if thread::panicking() {
            return Limit::masked(own);
        }
        match Surroundings::of_caller() {
            None => Limit {
                open: true,
                ..Limit::masked(own)
            },
            Some(around) => Limit {
                deadline: [own, around.earliest()].into_iter().flatten().min(),
                open: true,
                look: Cell::new(true),
                of_thread: around.is_thread(),
            },
        }
    }

    /// For a wait that nothing but its own deadline may cut short.
    #[inline]
    pub(crate) fn masked(own: Option<Instant>) -> Limit {
        Limit {
            deadline: own,
            open: false,
            look: Cell::new(false),
            of_thread: false,
        }
    }

    /// When the wait ends at the latest.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// A signal for a wait that ends by one notification, by whoever takes the node out of the one list that it is in; or else by this limit.
    ///
    /// # Panics
    /// Inside `no_suspend`.
    #[inline(always)]
    pub(crate) fn signal(&self) -> Signal {
        // Only a timer would contend.
        match self.deadline {
            None => Signal::sole(),
            Some(_) => Signal::new(),
        }
    }

    /// Waits for the notification; returns whether it came. If the wait ends before, `withdraw` takes the node out of its list, under the list's
    /// lock, and says whether it was still there: if not, somebody has decided to notify it.
    #[inline(always)]
    pub(crate) fn wait(&self, signal: &Signal, withdraw: impl FnOnce() -> bool) -> bool {
        self.wait_for(signal) || self.end_early(signal, withdraw)
    }

    #[cold]
    #[inline(never)]
    fn end_early(&self, signal: &Signal, withdraw: impl FnOnce() -> bool) -> bool {
        self.look.set(true);
        !withdraw() && signal.settle()
    }

    #[inline(always)]
    fn wait_for(&self, signal: &Signal) -> bool {
        if self.is_over() {
            return signal.decline();
        }
        if self.of_thread {
            return thread_wait::wait(signal, self.deadline);
        }
        signal.wait_within(self.deadline, self.open)
    }

    /// Waits on a plain thread until one of the descriptors may be ready; returns false if the wait ends before.
    ///
    /// # Errors
    /// Those of `poll(2)`; and if there is no descriptor left for what may cut the wait short.
    #[cold]
    pub(crate) fn poll(
        &self,
        descriptors: &[BorrowedDescriptor<'_>],
        direction: Direction,
    ) -> io::Result<bool> {
        if self.is_over() {
            return Ok(false);
        }
        if self.of_thread {
            return thread_wait::poll(descriptors, direction, self.deadline);
        }
        platform::poll::wait(descriptors, direction, self.deadline, None)
    }

    /// Waits where nobody notifies.
    pub(crate) fn sleep(&self) {
        self.wait_for(&Signal::new());
    }

    /// As `sleep`, but no longer than until `time`.
    pub(crate) fn sleep_until(&self, time: Instant) {
        let deadline = self.deadline.map_or(time, |deadline| deadline.min(time));
        Limit {
            deadline: Some(deadline),
            look: self.look.clone(),
            ..*self
        }
        .sleep();
    }

    /// May the caller be cancelled?
    #[inline(always)]
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Was it?
    #[inline(always)]
    pub(crate) fn is_over(&self) -> bool {
        self.open
            && self.look.get()
            && Surroundings::of_caller().is_some_and(|around| around.is_cancelled())
    }

    /// To be called when the wait has ended without a notification, the node is in no list and nothing was handed over: unwinds if a level is
    /// over, returns if it was the caller's own deadline.
    #[inline]
    pub(crate) fn expired(&self) {
        if self.open
            && CAN_UNWIND
            && let Some(around) = Surroundings::of_caller()
        {
            around.leave_what_is_over();
        }
    }

    /// As `expired`, for I/O.
    ///
    /// # Errors
    /// Where nothing can unwind, in its stead.
    #[inline]
    pub(crate) fn expired_io(&self) -> io::Result<()> {
        if !CAN_UNWIND && self.open {
            return self.expired_without_unwinding();
        }
        self.expired();
        Ok(())
    }

    #[cold]
    fn expired_without_unwinding(&self) -> io::Result<()> {
        let Some(around) = Surroundings::of_caller() else {
            return Ok(());
        };
        if around.is_cancelled() {
            return around.check().map_err(io::Error::from);
        }
        match around.earliest() {
            Some(deadline) if deadline <= crate::time::now() => Err(Elapsed::new().into()),
            _ => Ok(()),
        }
    }

    /// Unwinds if a level is over. For what has nothing to wait for, but should not go on for ever.
    #[inline]
    pub(crate) fn check() {
        if CAN_UNWIND
            && let Some(around) = Surroundings::of_caller()
            && !thread::panicking()
        {
            around.leave_what_is_over();
        }
    }
}
