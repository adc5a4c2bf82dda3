//! The timers of one worker: a 4-ary heap of deadlines.
//!
//! # Invariants
//! - `heap` is ordered by deadline, each entry no earlier than its parent; `slots[entry.slot].position` is where the entry
//!   stands. The way back goes through the compact slot table rather than through the waiting signals, which lie on stacks
//!   spread over memory: sifting 100,000 timers would miss the cache at each step.
//! - An armed slot's signal is alive: its waiter cancels the timer before the signal goes, unless it has fired.
//! - Nothing fires early: a timer fires when a reading of the clock is at or past its deadline.
//!
//! Four children per node fit a cache line of entries and halve the depth (as in Go's timer heap). Rejected: a hashed or hierarchical
//! wheel (its tick bounds the precision, or it cascades; with intrusive slots it too touches stacks).

use std::ptr;
use std::time::Instant;

use crate::scheduler::signal::Signal;

const CHILDREN: usize = 4;

#[derive(Clone, Copy)]
struct Entry {
    deadline: Instant,
    slot: u32,
}

#[derive(Clone, Copy)]
struct Slot {
    /// Position in the heap of an armed slot; the next free slot of a free one.
    position: u32,
    signal: *const Signal,
}

/// Names an armed timer to its owner.
#[derive(Clone, Copy)]
pub(crate) struct TimerId(u32);

pub(crate) struct Timers {
    heap: Vec<Entry>,
    slots: Vec<Slot>,
    free: u32,
}

// SAFETY: the signals are only notified, which any thread may do, while the invariant keeps them alive.
unsafe impl Send for Timers {}

const NONE: u32 = u32::MAX;

impl Timers {
    pub(crate) fn new() -> Timers {
        Timers {
            heap: Vec::new(),
            slots: Vec::new(),
            free: NONE,
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.heap.len()
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.heap.first().map(|entry| entry.deadline)
    }

    pub(crate) fn insert(&mut self, deadline: Instant, signal: *const Signal) -> TimerId {
        let slot = match self.free {
            NONE => {
                let slot =
                    u32::try_from(self.slots.len()).expect("at most 2^32 - 1 timers on one worker");
                self.slots.push(Slot {
                    position: 0,
                    signal,
                });
                slot
            }
            slot => {
                self.free = self.slots[slot as usize].position;
                self.slots[slot as usize].signal = signal;
                slot
            }
        };
        self.heap.push(Entry { deadline, slot });
        self.sift_up(self.heap.len() - 1);
        TimerId(slot)
    }

    /// Disarms the timer of `signal`, which was notified; unless the deadline has passed in the same moment, and removed it.
    pub(crate) fn cancel(&mut self, timer: TimerId, signal: *const Signal) {
        let slot = self.slots[timer.0 as usize];
        // The slot may serve another timer by now, but then another signal: this one is alive.
        if ptr::eq(slot.signal, signal) {
            self.remove(slot.position as usize);
        }
    }

    /// Fires every timer that is due at `now`. Returns how many.
    pub(crate) fn fire(&mut self, now: Instant) -> usize {
        let mut fired = 0;
        while let Some(&first) = self.heap.first() {
            if first.deadline > now {
                break;
            }
            let signal = self.slots[first.slot as usize].signal;
            self.remove(0);
            // SAFETY: an armed slot's signal is alive: even a waiter that was notified first has to come by `cancel`, under the
            // lock that the caller holds, before its signal goes.
            if unsafe { Signal::expire(signal) } {
                fired += 1;
            }
        }
        fired
    }

    fn remove(&mut self, position: usize) {
        let slot = self.heap[position].slot;
        self.slots[slot as usize] = Slot {
            position: self.free,
            signal: ptr::null(),
        };
        self.free = slot;
        self.heap.swap_remove(position);
        if position < self.heap.len() {
            self.sift_down(position);
            self.sift_up(position);
        }
    }

    fn sift_up(&mut self, mut position: usize) {
        let entry = self.heap[position];
        while position > 0 {
            let parent = (position - 1) / CHILDREN;
            if self.heap[parent].deadline <= entry.deadline {
                break;
            }
            self.place(position, self.heap[parent]);
            position = parent;
        }
        self.place(position, entry);
    }

    fn sift_down(&mut self, mut position: usize) {
        let entry = self.heap[position];
        loop {
            let first = position * CHILDREN + 1;
            let last = (first + CHILDREN).min(self.heap.len());
            let Some(least) = (first..last).min_by_key(|&child| self.heap[child].deadline) else {
                break;
            };
            if self.heap[least].deadline >= entry.deadline {
                break;
            }
            self.place(position, self.heap[least]);
            position = least;
        }
        self.place(position, entry);
    }

    fn place(&mut self, position: usize, entry: Entry) {
        self.heap[position] = entry;
        self.slots[entry.slot as usize].position = position as u32;
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

    #[test]
    fn fires_in_order_of_deadline_and_never_early() {
        let start = Instant::now();
        let signals: Vec<Signal> = (0..500).map(|_| Signal::new()).collect();
        let mut timers = Timers::new();
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
            assert_eq!(timers.fire(start + Duration::from_millis(ms)), due);
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
        let mut timers = Timers::new();
        let id = timers.insert(now, &raw const first);
        assert_eq!(timers.fire(now), 1);
        timers.insert(now, &raw const second);
        timers.cancel(id, &raw const first);
        assert_eq!(timers.len(), 1);
    }
}
