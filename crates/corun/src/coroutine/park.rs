//! `park` and `unpark`, with the token of `std::thread`.
//!
//! Token, waiter and lock share one word of the coroutine's block, so that parking allocates nothing. The rule is that of all wait lists
//! here: a waker finds the signal under the lock and notifies it under the lock, and a waiter whose time is up takes it out under the lock.
//! So no waker ever holds a signal that has gone.
//!
//! Checked by the models of `tests/models/coroutine/parking.rs`.

use std::ptr;
use std::time::{Duration, Instant};

use crate::cancel::limit::Limit;
use crate::coroutine::handle::current_task;
use crate::primitive::atomic::{AtomicPtr, Ordering};
use crate::primitive::{hint, thread};
use crate::scheduler::signal::Signal;
use crate::time::now;

/// Null, [`TOKEN`] or the signal of the parked owner; with [`LOCKED`] added while somebody works on it.
pub(crate) struct Parker {
    word: AtomicPtr<Signal>,
}

const TOKEN: *mut Signal = ptr::without_provenance_mut(1);
/// A bit that the alignment of a signal leaves free.
const LOCKED: usize = 2;
const _: () = assert!(align_of::<Signal>() > LOCKED);

impl Parker {
    pub(crate) fn new() -> Parker {
        Parker {
            word: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Waits for the lock, which others hold for a few instructions, and returns what it guards.
    #[inline(always)]
    fn lock(&self) -> *mut Signal {
        let mut spins = 0;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            if word.addr() & LOCKED == 0 {
                let locked = word.map_addr(|a| a | LOCKED);
                let exchanged = self.word.compare_exchange_weak(
                    word,
                    locked,
                    Ordering::Acquire,
                    Ordering::Relaxed,
                );
                if exchanged.is_ok() {
                    return word;
                }
            }
            spins += 1;
            if spins < 64 {
                hint::spin_loop();
            } else {
                thread::yield_now();
            }
        }
    }

    #[inline(always)]
    fn unlock(&self, word: *mut Signal) {
        self.word.store(word, Ordering::Release);
    }

    #[inline]
    pub(crate) fn unpark(&self) {
        let word = self.lock();
        if !word.is_null() && word != TOKEN {
            // SAFETY: a signal found under the lock is alive.
            unsafe { Signal::notify(word) };
        }
        self.unlock(TOKEN);
    }

    /// Waits for the token, and takes it: for owners other than a coroutine.
    pub(crate) fn wait(&self) {
        self.park(None);
    }

    /// Called by the owner alone.
    #[inline(always)]
    fn park(&self, deadline: Option<Instant>) {
        // Locked or not: who has the lock of a token puts it back.
        if self.word.load(Ordering::Relaxed).addr() & !LOCKED == TOKEN.addr() {
            self.lock();
            self.unlock(ptr::null_mut());
            return;
        }
        let limit = Limit::new(deadline);
        // Who takes the signal out of the word wakes it.
        let signal = limit.signal();
        if self.lock() == TOKEN {
            self.unlock(ptr::null_mut());
            return;
        }
        self.unlock(ptr::from_ref(&signal).cast_mut());
        // Takes the token that the waker left, or the signal back that nobody notified.
        let take = || {
            let found = self.lock();
            self.unlock(ptr::null_mut());
            found != TOKEN
        };
        let mut withdrawn = None;
        let notified = limit.wait(&signal, || *withdrawn.insert(take()));
        if withdrawn.unwrap_or_else(take) && !notified {
            limit.expired();
        }
    }
}

/// Suspends the coroutine until its token is there, and takes the token, as [`std::thread::park`] does; a plain thread is blocked.
///
/// [`Coroutine::unpark`](crate::Coroutine::unpark) puts the token there. There is one token at the most: if it is there already, `park`
/// returns at once.
///
/// # Panics
/// Inside [`no_suspend`](crate::no_suspend), if the token is not there.
///
/// # Examples
/// ```
/// let sleeper = corun::spawn(|| {
///     corun::park();
///     "awake"
/// });
/// sleeper.coroutine().unpark();
/// assert_eq!(sleeper.join().unwrap(), "awake");
/// ```
#[inline(always)]
pub fn park() {
    current_task().header().parker.park(None);
}

/// As [`park`], but returns after `timeout` at the latest, never before it unless the token came.
///
/// # Examples
/// ```
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// corun::park_timeout(Duration::from_millis(5));
/// assert!(start.elapsed() >= Duration::from_millis(5));
/// ```
pub fn park_timeout(timeout: Duration) {
    // A time too far away to be told is for ever.
    let deadline = now().checked_add(timeout);
    current_task().header().parker.park(deadline);
}
