//! Looking for a wake-up for a moment, before one goes to sleep for it.
//!
//! To sleep and to be woken costs both sides a system call, and where the processor halts in between, some 20 us on a virtual machine. Two threads that
//! answer each other pay that twice for each question. If both look out for a moment first they pay it once, and nothing from then on.
//!
//! A look that finds nothing is wasted time of a processor. So a worker looks out only after a sleep that another thread has ended soon
//! (`Worker::sleep`), and a plain thread skips the more of its waits, the more often it has looked in vain: twice as many each time, up to
//! [`MOST_SKIPPED`]. Nobody does with one processor, as that would keep the other thread from running.
//!
//! Rejected: looking out for as long as a sleep has been seen to cost (the measurement is noise on a busy machine, and nothing was gained over constants);
//! a plain thread that looks out after short waits only, as workers do (two that both sleep never come to a short wait).

use std::cell::Cell;
use std::hint;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use crate::primitive::thread::yield_now;

/// How long a plain thread looks out: until a worker that slept deeply has run what this thread waits for.
const THREAD: Duration = Duration::from_micros(30);

/// The most waits that a plain thread skips before it looks out again.
const MOST_SKIPPED: u32 = 63;

/// So many looks come one after the other.
const LOOKS: u32 = 64;

/// What a plain thread has learnt from its last waits.
#[derive(Clone, Copy)]
struct Record {
    /// How many waits it skips after the next look in vain.
    skips: u32,
    /// How many it still skips.
    left: u32,
}

thread_local! {
    static RECORD: Cell<Record> = const { Cell::new(Record { skips: 1, left: 0 }) };
}

impl Record {
    /// Does the next wait begin with a look?
    fn begin(&mut self) -> bool {
        let looks = self.left == 0;
        self.left = self.left.saturating_sub(1);
        looks
    }

    fn end(&mut self, found: bool) {
        if found {
            self.skips = 1;
        } else {
            self.left = self.skips;
            self.skips = (2 * self.skips + 1).min(MOST_SKIPPED);
        }
    }
}

/// Would looking out keep the other thread from running?
///
/// Not in a `OnceLock`: in the child of a fork a thread would wait for ever for one that was about to set it. At worst several ask the system.
fn is_alone() -> bool {
    // How many processors there are; 0 as long as nobody has asked.
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let mut count = COUNT.load(Ordering::Relaxed);
    if count == 0 {
        count = available_parallelism().map_or(2, NonZeroUsize::get);
        COUNT.store(count, Ordering::Relaxed);
    }
    count == 1
}

/// The first part of a look: a microsecond. Returns whether `is_there`.
pub(super) fn spin(is_there: impl Fn() -> bool) -> bool {
    !is_alone()
        && (0..LOOKS).any(|_| {
            hint::spin_loop();
            is_there()
        })
}

/// The second, until `limit` after `began`: with the processor on offer, as the other thread may be waiting for this very one.
pub(super) fn give_way(began: Instant, limit: Duration, is_there: impl Fn() -> bool) -> bool {
    while !is_alone() && began.elapsed() < limit {
        yield_now();
        if is_there() {
            return true;
        }
    }
    false
}

/// For a plain thread that is about to sleep: looks out for what it waits for, if that has been worth while lately.
pub(super) fn as_thread(is_there: impl Fn() -> bool) {
    let mut record = RECORD.get();
    if record.begin() {
        let began = Instant::now();
        record.end(spin(&is_there) || give_way(began, THREAD, is_there));
    }
    RECORD.set(record);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// For each of so many waits in vain: did it begin with a look?
    fn looks(record: &mut Record, waits: u32) -> Vec<bool> {
        let wait = |_| {
            let looks = record.begin();
            if looks {
                record.end(false);
            }
            looks
        };
        (0..waits).map(wait).collect()
    }

    #[test]
    fn looks_in_vain_become_rare() {
        let mut record = Record { skips: 1, left: 0 };
        assert_eq!(
            looks(&mut record, 7),
            [true, false, true, false, false, false, true]
        );
        let many = looks(&mut record, 6_400);
        let count = many.iter().filter(|&&looks| looks).count();
        assert!((100..=104).contains(&count), "{count}");
    }

    #[test]
    fn a_look_that_found_something_is_repeated() {
        let mut record = Record { skips: 1, left: 0 };
        looks(&mut record, 1_000);
        while !record.begin() {}
        record.end(true);
        assert!(record.begin());
        record.end(true);
        assert_eq!(looks(&mut record, 3), [true, false, true]);
    }

    #[test]
    fn a_look_ends_at_its_limit() {
        let began = Instant::now();
        assert!(!spin(|| false));
        assert!(!give_way(began, Duration::from_micros(50), || false));
        assert!(is_alone() || began.elapsed() >= Duration::from_micros(50));
        assert!(is_alone() || spin(|| true));
        assert!(!give_way(began, Duration::ZERO, || true));
    }
}
