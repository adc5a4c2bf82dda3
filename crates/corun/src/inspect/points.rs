//! Where [events](super::events) are told. One call each; without the feature `events` they are nothing at all.

use std::cell::Cell;
use std::ptr::NonNull;
use std::time::Instant;

use crate::coroutine::outcome::End;
#[cfg(feature = "events")]
use crate::coroutine::task::Control;
use crate::coroutine::task::{Header, TaskRef};
#[cfg(feature = "events")]
use crate::coroutine::{Coroutine, State};

#[cfg(feature = "events")]
use super::events::{Event, emit};

/// The same functions with a body and without.
macro_rules! points {
    ($($(#[$doc:meta])* fn $name:ident($($argument:ident: $type:ty),*) => $event:expr;)*) => {$(
        $(#[$doc])*
        #[inline(always)]
        pub(crate) fn $name($($argument: $type),*) {
            #[cfg(feature = "events")]
            emit(|| $event);
            #[cfg(not(feature = "events"))]
            let _ = ($($argument,)*);
        }
    )*};
}

points! {
    fn created(task: TaskRef) => Event::TaskCreated(Coroutine::from_ref(&task));

    /// The caller knows that it stays alive meanwhile.
    fn woken(task: TaskRef) => Event::TaskWoken(Coroutine::from_ref(&task));

    fn ended(task: TaskRef, end: End) => Event::TaskEnded {
        task: Coroutine::from_ref(&task),
        how: match end {
            End::Returned => State::Completed,
            End::Panicked => State::Failed,
            End::Cancelled => State::Cancelled,
        },
    };

    fn suspended(task: TaskRef) => Event::Suspended(Coroutine::from_ref(&task));

    fn resumed(task: TaskRef) => Event::Resumed(Coroutine::from_ref(&task));

    fn future_pending(future: usize) => Event::FuturePending { future };

    fn future_completed(future: usize, resolved: bool) => if resolved {
        Event::FutureResolved { future }
    } else {
        Event::FutureRejected { future }
    };

    fn timer_armed(deadline: Instant) => Event::TimerArmed { deadline };

    fn io_registered(descriptor: u64) => Event::IoRegistered { descriptor };

    fn io_occurred(descriptor: u64, readable: bool, writable: bool) => Event::IoOccurred { descriptor, readable, writable };

    fn sent(channel: usize) => Event::MessageSent { channel };

    fn received(channel: usize) => Event::MessageReceived { channel };
}

/// The running coroutine, if `me` is one, gives way.
#[inline(always)]
pub(crate) fn leaves_seat(me: *mut Header) {
    if let Some(task) = NonNull::new(me) {
        suspended(TaskRef(task));
    }
}

/// The running coroutine, if `me` is one, begins or goes on.
#[inline(always)]
pub(crate) fn takes_seat(me: *mut Header) {
    if let Some(task) = NonNull::new(me) {
        resumed(TaskRef(task));
    }
}

/// `count` may be 0, and then nothing has happened.
#[inline(always)]
pub(crate) fn timers_fired(count: usize) {
    #[cfg(feature = "events")]
    if count != 0 {
        emit(|| Event::TimersFired { count });
    }
    #[cfg(not(feature = "events"))]
    let _ = count;
}

/// A parked coroutine goes to the run queue.
///
/// # Safety
/// `control` holds the address of its control block, and the caller is its worker's thread.
#[inline(always)]
pub(crate) unsafe fn woken_by(control: &Cell<*mut ()>) {
    #[cfg(feature = "events")]
    {
        // SAFETY: as the caller promises; a control block lives until its coroutine has ended.
        let task = unsafe { (*control.get().cast::<Control>()).task.get() };
        if let Some(task) = task {
            woken(task);
        }
    }
    #[cfg(not(feature = "events"))]
    let _ = control;
}

/// Panics in an observer, which must not wait.
#[inline(always)]
pub(crate) fn refuse_to_wait() {
    #[cfg(feature = "events")]
    super::events::refuse_to_wait();
}
