//! The timers of one worker: a 4-ary heap of deadlines.
//!
//! # Invariants
//! - `heap` is ordered by deadline, each entry no earlier than its parent. Each entry has a slot, which names the signal that waits, or nobody
//!   if the timer was cancelled. The first entry of the heap is not a cancelled one.
//! - An armed slot's signal is alive: its waiter cancels the timer before the signal goes, unless it has fired.
//! - A slot is used again when its entry has left the heap.
//! - Nothing fires early: a timer fires when a reading of the clock is at or past its deadline.
//!
//! To cancel is to empty the slot. Where an entry stands nobody has to know, so moving entries writes nothing but the heap: with 100,000
//! timers, keeping track of positions took longer than moving. Cancelled ones are swept out together when they are the majority, so that a
//! timeout that is not reached, as most are not, costs a push and its share of a sweep.
//!
//! Four children per node halve the depth (as in Go's timer heap). Rejected: a hashed or hierarchical wheel (its tick bounds the precision, or
//! it cascades; with intrusive slots it touches stacks, which are spread over memory).

use std::ptr;
use std::time::{Duration, Instant};

use crate::scheduler::run_queue::prefetch;
use crate::scheduler::signal::{Signal, Wakeup};

const CHILDREN: usize = 4;

/// So many signals are on their way to the cache before the first of them is needed.
const BATCH: usize = 16;

/// So few cancelled timers are not worth a sweep.
const FEW: usize = 64;

#[derive(Clone, Copy)]
struct Entry {
    /// In nanoseconds since `base`: compared at once, and half the size of an `Instant`.
    deadline: u64,
    slot: u32,
}

/// The signal of an entry in the heap, null if it was cancelled; or, odd, the next free slot.
type Slot = *const Signal;

/// Names an armed timer to its owner.
#[derive(Clone, Copy)]
pub(crate) struct TimerId(u32);

pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    free: u32,
    /// How many entries were cancelled.
    cancelled: usize,
    /// Earlier than all times.
    base: Instant,
}

// SAFETY: the signals are only notified, which any thread may do, while the invariant keeps them alive.
unsafe impl Send for Timers {}

const NONE: u32 = u32::MAX;

impl Timers {
    /// `base` is no later than any time that the runtime's clock has told.
    pub(crate) fn new(base: Instant) -> Timers {
        Timers {
            heap: Vec::new(),
            slots: Vec::new(),
            free: NONE,
            cancelled: 0,
            base,
        }
    }

    /// How many are armed.
    pub(crate) fn len(&self) -> usize {
        self.heap.len() - self.cancelled
    }

    /// Times before `base` have passed, and those in more than 500 years do not come.
    fn nanoseconds(&self, time: Instant) -> u64 {
        let since = time.saturating_duration_since(self.base);
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let first = self.heap.first()?;
        self.base.checked_add(Duration::from_nanos(first.deadline))
    }

    pub(crate) fn insert(&mut self, deadline: Instant, signal: *const Signal) -> TimerId {
        let deadline = self.nanoseconds(deadline);
        let slot = match self.free {
            NONE => {
                let slot =
                    u32::try_from(self.slots.len()).expect("at most 2^32 - 1 timers on one worker");
                self.slots.push(signal);
                slot
            }
            slot => {
                let place = &mut self.slots[slot as usize];
                self.free = (place.addr() >> 1) as u32;
                *place = signal;
                slot
            }
        };
        self.heap.push(Entry { deadline, slot });
        self.sift_up(self.heap.len() - 1);
        TimerId(slot)
    }

    /// Disarms the timer of `signal`, which was notified; unless the deadline has passed in the same moment, and removed it.
    pub(crate) fn cancel(&mut self, timer: TimerId, signal: *const Signal) {
        let slot = &mut self.slots[timer.0 as usize];
        // The slot may serve another timer by now, but then another signal: this one is alive.
        if !ptr::eq(*slot, signal) {
            return;
        }
        *slot = ptr::null();
        self.cancelled += 1;
        if self.heap[0].slot == timer.0 {
            self.drop_cancelled();
        } else if self.cancelled > FEW && self.cancelled > self.heap.len() / 2 {
            self.sweep();
        }
    }

    /// Fires every timer that is due at `now`. Returns how many. The wake-ups of async tasks are foreign code, for which the lock is no place:
    /// they are put into `outside`.
    pub(crate) fn fire(&mut self, now: Instant, outside: &mut Vec<Wakeup>) -> usize {
        if self.heap.is_empty() {
            return 0;
        }
        let now = self.nanoseconds(now);
        let mut fired = 0;
        loop {
            let mut due: [Slot; BATCH] = [ptr::null(); BATCH];
            let mut count = 0;
            while count < BATCH
                && let Some(&first) = self.heap.first()
                && first.deadline <= now
            {
                due[count] = self.slots[first.slot as usize];
                count += 1;
                self.remove_first();
                self.drop_cancelled();
            }
            // All at once: each is on a stack of its own, and so a miss of the TLB, of which the processor can walk several at a time.
            for signal in &due[..count] {
                prefetch(signal.addr());
            }
            for &signal in &due[..count] {
                // SAFETY: an armed slot's signal is alive: even a waiter that was notified first has to come by `cancel`, under the
                // lock that the caller holds, before its signal goes. That lock is also the one under which tasks look.
                fired += usize::from(unsafe {
                    if (*signal).is_outside() {
                        let wakeup = Signal::claim(signal);
                        let claimed = wakeup.is_some();
                        outside.extend(wakeup);
                        claimed
                    } else {
                        Signal::expire(signal)
                    }
                });
            }
            if count < BATCH {
                return fired;
            }
        }
    }

    /// Removes cancelled entries from the front.
    fn drop_cancelled(&mut self) {
        while self.cancelled != 0
            && let Some(&first) = self.heap.first()
            && self.slots[first.slot as usize].is_null()
        {
            self.cancelled -= 1;
            self.remove_first();
        }
    }

    /// Removes all cancelled entries.
    #[cold]
    fn sweep(&mut self) {
        let mut kept = 0;
        for position in 0..self.heap.len() {
            let entry = self.heap[position];
            if self.slots[entry.slot as usize].is_null() {
                self.release(entry.slot);
            } else {
                self.heap[kept] = entry;
                kept += 1;
            }
        }
        self.heap.truncate(kept);
        self.cancelled = 0;
        for position in (0..kept.div_ceil(CHILDREN)).rev() {
            self.sift_down(position);
        }
    }

    fn release(&mut self, slot: u32) {
        self.slots[slot as usize] = ptr::without_provenance(((self.free as usize) << 1) | 1);
        self.free = slot;
    }

    fn remove_first(&mut self) {
        let first = self.heap.swap_remove(0);
        self.release(first.slot);
        if !self.heap.is_empty() {
            self.sift_down(0);
        }
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if self.heap[parent].deadline <= entry.deadline {
                break;
            }
            self.heap[position] = self.heap[parent];
            position = parent;
        }
        self.heap[position] = entry;
    }

    fn sift_down(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * CHILDREN + 1;
            let last = (first + CHILDREN).min(self.heap.len());
            let children = self.heap.get(first..last).unwrap_or_default();
            let Some((least, child)) = (children.iter().enumerate())
                .min_by_key(|(_, child)| child.deadline)
                .map(|(index, child)| (first + index, *child))
            else {
                break;
            };
            if child.deadline >= entry.deadline {
                break;
            }
            self.heap[position] = child;
            position = least;
        }
        self.heap[position] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    /// A small generator, so that the order is mixed and the test the same each time.
    fn mixed(n: u64) -> u64 {
        n.wrapping_mul(6364136223846793005).rotate_left(23) % 1000
    }

    fn fire(timers: &mut Timers, now: Instant) -> usize {
        let mut outside = Vec::new();
        let fired = timers.fire(now, &mut outside);
        assert_eq!(fired, outside.len(), "the signals are those of a thread");
        outside.into_iter().for_each(Wakeup::wake);
        fired
    }

    #[test]
    fn fires_in_order_of_deadline_and_never_early() {
        let start = Instant::now();
        let signals: Vec<Signal> = (0..500).map(|_| Signal::new()).collect();
        let mut timers = Timers::new(start);
        let mut deadlines: Vec<u64> = (0..500).map(mixed).collect();
        let ids: Vec<TimerId> = (deadlines.iter().zip(&signals))
            .map(|(&ms, signal)| timers.insert(start + Duration::from_millis(ms), signal))
            .collect();
        for i in (0..500).step_by(3) {
            timers.cancel(ids[i], &raw const signals[i]);
        }
        let mut left: Vec<u64> = (0..500)
            .filter(|i| i % 3 != 0)
            .map(|i| deadlines[i])
            .collect();
        left.sort_unstable();
        deadlines.sort_unstable();
        for ms in 0..1000 {
            let due = left.iter().take_while(|&&d| d <= ms).count();
            assert_eq!(fire(&mut timers, start + Duration::from_millis(ms)), due);
            left.drain(..due);
            assert_eq!(
                timers.next_deadline(),
                left.first().map(|&d| start + Duration::from_millis(d))
            );
        }
        assert_eq!(timers.len(), 0);
    }

    #[test]
    fn cancelling_a_timer_whose_slot_serves_another_leaves_that_one_alone() {
        let now = Instant::now();
        let (first, second) = (Signal::new(), Signal::new());
        let mut timers = Timers::new(Instant::now());
        let id = timers.insert(now, &raw const first);
        assert_eq!(fire(&mut timers, now), 1);
        timers.insert(now, &raw const second);
        timers.cancel(id, &raw const first);
        assert_eq!(timers.len(), 1);
    }

    /// Against a plain list, with more cancelled than fired.
    #[test]
    fn any_mixture_of_arming_cancelling_and_firing() {
        let start = Instant::now();
        let signals: Vec<Signal> = (0..3000).map(|_| Signal::new()).collect();
        let mut timers = Timers::new(start);
        let mut armed: Vec<(u64, usize, TimerId)> = Vec::new();
        let mut now = 0;
        for (n, signal) in signals.iter().enumerate() {
            let deadline = now + mixed(n as u64);
            let at = start + Duration::from_millis(deadline);
            armed.push((deadline, n, timers.insert(at, signal)));
            if n % 3 != 0 {
                let (_, victim, id) = armed.swap_remove(mixed(n as u64 + 7) as usize % armed.len());
                timers.cancel(id, &raw const signals[victim]);
                // A second time, as when the deadline has passed in the same moment.
                timers.cancel(id, &raw const signals[victim]);
            }
            if n % 50 == 0 {
                now += mixed(n as u64) / 4;
                let due = armed
                    .iter()
                    .filter(|(deadline, ..)| *deadline <= now)
                    .count();
                assert_eq!(fire(&mut timers, start + Duration::from_millis(now)), due);
                armed.retain(|(deadline, ..)| *deadline > now);
            }
            assert_eq!(timers.len(), armed.len());
            let first = armed.iter().map(|(deadline, ..)| *deadline).min();
            assert_eq!(
                timers.next_deadline(),
                first.map(|ms| start + Duration::from_millis(ms))
            );
            assert!(
                timers.heap.len() <= 2 * armed.len() + FEW + 1,
                "they are swept out"
            );
        }
        assert!(timers.slots.len() < 1500, "slots are used again");
    }

    #[test]
    fn times_that_are_out_of_reach() {
        let mut timers = Timers::new(Instant::now());
        let signals = [Signal::new(), Signal::new()];
        let far = Instant::now() + Duration::from_secs(1 << 40);
        timers.insert(far, &raw const signals[0]);
        assert_eq!(fire(&mut timers, Instant::now()), 0);
        if let Some(past) = Instant::now().checked_sub(Duration::from_secs(1)) {
            timers.insert(past, &raw const signals[1]);
            assert_eq!(fire(&mut timers, Instant::now()), 1);
        }
        assert_eq!(timers.len(), 1);
    }
}
