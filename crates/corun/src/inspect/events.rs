//! What happens in a runtime, told as it happens: [`Event`]s, to the [`Observer`] that the program has installed. Feature `events`.
//!
//! # Invariants
//! - Events are told where the runtime passes anyway, one call for each (`points.rs`). Without the feature these calls are empty functions. With it,
//!   and with no observer, each is one load and a branch that is not taken.
//! - The observer runs in the middle of the scheduler, some locks of the runtime's held. So it must not wait: for as long as it runs, the worker is marked
//!   as in the poll of an async task (a mere `no_suspend` lets through what may not unwind, a scope's wait for its children, say), and a signal that is
//!   made anywhere else panics ([`refuse_to_wait`]). What it does is not told to it: a mark of the thread sees to that, and so to its not being entered twice.
//! - A panic of the observer ends there, and takes the observer away: it was reported by the panic hook once, and is not for each event to come.
//! - An observer is never freed, as any thread may be about to call it.
//!
//! Rejected: an observer for each runtime (promises, channels and threads belong to none); a counted reference (an exchange for each event); a ring
//! of events for each thread, read later (an observer can do that, and this would have to choose what is lost when it is full).
//!
//! Tests: `tests/events.rs`.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::thread;
use std::time::Instant;

use crate::coroutine::task::forget_payload;
use crate::coroutine::{Coroutine, State};
use crate::scheduler::worker::Worker;

/// Something that has just happened, or is about to happen at once.
///
/// Tasks are coroutines and async tasks. Futures and channels are told apart by an address, which may be used again when they are gone.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// A coroutine or async task was spawned, and is about to be put in line.
    TaskCreated(&'a Coroutine),
    /// A task was put in line that had waited, or, if it is an async task, was woken while it was polled. A coroutine is seen so by its own worker, also if
    /// another thread has woken it. One that has given way, by [`yield_now`](crate::yield_now), was not woken.
    TaskWoken(&'a Coroutine),
    /// A task is about to publish its end.
    #[non_exhaustive]
    TaskEnded {
        /// The task.
        task: &'a Coroutine,
        /// [`Completed`](State::Completed), [`Failed`](State::Failed) or [`Cancelled`](State::Cancelled).
        how: State,
    },
    /// A coroutine is about to leave its worker to others: it waits, or has given way. Or the poll of an async task has given `Pending`.
    Suspended(&'a Coroutine),
    /// A coroutine has begun, or goes on. Or an async task is about to be polled.
    Resumed(&'a Coroutine),
    /// Somebody has begun to wait for a [`Future`](crate::future::Future), a [`SharedFuture`](crate::future::SharedFuture) or a
    /// [`Sleep`](crate::time::Sleep), since it is pending.
    #[non_exhaustive]
    FuturePending {
        /// Its address.
        future: usize,
    },
    /// A future has got its value, or a [`Sleep`](crate::time::Sleep) was found to be over.
    #[non_exhaustive]
    FutureResolved {
        /// Its address.
        future: usize,
    },
    /// A future has got an error: its promise was rejected or dropped, or it was cancelled.
    #[non_exhaustive]
    FutureRejected {
        /// Its address.
        future: usize,
    },
    /// A wait with a deadline has begun.
    #[non_exhaustive]
    TimerArmed {
        /// When it ends at the latest.
        deadline: Instant,
    },
    /// Deadlines have passed. Coroutines that wait until then have been woken just before, async tasks are woken just after.
    #[non_exhaustive]
    TimersFired {
        /// How many.
        count: usize,
    },
    /// A descriptor is watched from now on.
    #[non_exhaustive]
    IoRegistered {
        /// The system's number for it.
        descriptor: u64,
    },
    /// The system has said that a descriptor is ready. Who waits for it is woken next.
    #[non_exhaustive]
    IoOccurred {
        /// The system's number for it.
        descriptor: u64,
        /// Something can be read or accepted, or the end of what can be.
        readable: bool,
        /// Something can be written, or a connection stands or has failed.
        writable: bool,
    },
    /// The caller has sent a message. A receiver that has waited for it may have been told before.
    #[non_exhaustive]
    MessageSent {
        /// The channel's address.
        channel: usize,
    },
    /// The caller has received a message.
    #[non_exhaustive]
    MessageReceived {
        /// The channel's address.
        channel: usize,
    },
}

/// Is told what happens. A closure `Fn(Event<'_>)` is one, too.
///
/// It is called on whatever thread it happens on, in the middle of the runtime's work, on the stack of the coroutine if there is one: it should take
/// little time and little of the stack, and do no more than count, or note what it was told. It must not wait: a call of corun that would have to
/// wait panics instead. What it does itself with corun is not told to it. If it panics, the panic is reported by the panic hook, goes no further, and
/// the observer is not called again. (With `panic = "abort"`, it ends the process.)
///
/// A handle that it keeps keeps the small block of the task, and for an async task that has not ended, its future.
pub trait Observer: Send + Sync {
    /// Is told that something happens.
    fn event(&self, event: Event<'_>);
}

impl<F: Fn(Event<'_>) + Send + Sync> Observer for F {
    fn event(&self, event: Event<'_>) {
        self(event);
    }
}

/// Behind a thin pointer.
struct Installed(Box<dyn Observer>);

static INSTALLED: AtomicPtr<Installed> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    static TELLING: Cell<bool> = const { Cell::new(false) };
}

/// Has `observer` told what happens from now on, in the whole process and in place of the one before, if there is one.
///
/// Threads that are about to tell the former one may still do so. An observer is never dropped, as it cannot be known when the last of them is done: a
/// program should not install many.
///
/// # Examples
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use corun::inspect::{Event, observe};
///
/// static ENDED: AtomicUsize = AtomicUsize::new(0);
/// observe(|event: Event<'_>| {
///     if let Event::TaskEnded { .. } = event {
///         ENDED.fetch_add(1, Ordering::Relaxed);
///     }
/// });
/// corun::spawn(|| ()).join().unwrap();
/// assert_eq!(ENDED.load(Ordering::Relaxed), 1);
/// ```
pub fn observe(observer: impl Observer + 'static) {
    let installed = Box::new(Installed(Box::new(observer)));
    // Release publishes the observer.
    INSTALLED.store(Box::leak(installed), Ordering::Release);
}

/// Has nobody told any more.
pub fn stop_observing() {
    INSTALLED.store(ptr::null_mut(), Ordering::Relaxed);
}

/// Tells the observer, if there is one.
#[inline(always)]
pub(super) fn emit<'a>(event: impl FnOnce() -> Event<'a>) {
    // Acquire pairs with the release in `observe`.
    let installed = INSTALLED.load(Ordering::Acquire);
    // SAFETY: never freed.
    if let Some(installed) = unsafe { installed.as_ref() } {
        tell(installed, event());
    }
}

#[cold]
#[inline(never)]
fn tell(installed: &Installed, event: Event<'_>) {
    if TELLING.replace(true) {
        return;
    }
    let worker = Worker::current();
    let before = worker.map(Worker::refuse_waits);
    let told = panic::catch_unwind(AssertUnwindSafe(|| installed.0.event(event)));
    if let Err(payload) = told {
        let _ = INSTALLED.compare_exchange(
            ptr::from_ref(installed).cast_mut(),
            ptr::null_mut(),
            Ordering::Relaxed,
            Ordering::Relaxed,
        );
        forget_payload(payload);
    }
    if let (Some(worker), Some(before)) = (worker, before) {
        worker.restore_waits(before);
    }
    TELLING.set(false);
}

/// Panics if the calling thread is telling the observer: before anything is published, and also on a thread's own stack, where no coroutine's mark holds.
/// While the panic of an observer is reported, or unwinds, what waits blocks the thread, as it does in any panic hook.
pub(super) fn refuse_to_wait() {
    assert!(
        !TELLING.get() || thread::panicking(),
        "a call in an observer of corun's events had to wait"
    );
}
