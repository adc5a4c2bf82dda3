//! The workloads with channels and locks, written once for all contestants whose tasks block ([`blocking`]) and once for all whose
//! tasks await ([`awaiting`]). Both send `u64`s and count the same operations.

pub mod awaiting;
pub mod blocking;

use std::time::Duration;

use crate::report;

/// How many senders, and how many receivers, a crowd has.
pub const CROWD: u64 = 8;
/// The capacity of the channel that they share, and of the arms of a select.
pub const CAPACITY: usize = 128;
/// How many tasks the token of the ring visits.
pub const RING: u64 = 503;
/// How many tasks take one lock in turn.
pub const LOCKERS: u64 = 64;

/// How many primes the sieve is to find, and the last of them.
pub const PRIMES: (u64, u64) = (2_000, 17_389);

/// Capacities come as numbers or as the word "unbounded".
///
/// # Panics
/// If it is neither.
pub fn capacity(word: &str) -> Option<usize> {
    (word != "unbounded").then(|| word.parse().expect("a capacity"))
}

/// Prints how many million messages passed in a second.
pub fn report_rate(elapsed: Duration, messages: u64) {
    report(&[("mps", messages as f64 / elapsed.as_secs_f64() / 1e6)]);
}

/// Prints the line of the sieve.
///
/// # Panics
/// If it did not find all primes.
pub fn report_sieve(elapsed: Duration, found: u64) {
    assert_eq!(found, PRIMES.0, "some primes are missing");
    report(&[("ms", elapsed.as_secs_f64() * 1e3)]);
}
