//! [`Interval`]: ticks at a steady pace.

use std::time::{Duration, Instant};

use super::{now, sleep_until, sleep_until_async};

/// What an [`Interval`] does about ticks that were due while nobody waited for them. The first of them comes at once in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MissedTickBehavior {
    /// Catches up: all of them come, one after the other, without a pause. As many ticks as periods have passed.
    #[default]
    Burst,
    /// Starts anew: the next one comes a period after the late one. Ticks are never closer than a period.
    Delay,
    /// Drops them: the next one comes when it would have come anyway. Ticks stay at multiples of the period.
    Skip,
}

/// Ticks at a steady pace. Made by [`interval`] and [`interval_at`].
///
/// The pace is that of the clock: the time that is spent between two ticks does not delay the next one. It is an iterator that never ends, too.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use corun::time::{MissedTickBehavior, interval, now};
///
/// # corun::Runtime::builder().start_paused(true).build().unwrap().block_on(|| {
/// let start = now();
/// let mut ticks = interval(Duration::from_secs(10));
/// ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
/// let mut seen = Vec::new();
/// for tick in ticks.take(4) {
///     seen.push((tick - start).as_secs());
///     if seen.len() == 2 {
///         corun::sleep(Duration::from_secs(25)); // too long
///     }
/// }
/// // The tick of 20 came late, at 35; that of 30 is dropped; and then the pace is as before.
/// assert_eq!(seen, [0, 10, 20, 40]);
/// # });
/// ```
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
    behavior: MissedTickBehavior,
}

/// Ticks every `period`, from now on: the first one comes at once.
///
/// # Panics
/// If `period` is zero.
#[track_caller]
pub fn interval(period: Duration) -> Interval {
    interval_at(now(), period)
}

/// Ticks every `period`, the first time at `start`.
///
/// # Panics
/// If `period` is zero.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use corun::time::{interval_at, now};
///
/// let period = Duration::from_millis(2);
/// let start = now() + period;
/// let ticks: Vec<_> = interval_at(start, period).take(3).collect();
/// assert_eq!(ticks, [start, start + period, start + 2 * period]);
/// ```
#[track_caller]
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval of zero never ends");
    Interval {
        next: start,
        period,
        behavior: MissedTickBehavior::default(),
    }
}

/// Somebody is always a little late: so much does not count as a missed tick, and no more than a tenth of the period.
const TOLERANCE: Duration = Duration::from_millis(5);

impl Interval {
    /// Waits for the next tick; returns when it was due.
    ///
    /// If a [`timeout`](super::timeout) ends the wait, the tick is still to come.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it has to wait.
    pub fn tick(&mut self) -> Instant {
        let due = self.next;
        let before = now();
        if due > before {
            sleep_until(due);
        } else {
            crate::checkpoint();
        }
        let now = if due > before { now() } else { before };
        self.next = self.following(due, now);
        due
    }

    /// As [`tick`](Interval::tick), for an async task. If the future is dropped before it is ready, the tick is still to come.
    ///
    /// # Examples
    /// ```
    /// use corun::time::Interval;
    ///
    /// async fn three(interval: &mut Interval) {
    ///     for _ in 0..3 {
    ///         println!("{:?}", interval.tick_async().await);
    ///     }
    /// }
    /// # let _ = three;
    /// ```
    pub async fn tick_async(&mut self) -> Instant {
        let due = self.next;
        sleep_until_async(due).await;
        self.next = self.following(due, now());
        due
    }

    /// When the tick after `due` comes, which was seen at `now`.
    fn following(&self, due: Instant, now: Instant) -> Instant {
        let late = now.saturating_duration_since(due);
        let in_time = late <= TOLERANCE.min(self.period / 10);
        match self.behavior {
            MissedTickBehavior::Delay if !in_time => now + self.period,
            MissedTickBehavior::Skip if late >= self.period => {
                let period = self.period.as_nanos();
                let left = period - late.as_nanos() % period;
                let (seconds, nanoseconds) = (left / 1_000_000_000, left % 1_000_000_000);
                now + Duration::new(seconds as u64, nanoseconds as u32)
            }
            _ => due + self.period,
        }
    }

    /// Begins anew: the next tick comes a period from now.
    pub fn reset(&mut self) {
        self.next = now() + self.period;
    }

    /// The next tick comes at once, and the others follow it.
    pub fn reset_immediately(&mut self) {
        self.next = now();
    }

    /// The next tick comes after `after`, and the others follow it.
    pub fn reset_after(&mut self, after: Duration) {
        self.next = now() + after;
    }

    /// The next tick comes at `at`, and the others follow it.
    pub fn reset_at(&mut self, at: Instant) {
        self.next = at;
    }

    /// When the next tick comes.
    pub fn next_tick(&self) -> Instant {
        self.next
    }

    /// How far apart ticks are.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What is done about missed ticks.
    pub fn missed_tick_behavior(&self) -> MissedTickBehavior {
        self.behavior
    }

    /// Says what to do about missed ticks.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.behavior = behavior;
    }
}

impl Iterator for Interval {
    type Item = Instant;

    /// The next tick: there always is one.
    fn next(&mut self) -> Option<Instant> {
        Some(self.tick())
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Due at 100, with a period of 50, and seen as late as the first number: the next is due at the second.
    #[track_caller]
    fn following(behavior: MissedTickBehavior, cases: &[(u64, u64)]) {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut interval = interval_at(start, Duration::from_millis(50));
        interval.set_missed_tick_behavior(behavior);
        for &(late, next) in cases {
            let following = interval.following(at(100), at(100 + late));
            assert_eq!(
                (following - start).as_millis() as u64,
                next,
                "{late} ms late"
            );
        }
    }

    #[test]
    fn bursts_count_from_the_beginning() {
        following(
            MissedTickBehavior::Burst,
            &[(0, 150), (30, 150), (50, 150), (130, 150)],
        );
    }

    #[test]
    fn delays_count_from_the_late_one() {
        following(
            MissedTickBehavior::Delay,
            &[(0, 150), (5, 150), (6, 156), (130, 280)],
        );
    }

    #[test]
    fn skips_stay_in_phase() {
        following(
            MissedTickBehavior::Skip,
            &[
                (0, 150),
                (30, 150),
                (49, 150),
                (50, 200),
                (130, 250),
                (1_000_000, 1_000_150),
            ],
        );
    }
}
