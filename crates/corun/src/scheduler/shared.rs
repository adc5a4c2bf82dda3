//! What other threads may touch of a worker: its inbox, its unstarted coroutines, its reactor and timers, and its signs of life.
//!
//! A `Shared` outlives its worker's thread; it is freed with the scheduler that owns it.

use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::Instant;

use super::Scheduler;
use super::errands::Errands;
use super::guests::Guests;
use super::inbox::Inbox;
use super::lock_mutex;
use super::nudges::Nudges;
use super::signal::Signal;
use super::sleepers::Bed;
use super::spawn_list::SpawnList;
use super::watch::Watched;
use super::worker::Worker;
use crate::coroutine::task::Header;
use crate::reactor::Reactor;
use crate::time::timers::{TimerId, Timers};

/// Where others can see which coroutine a worker runs. Seats are used again, never freed: a handle that outlives its
/// runtime may still look.
#[repr(align(64))]
pub(crate) struct Seat {
    /// The running coroutine, null while the worker is idle.
    pub(crate) current: AtomicPtr<Header>,
    /// Tells this worker's lists from those of all other workers in the process.
    number: u32,
    /// Coroutines of this worker that were cancelled, or something around them.
    pub(crate) nudges: Nudges,
}

pub(super) static FREE_SEATS: Mutex<Vec<&'static Seat>> = Mutex::new(Vec::new());

impl Seat {
    fn take() -> &'static Seat {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let free = lock_mutex(&FREE_SEATS).pop();
        free.unwrap_or_else(|| {
            Box::leak(Box::new(Seat {
                current: AtomicPtr::new(ptr::null_mut()),
                number: MADE.fetch_add(1, Ordering::Relaxed),
                nudges: Nudges::new(),
            }))
        })
    }

    /// The number of the list of stealable coroutines; that of local ones is the next.
    pub(super) fn lists(&self) -> u32 {
        1 + 2 * self.number
    }
}

/// Later than the worker, and never for one that was left with coroutines: its lists keep their numbers for themselves.
impl Drop for Shared {
    fn drop(&mut self) {
        self.seat.nudges.end();
        lock_mutex(&FREE_SEATS).push(self.seat);
    }
}

/// What other threads may touch of a worker. Its own counts and lists are written all the time, so no two of them share a line, nor a pair of lines, as
/// processors fetch these together.
#[repr(align(128))]
pub(crate) struct Shared {
    pub(crate) index: u32,
    pub(super) seat: &'static Seat,
    pub(super) inbox: Inbox,
    /// The unstarted coroutines spawned here, and async tasks that are ready: what others steal.
    pub(super) spawned: SpawnList,
    pub(super) guests: Guests,
    pub(crate) reactor: Arc<Reactor>,
    /// Under a lock for the watch thread's sake, which alone contends for it.
    pub(super) timers: Mutex<Timers>,
    pub(super) bed: Bed,
    /// Counts choices of a successor: the tick.
    pub(super) switches: AtomicU32,
    /// Counts spawns and wake-ups by the worker's coroutines: one that is busy with these
    /// needs no spare worker to run them.
    calls: AtomicU32,
    /// Set by the watch thread when a coroutine has run for a whole time slice.
    pub(super) overdue: AtomicU32,
    pub(super) watched: Watched,
    pub(super) errands: Errands,
    pub(crate) scheduler: SchedulerRef,
}

/// The scheduler that owns a [`Shared`]. Not counted, as two that count each other would never be freed. Whoever reaches a `Shared` does so
/// through its scheduler, or through its worker (its own thread, or a coroutine parked there), which has a counted reference.
pub(crate) struct SchedulerRef(*const Scheduler);

// SAFETY: a reference to what is `Send` and `Sync`.
unsafe impl Send for SchedulerRef {}
// SAFETY: as above.
unsafe impl Sync for SchedulerRef {}

impl SchedulerRef {
    /// A counted reference.
    pub(crate) fn to_arc(&self) -> Arc<Scheduler> {
        // SAFETY: the pointer came from an `Arc`, and is alive: see the type.
        unsafe {
            Arc::increment_strong_count(self.0);
            Arc::from_raw(self.0)
        }
    }
}

impl Deref for SchedulerRef {
    type Target = Scheduler;

    #[inline(always)]
    fn deref(&self) -> &Scheduler {
        // SAFETY: alive: see the type.
        unsafe { &*self.0 }
    }
}

impl Shared {
    pub(super) fn new(index: u32, scheduler: &Arc<Scheduler>) -> std::io::Result<Shared> {
        let reactor = Arc::new(Reactor::new()?);
        let seat = Seat::take();
        seat.nudges.begin(Arc::downgrade(scheduler), index);
        Ok(Shared {
            index,
            seat,
            inbox: Inbox::new(),
            spawned: SpawnList::new(seat.lists()),
            guests: Guests::new(),
            reactor,
            timers: Mutex::new(Timers::new(scheduler.clock.start())),
            bed: Bed::new(),
            switches: AtomicU32::new(0),
            calls: AtomicU32::new(0),
            overdue: AtomicU32::new(0),
            watched: Watched::new(),
            errands: Errands::new(),
            scheduler: SchedulerRef(Arc::as_ptr(scheduler)),
        })
    }

    #[inline(always)]
    pub(super) fn count_call(&self) {
        let count = self.calls.load(Ordering::Relaxed).wrapping_add(1);
        self.calls.store(count, Ordering::Relaxed);
    }

    /// What the watch thread looks at: the counts of switches, and of spawns and wake-ups.
    pub(super) fn signs_of_life(&self) -> (u32, u32) {
        (
            self.switches.load(Ordering::Relaxed),
            self.calls.load(Ordering::Relaxed),
        )
    }

    /// Is this the shared part of the worker that the calling thread is?
    #[inline(always)]
    pub(super) fn is_here(this: *const Shared) -> bool {
        let worker = Worker::of_thread();
        // SAFETY: a worker that its thread has noted is alive: its thread runs this.
        !worker.is_null() && unsafe { ptr::eq(Arc::as_ptr(&(*worker).shared), this) }
    }

    /// Makes the joiner of the coroutine that is ending on this thread ready: it goes on in its place.
    ///
    /// # Safety
    /// As for `schedule`; and the worker must be the calling thread's.
    #[inline(always)]
    pub(super) unsafe fn hand_back(signal: *const Signal) {
        // SAFETY: the worker that this thread is lives, and so is the signal of a parked coroutine.
        unsafe {
            (*Worker::of_thread())
                .hand_back
                .set((*signal).context.get())
        };
    }

    /// Makes a parked coroutine ready.
    ///
    /// # Safety
    /// The caller must have won the right to wake the coroutine that waits on `signal`, and `this` be its worker.
    #[inline(always)]
    pub(super) unsafe fn schedule(this: *const Shared, signal: *const Signal) {
        let worker = Worker::of_thread();
        // SAFETY: a worker that its thread has noted is alive: its thread runs this. A parked coroutine keeps its worker alive.
        unsafe {
            if !worker.is_null() && ptr::eq(Arc::as_ptr(&(*worker).shared), this) {
                (*worker).shared.count_call();
                if let Some(context) = (*signal).take_context() {
                    (*worker).run_queue.push(context);
                }
            } else {
                Self::schedule_elsewhere(this, signal);
            }
        }
    }

    /// # Safety
    /// As for `schedule`.
    #[inline(never)]
    unsafe fn schedule_elsewhere(this: *const Shared, signal: *const Signal) {
        // SAFETY: as the caller promises. The worker may run the coroutine, and end, as soon as the signal is in its inbox; the
        // scheduler keeps every worker's shared part, also that of a thread that has ended.
        unsafe {
            let shared = &*this;
            let scheduler = shared.scheduler.to_arc();
            shared.inbox.push(signal);
            scheduler.wake(&*this);
        }
    }

    /// The earliest deadline, by the system's clock; none if that of the runtime stands still.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = lock_mutex(&self.timers).next_deadline();
        deadline.and_then(|deadline| self.scheduler.clock.to_real(deadline))
    }

    /// Fires the timers that are due at `now` of the system's clock. Returns how many.
    pub(super) fn fire_timers(&self, now: Instant) -> usize {
        // Before the timers are locked: whoever moves the clock looks at them.
        let now = self.scheduler.clock.at(now);
        let mut outside = Vec::new();
        let fired = lock_mutex(&self.timers).fire(now, &mut outside);
        for wakeup in outside {
            // The hook has reported a panic of a foreign waker; there is nobody here whom it concerns.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| wakeup.wake()));
        }
        fired
    }

    pub(crate) fn insert_timer(&self, deadline: Instant, signal: &Signal) -> TimerId {
        lock_mutex(&self.timers).insert(deadline, signal)
    }

    /// Disarms a timer of a signal that was notified.
    pub(crate) fn cancel_timer(&self, timer: TimerId, signal: &Signal) {
        lock_mutex(&self.timers).cancel(timer, signal);
    }

    /// Has the async task that waits with `signal` woken at `deadline`. Any thread may do so.
    pub(crate) fn arm_for_task(&self, deadline: Instant, signal: &Signal) -> TimerId {
        let timer = self.insert_timer(deadline, signal);
        if !Shared::is_here(self) {
            self.scheduler.wake(self);
        }
        timer
    }

    /// Has the task been woken? If not, it will be by this waker.
    pub(crate) fn poll_for_task(&self, signal: &Signal, waker: &mut Waker) -> bool {
        let _timers = lock_mutex(&self.timers);
        // SAFETY: signals of tasks are claimed under the lock of the timers.
        unsafe { signal.poll(waker) }
    }

    /// Takes the signal of a task, or of a migratable coroutine, out, if it is still there.
    pub(crate) fn disarm_for_task(&self, timer: TimerId, signal: &Signal) {
        self.cancel_timer(timer, signal);
        // The worker may have waited for just that before it ends.
        if self.scheduler.is_closed() && !Shared::is_here(self) {
            self.scheduler.wake(self);
        }
    }

    /// Does nobody wait for a deadline here?
    pub(super) fn has_no_timers(&self) -> bool {
        lock_mutex(&self.timers).len() == 0
    }
}
