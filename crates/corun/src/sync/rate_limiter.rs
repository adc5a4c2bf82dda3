//! [`RateLimiter`].
//!
//! A token bucket as the generic cell rate algorithm computes it: one number, the time at which the bucket will be full again. To take tokens moves
//! it by their intervals; they are there once it is no more than the whole bucket's intervals ahead. Nothing is refilled, so nothing
//! runs in the background.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::time::{Duration, Instant};

use crate::scheduler;
use crate::scheduler::lock::SpinLock;
use crate::time::{now, sleep_until};

/// Times are counted in 2^-20 ns from the limiter's first use, so that intervals like a third of a second do not add up to errors: `u128`
/// holds 10^19 years of it.
const FRACTION: u32 = 20;

/// Lets things happen at a steady rate, with bursts up to a size: a token bucket. It starts full.
///
/// Waiters are served in the order of their calls. Times are those of [`corun::time::now`](crate::time::now), and so of a paused clock too.
///
/// # Examples
/// ```
/// use corun::sync::RateLimiter;
/// use std::time::{Duration, Instant};
///
/// let limiter = RateLimiter::new(1000, Duration::from_secs(1)).burst(2);
/// let start = Instant::now();
/// for _ in 0..6 {
///     limiter.wait(); // two at once, then one a millisecond
/// }
/// assert!(start.elapsed() >= Duration::from_millis(4));
/// ```
pub struct RateLimiter {
    /// The time for one token, in units.
    interval: u128,
    burst: u32,
    state: SpinLock<State>,
}

struct State {
    /// The first use.
    epoch: Option<Instant>,
    /// When the bucket will be full, in units after the epoch.
    full_at: u128,
}

// No code of the user's runs under the lock.
impl UnwindSafe for RateLimiter {}
impl RefUnwindSafe for RateLimiter {}

/// Tokens that will be there at a certain time: what [`RateLimiter::reserve`] returns.
///
/// They are taken already; to drop it gives nothing back, to [`cancel`](Reservation::cancel) it may.
#[must_use = "the time when the tokens are there is what was asked for"]
pub struct Reservation<'a> {
    limiter: &'a RateLimiter,
    at: Instant,
    /// What the reservation moved the bucket's time from and to.
    moved: (u128, u128),
}

impl RateLimiter {
    /// `count` tokens in each `period`, and as many in a burst: see [`burst`](RateLimiter::burst).
    ///
    /// # Panics
    /// If `count` or `period` is zero.
    #[must_use]
    pub const fn new(count: u32, period: Duration) -> RateLimiter {
        assert!(
            count != 0 && !period.is_zero(),
            "a rate needs a count and a period"
        );
        RateLimiter {
            interval: (period.as_nanos() << FRACTION) / count as u128,
            burst: count,
            state: SpinLock::new(State {
                epoch: None,
                full_at: 0,
            }),
        }
    }

    /// With a bucket of so many tokens.
    ///
    /// # Panics
    /// If it is zero.
    #[must_use]
    pub const fn burst(mut self, size: u32) -> RateLimiter {
        assert!(size != 0, "an empty bucket lets nothing through");
        self.burst = size;
        self
    }

    /// Waits for a token.
    ///
    /// Who is cancelled ([`timeout`](crate::timeout)) while it waits gives the token back if nobody has reserved a later one.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(&self) {
        scheduler::safepoint();
        self.reserved(1).wait();
    }

    /// Waits for so many tokens.
    ///
    /// # Panics
    /// If they are more than the bucket holds; and as for [`wait`](RateLimiter::wait).
    #[track_caller]
    pub fn wait_many(&self, count: u32) {
        scheduler::safepoint();
        match self.reserve_many(count) {
            Some(reservation) => reservation.wait(),
            None => panic!("{count} tokens are never there at once"),
        }
    }

    /// Takes a token if there is one.
    pub fn try_acquire(&self) -> bool {
        self.try_acquire_many(1)
    }

    /// Takes so many tokens if they are there.
    pub fn try_acquire_many(&self, count: u32) -> bool {
        scheduler::safepoint();
        let now = now();
        let mut state = self.state.lock();
        let (from, to) = self.moved(&mut state, now, count);
        let is_there = to <= state.units_until(now) + self.capacity();
        state.full_at = if is_there { to } else { from };
        is_there
    }

    /// Takes a token, which may be there later only: the caller is to wait until then, or to [`cancel`](Reservation::cancel).
    pub fn reserve(&self) -> Reservation<'_> {
        self.reserved(1)
    }

    /// As [`reserve`](RateLimiter::reserve), for so many tokens. `None` if they are more than the bucket holds.
    #[must_use]
    pub fn reserve_many(&self, count: u32) -> Option<Reservation<'_>> {
        (count <= self.burst).then(|| self.reserved(count))
    }

    fn reserved(&self, count: u32) -> Reservation<'_> {
        let now = now();
        let mut state = self.state.lock();
        let moved = self.moved(&mut state, now, count);
        state.full_at = moved.1;
        let wait = moved
            .1
            .saturating_sub(state.units_until(now) + self.capacity());
        drop(state);
        // Rounded up: never early.
        let nanos = wait.div_ceil(1 << FRACTION);
        let wait = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        Reservation {
            limiter: self,
            // So far away only if a period is.
            at: now.checked_add(wait).unwrap_or(now),
            moved,
        }
    }

    /// From when to when so many tokens would move the time at which the bucket is full.
    fn moved(&self, state: &mut State, now: Instant, count: u32) -> (u128, u128) {
        state.epoch.get_or_insert(now);
        let from = state.full_at.max(state.units_until(now));
        (from, from + self.interval * u128::from(count))
    }

    fn capacity(&self) -> u128 {
        self.interval * u128::from(self.burst)
    }
}

impl State {
    fn units_until(&self, now: Instant) -> u128 {
        let time = self.epoch.map(|epoch| now.saturating_duration_since(epoch));
        time.unwrap_or_default().as_nanos() << FRACTION
    }
}

impl Reservation<'_> {
    /// When the tokens are there.
    #[must_use]
    pub fn ready_at(&self) -> Instant {
        self.at
    }

    /// How long it is until then.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.at.saturating_duration_since(now())
    }

    /// Waits until the tokens are there.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn wait(self) {
        struct Cancel<'a>(Option<Reservation<'a>>);
        impl Drop for Cancel<'_> {
            fn drop(&mut self) {
                if let Some(reservation) = self.0.take() {
                    reservation.cancel();
                }
            }
        }
        if self.at > now() {
            let at = self.at;
            let mut unless_waited = Cancel(Some(self));
            sleep_until(at);
            unless_waited.0 = None;
        }
    }

    /// Gives the tokens back, if none have been taken after them: else those who took them would have to be told to come earlier.
    pub fn cancel(self) {
        let mut state = self.limiter.state.lock();
        if state.full_at == self.moved.1 {
            state.full_at = self.moved.0;
        }
    }
}

impl fmt::Debug for RateLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = u64::try_from(self.interval >> FRACTION).unwrap_or(u64::MAX);
        f.debug_struct("RateLimiter")
            .field("interval", &Duration::from_nanos(nanos))
            .field("burst", &self.burst)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("ready_at", &self.at)
            .finish_non_exhaustive()
    }
}
