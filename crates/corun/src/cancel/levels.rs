//! What a coroutine is inside of: `timeout`s, cancel scopes, shields. One [`Level`] each, on the stack of the call, linked from the innermost
//! outwards.
//!
//! # Invariants
//! - The innermost level is linked from the control block of its coroutine, or from a thread local of a plain thread. Levels are linked,
//!   looked at and unlinked by the coroutine itself; and, while it is parked, by its worker's thread, which asks whether it is to be
//!   woken ([`is_cancelled`]). So nothing here is atomic but the flags of the tokens.
//! - A level *is over* when its deadline has passed or its token was cancelled. The coroutine as a whole is over when its handle has cancelled it.
//! - A coroutine unwinds to the outermost level that is over, as what lies inside is to end in any case. It does not see past a shield.
//! - The payload names the level that it is for. The level takes it, and gives everything else on. So code in between that catches panics
//!   delays it until the next wait, which unwinds again: the level is still there, and still over.

use std::any::Any;
use std::cell::Cell;
use std::marker::PhantomPinned;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use super::Cancelled;
use super::listeners::{Key, Listener};
use super::thread_wait;
use super::token::CancelToken;
use crate::coroutine::task::TaskRef;
use crate::scheduler::worker::Worker;

/// A part of a coroutine's work that may be left as a whole; or a shield, which hides what is further out.
pub(crate) struct Level {
    deadline: Option<Instant>,
    token: Option<CancelToken>,
    /// Raised by somebody who then sees to it that the coroutine looks: see [`Caller`](super::caller::Caller). Or null.
    flag: *const AtomicBool,
    is_shield: bool,
    /// The earliest deadline from here outwards.
    earliest: Option<Instant>,
    outer: *const Level,
    /// Its number, drawn when it is first unwound to; 0 before.
    number: Cell<u64>,
    _pinned: PhantomPinned,
}

/// Where the innermost level of a coroutine or thread is noted.
pub(crate) type Innermost = Cell<*const Level>;

/// What a cancelled coroutine unwinds with.
struct Unwinding {
    to: Destination,
}

#[derive(PartialEq, Eq)]
enum Destination {
    /// The level with this number.
    Level(u64),
    /// The end of the coroutine with this id.
    End(u64),
}

/// Is this the payload of an unwinding because of a cancellation, and not of a panic?
pub fn is_cancellation(payload: &(dyn Any + Send)) -> bool {
    payload.is::<Unwinding>()
}

/// Is this the payload of an unwinding to the end of the coroutine itself?
pub(crate) fn is_for_end(payload: &(dyn Any + Send), task: TaskRef) -> bool {
    let unwinding = payload.downcast_ref::<Unwinding>();
    unwinding.is_some_and(|unwinding| unwinding.to == Destination::End(task.id().get()))
}

thread_local! {
    /// For what runs on the thread outside of coroutines.
    static OF_THREAD: Innermost = const { Cell::new(ptr::null()) };
}

impl Level {
    pub(crate) fn until(deadline: Instant) -> Level {
        Level {
            deadline: Some(deadline),
            ..Level::bare()
        }
    }

    pub(crate) fn with(token: CancelToken) -> Level {
        Level {
            token: Some(token),
            ..Level::bare()
        }
    }

    /// A level that is over once the flag is raised, which outlives it.
    pub(crate) fn flagged(flag: &AtomicBool) -> Level {
        Level {
            flag,
            ..Level::bare()
        }
    }

    pub(crate) fn shield() -> Level {
        Level {
            is_shield: true,
            ..Level::bare()
        }
    }

    fn bare() -> Level {
        Level {
            deadline: None,
            token: None,
            flag: ptr::null(),
            is_shield: false,
            earliest: None,
            outer: ptr::null(),
            number: Cell::new(0),
            _pinned: PhantomPinned,
        }
    }

    /// Runs `f` inside of this level. `None` if it was left because the level was over.
    pub(crate) fn run<T>(self, f: impl FnOnce() -> T) -> Option<T> {
        let level = pin!(self);
        let entered = level.enter();
        // What `f` leaves half-done is as visible as after a panic that a `catch_unwind` of the caller's has caught; the types that mind are
        // poisoned. A future that is dropped half-way leaves no less.
        let result = catch_unwind(AssertUnwindSafe(f));
        match result {
            Ok(value) => Some(value),
            Err(payload) if entered.level.is_destination(&*payload) => None,
            Err(payload) => {
                drop(entered);
                resume_unwind(payload)
            }
        }
    }

    fn enter(self: Pin<&mut Self>) -> Entered<'_> {
        let worker = Worker::current().filter(|worker| worker.running().is_some());
        let place = match worker.and_then(Worker::control) {
            Some(control) => &raw const control.innermost,
            None => OF_THREAD.with(ptr::from_ref),
        };
        // SAFETY: a control block lives for as long as its coroutine, a thread local without destructor as long as its thread. Nothing is
        // moved out of the pin.
        let level = unsafe {
            let level = self.get_unchecked_mut();
            level.outer = (*place).get();
            level.earliest = level.deadline;
            if let Some(outer) = level.outer.as_ref()
                && !level.is_shield
            {
                level.earliest = [level.deadline, outer.earliest].into_iter().flatten().min();
            }
            (*place).set(ptr::from_ref(level));
            Pin::new_unchecked(&*level)
        };
        if let Some(worker) = worker {
            worker.levels.update(|count| count + 1);
        }
        // A token that is cancelled already needs nobody to tell: the next wait asks it.
        let listening = level.token.as_ref().and_then(|token| {
            token.listen(|| match worker.and_then(Worker::running) {
                Some(task) => Listener::coroutine(task),
                None => Listener::Thread(thread_wait::of_current()),
            })
        });
        Entered {
            level: level.get_ref(),
            place,
            worker,
            listening,
        }
    }

    fn is_over(&self, now: &mut Option<Instant>) -> bool {
        self.is_cancelled()
            || self
                .deadline
                .is_some_and(|deadline| deadline <= *now.get_or_insert_with(crate::time::now))
    }

    fn is_cancelled(&self) -> bool {
        // SAFETY: the flag outlives the level, which is linked.
        let raised = unsafe { self.flag.as_ref() }.is_some_and(|flag| flag.load(Ordering::SeqCst));
        raised || self.token.as_ref().is_some_and(CancelToken::is_cancelled)
    }

    fn is_destination(&self, payload: &(dyn Any + Send)) -> bool {
        let unwinding = payload.downcast_ref::<Unwinding>();
        unwinding.is_some_and(|unwinding| unwinding.to == Destination::Level(self.number.get()))
    }

    /// The earliest deadline from here outwards, as far as can be seen.
    pub(super) fn earliest(&self) -> Option<Instant> {
        self.earliest
    }
}

/// A level that is the innermost one for as long as this lives.
struct Entered<'a> {
    level: &'a Level,
    place: *const Innermost,
    /// The worker that counts the level, if a coroutine has entered it.
    worker: Option<&'static Worker>,
    listening: Option<Key>,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let (Some(token), Some(key)) = (&self.level.token, self.listening.take()) {
            token.ignore(key);
        }
        // SAFETY: as in `enter`; this stays in the frame of `run`, and so in its coroutine.
        unsafe { (*self.place).set(self.level.outer) };
        if let Some(worker) = self.worker {
            worker.levels.update(|count| count - 1);
        }
    }
}

/// Who asks, and what it is inside of.
pub(super) struct Surroundings {
    innermost: Option<&'static Level>,
    task: Option<TaskRef>,
}

impl Surroundings {
    /// Those of the caller; `None` if it is inside of nothing and was not cancelled.
    #[inline(always)]
    pub(super) fn of_caller() -> Option<Surroundings> {
        match Worker::current() {
            Some(worker) if worker.running().is_some() => {
                if worker.levels.get() == 0 {
                    return None;
                }
                Surroundings::of_coroutine(worker)
            }
            _ => Surroundings::of_thread(),
        }
    }

    /// As `of_caller`, for one that may not have let its worker's thread look at its nudges for long.
    pub(super) fn looked_for() -> Option<Surroundings> {
        match Worker::current() {
            Some(worker) if worker.running().is_some() => Surroundings::of_coroutine(worker),
            _ => Surroundings::of_thread(),
        }
    }

    #[inline(never)]
    fn of_coroutine(worker: &Worker) -> Option<Surroundings> {
        // SAFETY: a level that is linked is alive: the frame of its `run` is one of the caller's callers. The reference is used by this
        // module alone, in calls that end before that frame does.
        let innermost = unsafe { worker.control()?.innermost.get().as_ref() };
        let task = worker.running().filter(|task| task.is_cancelled());
        (innermost.is_some() || task.is_some()).then_some(Surroundings { innermost, task })
    }

    #[inline(always)]
    fn of_thread() -> Option<Surroundings> {
        // SAFETY: as above.
        let innermost = unsafe { OF_THREAD.get().as_ref() }?;
        Some(Surroundings {
            innermost: Some(innermost),
            task: None,
        })
    }

    pub(super) fn earliest(&self) -> Option<Instant> {
        self.innermost.and_then(Level::earliest)
    }

    pub(super) fn is_thread(&self) -> bool {
        Worker::current().and_then(Worker::running).is_none()
    }

    /// The levels that can be seen, from the innermost outwards.
    fn visible(&self) -> impl Iterator<Item = &'static Level> {
        let next = |level: &&'static Level| {
            // SAFETY: outer levels are alive as long as inner ones.
            unsafe { level.outer.as_ref() }
        };
        std::iter::successors(self.innermost, next).take_while(|level| !level.is_shield)
    }

    fn is_shielded(&self) -> bool {
        let next = |level: &&'static Level| {
            // SAFETY: as above.
            unsafe { level.outer.as_ref() }
        };
        std::iter::successors(self.innermost, next).any(|level| level.is_shield)
    }

    /// Was something that can be seen cancelled? Deadlines do not count.
    pub(super) fn is_cancelled(&self) -> bool {
        self.visible().any(Level::is_cancelled) || (self.task.is_some() && !self.is_shielded())
    }

    /// Is anything over that can be seen?
    pub(super) fn check(&self) -> Result<(), Cancelled> {
        let mut now = None;
        if let Some(level) = self.visible().find(|level| level.is_over(&mut now)) {
            if let Some(token) = &level.token {
                token.check()?;
            }
            return Err(Cancelled::default());
        }
        match self.task {
            Some(_) if !self.is_shielded() => Err(Cancelled::default()),
            _ => Ok(()),
        }
    }

    /// Unwinds to the outermost level that is over, if there is one.
    #[cold]
    #[inline(never)]
    pub(super) fn leave_what_is_over(&self) {
        let mut now = None;
        let over = self
            .visible()
            .filter(|level| level.is_over(&mut now))
            .last();
        let to = match self.task.filter(|_| !self.is_shielded()) {
            Some(task) => Destination::End(task.id().get()),
            None => match over {
                Some(level) => Destination::Level(level.drawn_number()),
                None => return,
            },
        };
        // Not a panic: no hook runs, nothing is printed.
        resume_unwind(Box::new(Unwinding { to }));
    }
}

impl Level {
    fn drawn_number(&self) -> u64 {
        if self.number.get() == 0 {
            static DRAWN: AtomicU64 = AtomicU64::new(0);
            self.number.set(DRAWN.fetch_add(1, Ordering::Relaxed) + 1);
        }
        self.number.get()
    }
}

/// Is a parked coroutine to be woken, because something that it can see was cancelled?
///
/// # Safety
/// `innermost` is that of `task`, which is parked on the calling thread's worker.
pub(crate) unsafe fn is_cancelled(innermost: &Innermost, task: TaskRef) -> bool {
    // SAFETY: what is linked is alive, and does not go while the coroutine is parked.
    let innermost = unsafe { innermost.get().as_ref() };
    let task = Some(task).filter(|task| task.is_cancelled());
    Surroundings { innermost, task }.is_cancelled()
}

/// Hides what is further out from whatever the calling coroutine still does. For the end of its closure, when only destructors are left.
pub(crate) fn shield_for_good(innermost: &Innermost) {
    struct Static(Level);
    // SAFETY: it is never changed: nothing unwinds to a shield, so that it has no number.
    unsafe impl Sync for Static {}
    static SHIELD: Static = Static(Level {
        deadline: None,
        token: None,
        flag: ptr::null(),
        is_shield: true,
        earliest: None,
        outer: ptr::null(),
        number: Cell::new(0),
        _pinned: PhantomPinned,
    });
    innermost.set(&raw const SHIELD.0);
}
