//! Scopes with a deadline ([`timeout`](super::timeout)), and what a wait has to know of them: [`Limit`].
//!
//! # Protocol
//! - A [`CancelScope`] lies on the stack of `timeout`. The innermost one is linked from the control block of its coroutine, or from a
//!   thread local of a plain thread, the others from the next inner one. Nobody but the coroutine itself ever looks at them.
//! - A wait asks for a [`Limit`] before it publishes anything. It passes `Limit::deadline`, the earlier of its own deadline and those of
//!   all scopes, to its signal. If that comes first, it takes its node out of its list, sees to it that nothing was handed over, and
//!   calls `Limit::expired`. If the deadline was a scope's, that unwinds to the *outermost* scope whose time is up.
//! - The payload carries the number of the scope that it is for. The scope takes it, and gives everything else on. So code in between
//!   that catches panics delays it until the next wait, which unwinds again: the scope is still there, and its time is still up.
//! - A wait that begins while the thread is panicking is not limited: to unwind out of a destructor that waits would end the process.
//!   (`thread::panicking` counts for the thread. While one coroutine waits in a destructor during a panic, waits of others that begin then are
//!   not limited either. The alternative is to end the process if the guess is wrong. Waits that have begun before are limited, as a
//!   coroutine cannot begin to panic while it waits.)
//! - An operation that has succeeded, or need not wait, never unwinds: no value is lost.
//!
//! With `panic = "abort"` nothing can unwind. There a limit knows the caller's own deadline only, except for I/O, which has an error to
//! return.
//!
//! Rejected: a timer for each scope, which marks it and wakes the coroutine (an entry in the heap even when nothing waits, and a
//! race between the mark and the wait); to unwind from a scope's own check after the operation (values would be lost).
//!
//! Tests: `tests/time_timeout_*.rs`.

use std::any::Any;
use std::cell::Cell;
use std::io;
use std::marker::PhantomPinned;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use super::{Elapsed, now};
use crate::scheduler::worker::Worker;

/// Without unwinding there is no way out of a wait that cannot return an error.
const CAN_UNWIND: bool = cfg!(panic = "unwind");

/// A part of a coroutine's work that may be cancelled as a whole.
pub(crate) struct CancelScope {
    deadline: Instant,
    /// The earliest deadline from here outwards.
    earliest: Instant,
    outer: *const CancelScope,
    /// Its number, drawn when it is first unwound to; 0 before.
    number: Cell<u64>,
    _pinned: PhantomPinned,
}

/// Where the innermost scope of a coroutine or thread is noted.
pub(crate) type Innermost = Cell<*const CancelScope>;

/// What a cancelled coroutine unwinds with.
struct Unwinding {
    /// The number of the scope that it unwinds to.
    scope: u64,
}

/// Is this the payload of an unwinding to some scope, and not of a panic?
pub(crate) fn is_cancellation(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwinding>()
}

thread_local! {
    /// For what runs on the thread outside of coroutines.
    static OF_THREAD: Innermost = const { Cell::new(ptr::null()) };
}

/// Makes a scope the innermost one for as long as it lives.
pub(crate) struct Entered<'a> {
    scope: Pin<&'a CancelScope>,
    place: *const Innermost,
    /// The worker that counts the scope, if a coroutine has entered it.
    worker: Option<&'static Worker>,
}

impl CancelScope {
    /// A scope inside of the current one.
    pub(crate) fn new(deadline: Instant) -> CancelScope {
        CancelScope {
            deadline,
            earliest: deadline,
            outer: ptr::null(),
            number: Cell::new(0),
            _pinned: PhantomPinned,
        }
    }

    /// Makes it the innermost scope until the guard is dropped.
    pub(crate) fn enter(self: Pin<&mut Self>) -> Entered<'_> {
        let worker = Worker::current().filter(|worker| worker.running().is_some());
        let place = match worker.and_then(Worker::control) {
            Some(control) => &raw const control.scope,
            None => OF_THREAD.with(ptr::from_ref),
        };
        // SAFETY: a control block lives for as long as its coroutine, a thread local without destructor as long as its thread. Nothing is
        // moved out of the pin.
        let scope = unsafe {
            let scope = self.get_unchecked_mut();
            scope.outer = (*place).get();
            if let Some(outer) = scope.outer.as_ref() {
                scope.earliest = scope.deadline.min(outer.earliest);
            }
            (*place).set(ptr::from_ref(scope));
            Pin::new_unchecked(&*scope)
        };
        if let Some(worker) = worker {
            worker.scopes.update(|count| count + 1);
        }
        Entered {
            scope,
            place,
            worker,
        }
    }

    /// Is this the payload of an unwinding to this scope?
    pub(crate) fn is_target(&self, payload: &(dyn Any + Send)) -> bool {
        let unwinding = payload.downcast_ref::<Unwinding>();
        unwinding.is_some_and(|unwinding| unwinding.scope == self.number.get())
    }
}

impl Entered<'_> {
    pub(crate) fn scope(&self) -> &CancelScope {
        self.scope.get_ref()
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        // SAFETY: as in `enter`; the guard stays in the frame of `timeout`, and so in its coroutine.
        unsafe { (*self.place).set(self.scope.outer) };
        if let Some(worker) = self.worker {
            worker.scopes.update(|count| count - 1);
        }
    }
}

/// The innermost scope of the caller, if it has one.
#[inline]
fn innermost() -> Option<&'static CancelScope> {
    let scope = match Worker::current().filter(|worker| worker.running().is_some()) {
        Some(worker) if worker.scopes.get() == 0 => return None,
        Some(worker) => worker.control()?.scope.get(),
        None => OF_THREAD.get(),
    };
    // SAFETY: a scope that is linked is alive: the frame of its `timeout` is one of the caller's callers. The reference is used by this
    // module alone, in calls that end before that frame does.
    unsafe { scope.as_ref() }
}

/// Until when the caller may wait.
pub(crate) struct Limit {
    deadline: Option<Instant>,
    /// The deadline is that of a scope.
    of_scope: bool,
}

impl Limit {
    /// The earlier of the caller's own deadline and those of the scopes that it is in.
    #[inline]
    pub(crate) fn new(own: Option<Instant>) -> Limit {
        if CAN_UNWIND {
            Limit::for_io(own)
        } else {
            Limit {
                deadline: own,
                of_scope: false,
            }
        }
    }

    /// As `new`, for an operation that can return an error where nothing can unwind.
    #[inline]
    pub(crate) fn for_io(own: Option<Instant>) -> Limit {
        match innermost().filter(|_| !thread::panicking()) {
            Some(scope) if own.is_none_or(|own| scope.earliest < own) => Limit {
                deadline: Some(scope.earliest),
                of_scope: true,
            },
            _ => Limit {
                deadline: own,
                of_scope: false,
            },
        }
    }

    /// What to give to the signal. With `None` only a notification ends the wait.
    #[inline]
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// To be called when the deadline has ended the wait, the node is in no list and nothing was handed over: unwinds if it was a
    /// scope's, returns if it was the caller's own.
    #[inline]
    pub(crate) fn expired(&self) {
        if self.of_scope {
            unwind();
        }
    }

    /// As `expired`, for I/O.
    ///
    /// # Errors
    /// Where nothing can unwind, in its stead.
    #[inline]
    pub(crate) fn expired_io(&self) -> io::Result<()> {
        if !CAN_UNWIND && self.of_scope {
            return Err(Elapsed::new().into());
        }
        self.expired();
        Ok(())
    }

    /// Unwinds if the time of a scope is up. For what has nothing to wait for, but should not go on for ever.
    #[inline]
    pub(crate) fn check() {
        if CAN_UNWIND
            && let Some(scope) = innermost()
            && scope.earliest <= now()
            && !thread::panicking()
        {
            unwind();
        }
    }
}

/// Unwinds to the outermost scope whose time is up.
///
/// The caller was not panicking when it began to wait, and so is not now. `thread::panicking` may say otherwise, because of a coroutine
/// that ran meanwhile; but what ends the process is to unwind out of a destructor that runs because of a panic, and there is none here.
#[cold]
#[inline(never)]
fn unwind() -> ! {
    let now = now();
    let mut next = innermost();
    let mut target = next;
    while let Some(scope) = next {
        if scope.deadline <= now {
            target = Some(scope);
        }
        // SAFETY: outer scopes are alive as long as inner ones.
        next = unsafe { scope.outer.as_ref() };
    }
    let Some(target) = target else {
        unreachable!("the deadline was that of a scope");
    };
    if target.number.get() == 0 {
        static DRAWN: AtomicU64 = AtomicU64::new(0);
        target.number.set(DRAWN.fetch_add(1, Ordering::Relaxed) + 1);
    }
    // Not a panic: no hook runs, nothing is printed.
    resume_unwind(Box::new(Unwinding {
        scope: target.number.get(),
    }));
}
