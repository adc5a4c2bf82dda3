//! The clock of a runtime, which tests may stop: [`pause`], [`resume`], [`advance`].
//!
//! # Protocol
//! A paused clock stands still while anything runs. The last worker that lies down moves it to the earliest deadline of all workers' timers:
//! ```text
//!   worker, going to sleep                       whoever brings work
//!   (1) bed := SLEEPING; SeqCst fence            (a) put it into a list; SeqCst fence
//!   (2) look at one's own lists again            (b) wake a worker whose bed is occupied: the bed is empty then
//!   (3) step: all beds occupied? all lists
//!       empty? no blocking call under way?
//!       then move the clock, wake who is due
//! ```
//! - Of two workers that lie down at the same time at least one sees both beds occupied, as in `sleepers.rs`: no step is missed. If
//!   both do, the second finds the first one's timers due, and moves nothing.
//! - A worker that is up has its bed empty from before it was given work. So with all beds occupied, what is not parked stands in a list.
//! - A blocking call counts until its coroutine runs again, so that there is no moment in which it is neither.
//! - What the kernel and plain threads are about to bring is not waited for: a socket with a deadline may see it pass at once.
//!
//! A clock that was never stopped costs one load and a branch that is always the same; see [`now`].
//!
//! Rejected: a clock for each worker (they would tell each other different times); to move time in the coroutine that sleeps (others may
//! be ready); one clock for the whole process (tests run side by side).
//!
//! Checked by `tests/models/scheduler/pause.rs` in every interleaving; behaviour by `tests/time/paused_clock.rs`.

use std::ptr;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::primitive::atomic::{AtomicU32, Ordering, fence};
use crate::scheduler::lock::SpinLock;
use crate::scheduler::signal::Signal;

/// Values of `mode`.
const REAL: u32 = 0;
const PAUSED: u32 = 1;
/// It was paused, and goes again, at a distance from the system's.
const SHIFTED: u32 = 2;

/// Has any clock of the process ever been paused?
static USED: AtomicBool = AtomicBool::new(false);

/// The time of one runtime.
pub(crate) struct Clock {
    start: Instant,
    mode: AtomicU32,
    /// Held for long, system calls included, but only ever where the clock is or was paused.
    state: SpinLock<State>,
}

struct State {
    /// The time at `since`, by this clock.
    at: Instant,
    /// By the system's clock, when the clock was made to go again.
    since: Instant,
    /// Callers of `advance`, who wait until everything else waits.
    watchers: Vec<*const Signal>,
}

// SAFETY: signals are made to be notified from other threads; those in the list are alive, as their waiters wait for just that.
unsafe impl Send for State {}

/// What the clock has to know of a worker.
pub(crate) trait Sleeper {
    /// Is its bed occupied?
    fn is_asleep(&self) -> bool;
    /// Are its lists empty?
    fn is_idle(&self) -> bool;
    fn next_deadline(&self) -> Option<Instant>;
    /// Wakes it, if it sleeps.
    fn rouse(&self);
}

impl Clock {
    pub(crate) fn new(paused: bool) -> Clock {
        let now = Instant::now();
        if paused {
            USED.store(true, Ordering::Relaxed);
        }
        Clock {
            start: now,
            mode: AtomicU32::new(if paused { PAUSED } else { REAL }),
            state: SpinLock::new(State {
                at: now,
                since: now,
                watchers: Vec::new(),
            }),
        }
    }

    /// A time before all that it will tell.
    pub(crate) fn start(&self) -> Instant {
        self.start
    }

    /// Is it, or was it, paused?
    #[inline]
    pub(crate) fn is_virtual(&self) -> bool {
        USED.load(Ordering::Relaxed) && self.mode.load(Ordering::SeqCst) != REAL
    }

    #[inline]
    pub(crate) fn is_paused(&self) -> bool {
        USED.load(Ordering::Relaxed) && self.mode.load(Ordering::SeqCst) == PAUSED
    }

    /// The time by this clock, which is `real` by the system's.
    #[inline]
    pub(crate) fn at(&self, real: Instant) -> Instant {
        if self.is_virtual() {
            self.read(real)
        } else {
            real
        }
    }

    #[cold]
    fn read(&self, real: Instant) -> Instant {
        let state = self.state.lock();
        match self.mode.load(Ordering::Relaxed) {
            REAL => real,
            PAUSED => state.at,
            _ => state.at + real.saturating_duration_since(state.since),
        }
    }

    /// When the system's clock will show that a deadline of this clock has passed, if that goes on by itself.
    pub(crate) fn to_real(&self, deadline: Instant) -> Option<Instant> {
        if !self.is_virtual() {
            return Some(deadline);
        }
        let real = Instant::now();
        if self.is_paused() {
            return None;
        }
        real.checked_add(deadline.saturating_duration_since(self.read(real)))
    }

    /// Returns whether it was going.
    pub(super) fn pause(&self) -> bool {
        USED.store(true, Ordering::SeqCst);
        let mut state = self.state.lock();
        let real = Instant::now();
        match self.mode.load(Ordering::Relaxed) {
            REAL => state.at = real,
            PAUSED => return false,
            _ => state.at = state.at + real.saturating_duration_since(state.since),
        }
        self.mode.store(PAUSED, Ordering::SeqCst);
        true
    }

    /// Returns whether it was paused. All workers have to be woken then, since they sleep for ever.
    pub(super) fn resume(&self) -> bool {
        let mut state = self.state.lock();
        if self.mode.load(Ordering::Relaxed) != PAUSED {
            return false;
        }
        state.since = Instant::now();
        self.mode.store(SHIFTED, Ordering::SeqCst);
        true
    }

    /// Moves a paused clock, and has `watcher` notified when everything waits again. Returns whether it is paused.
    ///
    /// # Safety
    /// The watcher must wait for that notification, without a deadline.
    pub(super) unsafe fn advance(&self, by: Duration, watcher: &Signal) -> bool {
        let mut state = self.state.lock();
        if self.mode.load(Ordering::Relaxed) != PAUSED {
            return false;
        }
        state.at += by;
        state.watchers.push(ptr::from_ref(watcher));
        true
    }

    /// The step of a worker that has lain down: if all sleep and nothing is ready, moves a paused clock to the earliest deadline. Returns
    /// whether somebody was woken, who may be the caller.
    pub(crate) fn step<S: Sleeper>(
        &self,
        sleepers: impl Iterator<Item = S> + Clone,
        is_idle_elsewhere: impl Fn() -> bool,
        calls_under_way: impl Fn() -> bool,
    ) -> bool {
        let mut state = self.state.lock();
        if self.mode.load(Ordering::Relaxed) != PAUSED {
            return false;
        }
        if !sleepers.clone().all(|sleeper| sleeper.is_asleep()) {
            return false;
        }
        // Pairs with the release of `lie_down`: what a worker has put into lists before it slept is there.
        fence(Ordering::SeqCst);
        // First the calls: the end of one puts its coroutine into an inbox, and only that coroutine counts it out.
        let waits_for_calls = calls_under_way();
        if !is_idle_elsewhere() || !sleepers.clone().all(|sleeper| sleeper.is_idle()) {
            return false;
        }
        let deadlines = sleepers
            .clone()
            .filter_map(|sleeper| sleeper.next_deadline());
        let Some(earliest) = deadlines.min().filter(|earliest| {
            *earliest <= state.at || (state.watchers.is_empty() && !waits_for_calls)
        }) else {
            if state.watchers.is_empty() {
                return false;
            }
            for watcher in state.watchers.drain(..) {
                // SAFETY: it waits for this call.
                unsafe { Signal::notify(watcher) };
            }
            // A watcher of this worker is in its run queue now, where others do not see it: it has to be up before the lock is free.
            sleepers.for_each(|sleeper| sleeper.rouse());
            return true;
        };
        state.at = state.at.max(earliest);
        let now = state.at;
        sleepers
            .filter(|sleeper| {
                sleeper
                    .next_deadline()
                    .is_some_and(|deadline| deadline <= now)
            })
            .for_each(|sleeper| sleeper.rouse());
        true
    }
}

/// The present time, by the clock that everything in this crate goes by: the system's, as [`Instant::now`], unless the caller is
/// a coroutine of a runtime whose clock was [paused](crate::time::pause()).
///
/// # Examples
/// ```
/// use std::time::Duration;
///
/// let start = corun::time::now();
/// corun::sleep(Duration::from_millis(5));
/// assert!(corun::time::now() - start >= Duration::from_millis(5));
/// ```
#[inline]
pub fn now() -> Instant {
    let real = Instant::now();
    if USED.load(Ordering::Relaxed) {
        return super::pause::now_of_caller(real);
    }
    real
}
