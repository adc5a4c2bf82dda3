//! The one primitive on which everything waits: a one-shot wake-up on the stack of whoever waits.
//!
//! # Protocol
//! ```text
//!            wait: EMPTY -> PARKED, then switch away (or park the OS thread)
//!   EMPTY ------------------------------------------------> PARKED
//!     | notify                                                 | notify: -> NOTIFIED, schedule    (one of the two
//!     v                                                        | deadline: -> EXPIRED, schedule    wins the exchange)
//!   NOTIFIED: wait returns at once                             v
//!                                                    the waiter runs again and reads which
//! ```
//! - Whoever moves the state away from EMPTY or PARKED owns the wake-up; all others get `false`. So a waiter in several
//!   lists (select, a timeout) is woken once.
//! - A waiter may be notified between PARKED and the switch away from it. For its own worker that cannot happen, as it is
//!   the one that switches. Another thread only puts the signal into the worker's inbox, which the worker empties on
//!   its own stack, after the switch. So the saved context is always complete when it is read: a coroutine that
//!   never changes threads needs no further hand-shake.
//! - A signal dies as soon as its waiter sees NOTIFIED. So `notify` does not touch it after an exchange from EMPTY, and after one
//!   from PARKED it touches it only until the worker may have seen it.
//!
//! - A *sole* signal is for a wait without deadline that one single call will ever end: whoever unlinks its node, under its list's lock. For a
//!   coroutine it needs no state at all. The waiter switches away whatever has happened, and the notification schedules it whether it
//!   has switched away or not: from its own worker it has, and another thread's goes by way of the inbox, as above.
//! - The wake-up of an async task is foreign code, which may do anything, and must not run under a lock of ours. So `notify` has two halves:
//!   `claim`, under the list's lock, and `Wakeup::wake`, after unlocking.
//!
//! - A migratable coroutine is woken as an async task is, but once for each wait: by whoever moves the state away from PARKED. `migrant.rs` says why it
//!   does not matter whether it has switched away by then. Its signals are never sole.
//!
//! - A wait that is *open* may be cut short (`interrupt`), by its worker's own thread, while the coroutine is parked: cancellation comes that way.
//!
//! Rejected: a waiter block on the heap, counted (an allocation and two counts per wait); a flag in the task (a late
//! wake-up for a former wait would hit the next one).
//!
//! Checked with every interleaving by `tests/models/scheduler/wake.rs`, which includes this file.

use std::cell::{Cell, UnsafeCell};
use std::mem;
use std::ptr;
use std::task::Waker;
use std::time::Instant;

use corun_context::raw::Context;

use super::linger;
use super::migrant;
use super::shared::Shared;
use super::worker::Worker;
use crate::coroutine::task::TaskRef;
use crate::inspect::points;
use crate::primitive::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::primitive::own;
use crate::primitive::thread::{self, Thread};

const EMPTY: u32 = 0;
const PARKED: u32 = 1;
const NOTIFIED: u32 = 2;
const EXPIRED: u32 = 3;
/// A coroutine's sole signal is in this state all its life.
const SOLE: u32 = 4;
/// The wait was cut short by `interrupt`.
const CUT: u32 = 5;

/// Values of `mark`.
const PLAIN: u8 = 0;
/// The wait on a sole signal was cut short.
const INTERRUPTED: u8 = 1;
/// The notification came after that, when the waiter was on the run queue already.
const TOLD: u8 = 2;

pub(crate) struct Signal {
    state: AtomicU32,
    /// For a sole signal: see `interrupt`. Used by the worker's own thread alone, as is `context`.
    mark: Cell<u8>,
    /// Where the waiting coroutine stopped: written by the switch away from it, and taken by who puts it on the run queue.
    pub(super) context: Cell<Context>,
    /// The control block of the waiting coroutine, while it is parked.
    pub(super) control: Cell<*mut ()>,
    /// The worker of the waiting coroutine; null for a plain thread, an async task and a migratable coroutine.
    shared: *const Shared,
    /// Changed by `poll` alone, and read by `claim`: both under the lock of the list.
    outside: UnsafeCell<Outside>,
    /// Links the signal in its worker's inbox.
    pub(super) next: AtomicPtr<Signal>,
}

/// Who waits where no coroutine does.
enum Outside {
    Nobody,
    Thread(Thread),
    Task(Waker),
    /// A migratable coroutine. It does not change while the signal lives.
    Migrant(TaskRef),
}

/// The right to wake a waiter, and the duty. What it does may be foreign code: not to be called under a lock.
#[must_use = "the waiter would wait for ever"]
pub(crate) struct Wakeup(Target);

enum Target {
    /// It has seen, or is going to see, that it need not wait.
    Awake,
    Coroutine(*const Shared, *const Signal),
    /// It waits, and does not end before this wakes it.
    Migrant(TaskRef),
    Outside(Outside),
}

impl Wakeup {
    #[inline(always)]
    pub(crate) fn wake(self) {
        match self.0 {
            // SAFETY: the coroutine is parked, or about to be, and this call alone may wake it, so the signal lives until it is
            // scheduled; its worker lives as long as it has unfinished coroutines.
            Target::Coroutine(shared, signal) => unsafe { Shared::schedule(shared, signal) },
            Target::Migrant(task) => task.wake_by_ref(),
            Target::Awake => {}
            Target::Outside(outside) => outside.wake(),
        }
    }
}

impl Outside {
    #[inline(never)]
    fn current() -> Outside {
        match Worker::of_migrant().and_then(|worker| Some((worker, worker.running()?))) {
            Some((worker, task)) => {
                worker.assert_may_suspend();
                Outside::Migrant(task)
            }
            None => Outside::Thread(thread::current()),
        }
    }

    #[inline(never)]
    fn wake(self) {
        match self {
            // That of a migratable coroutine is never taken from its signal.
            Outside::Nobody | Outside::Migrant(_) => {}
            Outside::Thread(thread) => thread.unpark(),
            // What waits in it blocks the thread: the caller may have told others of a signal of its own.
            Outside::Task(waker) => own(|| waker.wake()),
        }
    }
}

// SAFETY: other threads touch `state` and `next`, which are atomic, `shared`, which does not change, and `outside` under a
// lock; `context` is used by the worker's own thread alone.
unsafe impl Send for Signal {}
// SAFETY: as above.
unsafe impl Sync for Signal {}

impl Signal {
    /// A signal for the current coroutine, or for the current thread where no coroutine runs. Panics inside `no_suspend`: here
    /// and not in `wait`, as nothing has been published yet that points to the signal.
    #[inline]
    pub(crate) fn new() -> Signal {
        Signal::in_state(EMPTY)
    }

    /// As `new`, for a wait without deadline which one single call of `notify` or `claim` will ever end.
    #[inline]
    pub(crate) fn sole() -> Signal {
        Signal::in_state(SOLE)
    }

    /// `state` is that of a coroutine's signal.
    #[inline(always)]
    fn in_state(state: u32) -> Signal {
        match Worker::suspendable() {
            Some(worker) => {
                worker.assert_may_suspend();
                Signal::with(state, worker.shared(), Outside::Nobody)
            }
            None => {
                points::refuse_to_wait();
                Signal::with(EMPTY, ptr::null(), Outside::current())
            }
        }
    }

    /// The signal of an async task, which waits by polling.
    pub(crate) fn for_task(waker: &Waker) -> Signal {
        Signal::with(PARKED, ptr::null(), Outside::Task(waker.clone()))
    }

    #[inline(always)]
    fn with(state: u32, shared: *const Shared, outside: Outside) -> Signal {
        Signal {
            state: AtomicU32::new(state),
            mark: Cell::new(PLAIN),
            context: Cell::new(Context::NONE),
            control: Cell::new(ptr::null_mut()),
            shared,
            outside: UnsafeCell::new(outside),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// For async tasks: has it been notified? If not, the next notification goes to `waker`, which is exchanged for the old one: the caller makes
    /// and drops wakers without the lock, as both may be foreign code.
    ///
    /// # Safety
    /// Everyone who may claim the signal does so under one lock, and the caller has it.
    pub(crate) unsafe fn poll(&self, waker: &mut Waker) -> bool {
        if self.is_notified() {
            return true;
        }
        // SAFETY: others look at it under the caller's lock only.
        if let Outside::Task(known) = unsafe { &mut *self.outside.get() } {
            mem::swap(known, waker);
        }
        false
    }

    /// Does a plain thread or an async task wait, and no coroutine?
    pub(crate) fn is_outside(&self) -> bool {
        self.shared.is_null() && self.migrant().is_none()
    }

    /// The migratable coroutine that waits, if it is one.
    fn migrant(&self) -> Option<TaskRef> {
        // SAFETY: this changes for async tasks alone, and then under the lock of whoever looks.
        match unsafe { &*self.outside.get() } {
            Outside::Migrant(task) => Some(*task),
            _ => None,
        }
    }

    pub(crate) fn is_notified(&self) -> bool {
        self.state.load(Ordering::Acquire) == NOTIFIED
    }

    /// Waits for the notification.
    #[inline(always)]
    pub(crate) fn wait(&self) {
        self.wait_open(false);
    }

    /// As `wait`; with `open`, [`interrupt`](Signal::interrupt) may end it as well.
    #[inline(always)]
    fn wait_open(&self, open: bool) {
        if self.state.load(Ordering::Relaxed) == SOLE
            && let Some(worker) = Worker::suspendable()
        {
            worker.park(self, open);
            return;
        }
        // Acquire pairs with the notifier's release: what it did before is seen after.
        if self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            return;
        }
        match Worker::suspendable() {
            Some(worker) if !self.shared.is_null() => worker.park(self, open),
            _ => self.wait_outside(open),
        }
    }

    #[inline(never)]
    fn wait_outside(&self, open: bool) {
        if let Some(task) = self.migrant() {
            return migrant::wait(self, task, open);
        }
        let is_parked = || self.state.load(Ordering::Acquire) == PARKED;
        linger::as_thread(|| !is_parked());
        while is_parked() {
            thread::park();
        }
    }

    /// Waits for the notification, and has the worker run `task` at once in the meantime. Only the task may notify. Returns whether it did; else
    /// the wait was open and was cut short.
    #[inline(always)]
    pub(crate) fn wait_starting(&self, worker: &Worker, task: TaskRef, open: bool) -> bool {
        debug_assert!(!self.shared.is_null());
        // The task has not started, so nobody else can be at the state yet.
        self.state.store(PARKED, Ordering::Release);
        worker.park_and_start(self, open, task);
        !self.was_cut_short()
    }

    /// Waits for the notification until `deadline` (`None`: for ever). Returns whether it was notified; if not, no later
    /// call of `notify` counts.
    pub(crate) fn wait_until(&self, deadline: Option<Instant>) -> bool {
        self.wait_within(deadline, false)
    }

    /// As `wait_until`; with `open`, [`interrupt`](Signal::interrupt) may end it as well. A sole signal that was cut short so has to be settled, unless
    /// the waiter has taken its node out of its list itself.
    #[inline(always)]
    pub(crate) fn wait_within(&self, deadline: Option<Instant>, open: bool) -> bool {
        match deadline {
            None => {
                self.wait_open(open);
                !self.was_cut_short()
            }
            Some(deadline) => self.wait_timed(deadline, open),
        }
    }

    #[inline(never)]
    fn wait_timed(&self, deadline: Instant, open: bool) -> bool {
        match Worker::suspendable() {
            Some(worker) if !self.shared.is_null() => {
                if self.is_notified() {
                    return true;
                }
                let timer = worker.shared().insert_timer(deadline, self);
                self.wait_open(open);
                let state = self.state.load(Ordering::Acquire);
                if state != EXPIRED {
                    worker.shared().cancel_timer(timer, self);
                }
                state == NOTIFIED
            }
            _ if self.migrant().is_some() => self.wait_timed_as_migrant(deadline, open),
            _ => self.wait_thread_until(deadline),
        }
    }

    /// The timer is one of the worker that the coroutine waits on; who fires it wakes the coroutine to wherever that is done.
    #[inline(never)]
    fn wait_timed_as_migrant(&self, deadline: Instant, open: bool) -> bool {
        if self.is_notified() {
            return true;
        }
        // SAFETY: it stays: see there.
        let shared = unsafe { &*Worker::shared_of_migrant() };
        let timer = shared.insert_timer(deadline, self);
        self.wait_open(open);
        let state = self.state.load(Ordering::Acquire);
        if state != EXPIRED {
            // The worker may be another one by now, and may wait for just that before it ends.
            shared.disarm_for_task(timer, self);
        }
        state == NOTIFIED
    }

    /// Is it a coroutine's, made by `sole`?
    pub(crate) fn is_sole(&self) -> bool {
        self.state.load(Ordering::Relaxed) == SOLE
    }

    /// In place of a wait, for one that is to end before it begins. Returns whether it was notified already.
    #[cold]
    pub(crate) fn decline(&self) -> bool {
        let declined =
            self.state
                .compare_exchange(EMPTY, EXPIRED, Ordering::AcqRel, Ordering::Acquire);
        declined == Err(NOTIFIED)
    }

    /// Did `interrupt` end the wait?
    #[inline(always)]
    fn was_cut_short(&self) -> bool {
        self.mark.get() != PLAIN || self.state.load(Ordering::Acquire) == CUT
    }

    /// To be called after a wait that ended early, if the node was found unlinked. Has the notification been given? For a sole signal it has, and
    /// is on its way: it must have arrived before the signal goes.
    #[cold]
    pub(crate) fn settle(&self) -> bool {
        if !self.is_sole() {
            return self.is_notified();
        }
        if self.mark.get() != TOLD
            && let Some(worker) = Worker::suspendable()
        {
            worker.park(self, false);
        }
        true
    }

    /// Cuts an open wait short, unless its end is decided already.
    ///
    /// A sole signal has no state that tells. So what happens to it is told apart on its worker's own thread: who puts the waiter on the run
    /// queue takes the context, and a notification that finds none leaves a mark.
    ///
    /// # Safety
    /// The signal's coroutine is parked on it, on the calling thread's worker.
    #[cold]
    pub(crate) unsafe fn interrupt(this: *const Signal) {
        // SAFETY: the signal of a parked coroutine is alive until it goes on, which it cannot before this has returned.
        unsafe {
            let signal = &*this;
            if signal.state.load(Ordering::Relaxed) != SOLE {
                Self::finish(this, CUT);
            } else if signal.context.get() != Context::NONE {
                signal.mark.set(INTERRUPTED);
                Shared::schedule(signal.shared, this);
            }
        }
    }

    /// As `interrupt`, for the signal of a plain thread.
    ///
    /// # Safety
    /// The signal must be alive at the call.
    #[cold]
    pub(crate) unsafe fn interrupt_thread(this: *const Signal) {
        // SAFETY: the same contract.
        unsafe { Self::finish(this, CUT) };
    }

    /// For a migratable coroutine that is about to wait, at its own signal: as if it had been cut short. Returns false if somebody else has ended the
    /// wait, and so is going to wake it.
    #[cold]
    pub(super) fn cut(&self) -> bool {
        let cut = self
            .state
            .compare_exchange(PARKED, CUT, Ordering::AcqRel, Ordering::Acquire);
        cut.is_ok()
    }

    /// As `interrupt`, in two halves, for the signal of a migratable coroutine.
    ///
    /// # Safety
    /// The signal must be alive at the call.
    #[cold]
    pub(super) unsafe fn claim_cut(this: *const Signal) -> Option<Wakeup> {
        // SAFETY: the same contract.
        unsafe { Self::claim_as(this, CUT) }
    }

    /// The saved context, for the run queue; none if the waiter stands there already. For the worker's own thread.
    #[inline(always)]
    pub(super) fn take_context(&self) -> Option<Context> {
        let context = self.context.replace(Context::NONE);
        if context == Context::NONE {
            self.mark.set(TOLD);
            return None;
        }
        // SAFETY: parked, as it has a context; this is its worker's thread.
        unsafe { points::woken_by(&self.control) };
        Some(context)
    }

    fn wait_thread_until(&self, deadline: Instant) -> bool {
        let _ = self
            .state
            .compare_exchange(EMPTY, PARKED, Ordering::AcqRel, Ordering::Acquire);
        loop {
            let state = self.state.load(Ordering::Acquire);
            if state != PARKED {
                return state == NOTIFIED;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let expired = self.state.compare_exchange(
                    PARKED,
                    EXPIRED,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                );
                return expired == Err(NOTIFIED);
            }
            thread::park_timeout(left);
        }
    }

    /// Wakes the waiter. Returns whether this call was the one that did.
    ///
    /// # Safety
    /// The signal must be alive at the call. It may be gone once the call has returned.
    #[inline]
    pub(crate) unsafe fn notify(this: *const Signal) -> bool {
        // SAFETY: alive by contract.
        unsafe { Self::finish(this, NOTIFIED) }
    }

    /// The first half of `notify`: wins the right to wake the waiter, or learns that somebody else has.
    ///
    /// # Safety
    /// As for `notify`; and where async tasks may wait, under the lock of `poll`.
    #[inline(always)]
    pub(crate) unsafe fn claim(this: *const Signal) -> Option<Wakeup> {
        // SAFETY: alive by contract.
        unsafe {
            // Only a coroutine's is ever in this state, and stays so.
            if (*this).state.load(Ordering::Relaxed) == SOLE {
                return Some(Wakeup(Target::Coroutine((*this).shared, this)));
            }
            Self::claim_as(this, NOTIFIED)
        }
    }

    /// Wakes the joiner of the calling coroutine, which is ending. Nobody else notifies a joiner, and it waits without a deadline. So
    /// on its own worker nothing can come in between, no atomic exchange is needed, and it gets the caller's place.
    ///
    /// # Safety
    /// As for `notify`; and this is the only call that will ever move the state.
    #[inline(always)]
    pub(crate) unsafe fn notify_joiner(this: *const Signal) {
        // SAFETY: alive by contract. A waiter on this very worker is either parked, and stays so until it is scheduled below, or
        // it is the caller itself.
        unsafe {
            let (state, shared) = (&(*this).state, (*this).shared);
            if Shared::is_here(shared) && state.load(Ordering::Relaxed) == PARKED {
                state.store(NOTIFIED, Ordering::Relaxed);
                Shared::hand_back(this);
            } else {
                Self::finish(this, NOTIFIED);
            }
        }
    }

    /// Wakes the waiter because its deadline has passed.
    ///
    /// # Safety
    /// As for `notify`.
    pub(crate) unsafe fn expire(this: *const Signal) -> bool {
        // SAFETY: alive by contract.
        unsafe { Self::finish(this, EXPIRED) }
    }

    #[inline]
    unsafe fn finish(this: *const Signal, to: u32) -> bool {
        // SAFETY: as the caller promises.
        unsafe { Self::claim_as(this, to) }
            .map(Wakeup::wake)
            .is_some()
    }

    #[inline]
    unsafe fn claim_as(this: *const Signal, to: u32) -> Option<Wakeup> {
        // SAFETY: alive by contract until the state leaves EMPTY or PARKED, or the coroutine of a sole signal is scheduled.
        let (state, shared) = unsafe { (&(*this).state, (*this).shared) };
        if shared.is_null() {
            // SAFETY: as above.
            return unsafe { Self::claim_outside(this, to) };
        }
        let parked = Target::Coroutine(shared, this);
        if state.load(Ordering::Relaxed) == SOLE {
            return Some(Wakeup(parked));
        }
        // SAFETY: alive by contract.
        unsafe { Self::claim_parked(this, to, parked) }
    }

    /// For coroutines of both kinds: `parked` is whom to wake if it has parked.
    #[inline(always)]
    unsafe fn claim_parked(this: *const Signal, to: u32, parked: Target) -> Option<Wakeup> {
        // SAFETY: alive by contract until the state leaves EMPTY or PARKED.
        let state = unsafe { &(*this).state };
        // Release pairs with the acquire in `wait`.
        match state.compare_exchange(PARKED, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Some(Wakeup(parked)),
            Err(EMPTY) => {
                match state.compare_exchange(EMPTY, to, Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => Some(Wakeup(Target::Awake)),
                    // It parked in between: this cannot go on for long, as it does so once.
                    // SAFETY: a failed exchange means that the waiter was not told yet by this call; it is alive by contract.
                    Err(PARKED) => unsafe { Self::claim_as(this, to) },
                    Err(_) => None,
                }
            }
            Err(_) => None,
        }
    }

    /// For migratable coroutines; and for threads and tasks. Those are woken from EMPTY as well: a thread looks again before it sleeps, and one
    /// token too many does no harm.
    #[cold]
    unsafe fn claim_outside(this: *const Signal, to: u32) -> Option<Wakeup> {
        // SAFETY: alive by contract.
        if let Some(task) = unsafe { (*this).migrant() } {
            // SAFETY: as above.
            return unsafe { Self::claim_parked(this, to, Target::Migrant(task)) };
        }
        // SAFETY: as above.
        let (state, outside) = unsafe { (&(*this).state, (*this).outside.get()) };
        // A thread may run on, and its signal go, the moment that it sees the new state, so its handle is taken before.
        // SAFETY: `outside` does not change under the caller's lock, and that of a thread never does.
        let thread = match unsafe { &*outside } {
            Outside::Thread(thread) => Some(thread.clone()),
            Outside::Nobody | Outside::Task(_) | Outside::Migrant(_) => None,
        };
        // It parks at most once and does not go back, so that one of the two succeeds unless somebody else decided.
        [EMPTY, PARKED]
            .into_iter()
            .any(|from| {
                state
                    .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            })
            .then(|| {
                let outside = thread.map_or_else(
                    // SAFETY: a task looks at its signal, and drops it, under the lock that the caller has.
                    || unsafe { mem::replace(&mut *outside, Outside::Nobody) },
                    Outside::Thread,
                );
                Wakeup(Target::Outside(outside))
            })
    }
}
