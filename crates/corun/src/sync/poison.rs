//! Poisoning: the mark that a panic leaves on a lock that it passed through.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LockResult, PoisonError};
use std::thread;

pub(super) struct Flag {
    failed: AtomicBool,
}

/// What a guard remembers: whether the thread was panicking already when it locked.
pub(super) struct Panicking(bool);

impl Panicking {
    #[inline]
    pub(super) fn now() -> Panicking {
        Panicking(thread::panicking())
    }
}

impl Flag {
    pub(super) const fn new() -> Flag {
        Flag {
            failed: AtomicBool::new(false),
        }
    }

    /// To be called when a guard goes, while its lock is still held, which orders the flag.
    #[inline]
    pub(super) fn leave(&self, entered: &Panicking) {
        if !entered.0 && thread::panicking() {
            self.failed.store(true, Ordering::Relaxed);
        }
    }

    #[inline]
    pub(super) fn get(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    pub(super) fn clear(&self) {
        self.failed.store(false, Ordering::Relaxed);
    }

    #[inline]
    pub(super) fn check<T>(&self, value: T) -> LockResult<T> {
        if self.get() {
            Err(PoisonError::new(value))
        } else {
            Ok(value)
        }
    }
}
