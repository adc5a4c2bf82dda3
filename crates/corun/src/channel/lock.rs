//! The lock of a channel: free of atomic exchanges for as long as one worker is the only one that uses the channel.
//!
//! Most channels connect coroutines of one worker. There the atomic exchange would be most of what an operation costs.
//!
//! # Protocol
//! `owner` goes through these states, in this order; it may stay in any of them:
//! ```text
//! OPEN ----------------------> a worker --------> REVOKING --------> SHARED
//!      BIAS_AFTER times in a             another              who saw that the
//!      row the same worker               thread comes         owner is outside
//! ```
//! - In `OPEN` and `SHARED` whoever exchanges `locked` has the lock.
//! - While a worker is the owner, it alone takes the lock, by a plain store to `biased` and a look whether it still is the owner. Who
//!   wants the lock revokes the ownership first. Store and look on one side, revocation and look at `biased` on the other: each side writes one
//!   word and reads the other's, so that one of them has to see the other. That takes a full fence on both sides, of which the rare one pays for
//!   both (`platform/fences.rs`). There is no way back from `SHARED`, so each channel pays that once at the most.
//! - Who exchanged `locked` looks at `owner` again: it may have got an owner meanwhile. Then `locked` means nothing, and is given back.
//! - The owner becomes one while it holds `locked`. Others who get past the revocation still wait for that.
//!
//! Two words, as the owner's store may be delayed for as long as its thread does not run: into one word it could unlock what another has locked since.
//!
//! A worker is known by its address. Another one that gets the same address later is on a thread that knows all that was done with it.
//!
//! # Rejected designs
//! - An owner from the start: a channel that is used once, between workers, would pay half a microsecond for its revocation.
//! - Giving the ownership back, or on: a channel that is passed around would pay again and again.
//!
//! Checked in every interleaving by `tests/models/channel/lock.rs`, which includes this file.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};

use crate::platform::fences;
use crate::primitive::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::primitive::{hint, thread};
use crate::scheduler::{BIAS_AFTER, worker_address};

const OPEN: usize = 0;
const REVOKING: usize = 1;
const SHARED: usize = 2;

pub(super) struct Lock<T> {
    /// One of the states above, or the address of the owner.
    owner: AtomicUsize,
    /// Held by the owner.
    biased: AtomicBool,
    /// Held by anybody, while there is no owner.
    locked: AtomicBool,
    /// How often in a row the same worker had the lock, and which: guarded by `locked`, while `owner` is `OPEN`.
    streak: Cell<u32>,
    last: Cell<usize>,
    value: UnsafeCell<T>,
}

// SAFETY: the lock hands out access to one thread at a time, so sharing it is as good as sending the value.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Lock<T> {}

impl<T> Lock<T> {
    pub(super) fn new(value: T) -> Lock<T> {
        Lock {
            owner: AtomicUsize::new(OPEN),
            biased: AtomicBool::new(false),
            locked: AtomicBool::new(false),
            streak: Cell::new(0),
            last: Cell::new(OPEN),
            value: UnsafeCell::new(value),
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> Guard<'_, T> {
        let me = worker_address();
        // A plain thread is worker 0, which is `OPEN`.
        if me != OPEN && self.owner.load(Ordering::Relaxed) == me {
            self.biased.store(true, Ordering::Relaxed);
            fences::light();
            if self.owner.load(Ordering::Relaxed) == me {
                return Guard {
                    lock: self,
                    held: &self.biased,
                };
            }
            self.biased.store(false, Ordering::Release);
        }
        self.lock_among_others(me)
    }

    #[inline(never)]
    fn lock_among_others(&self, me: usize) -> Guard<'_, T> {
        loop {
            // Acquire pairs with the release of `revoke`: what the owner did is seen.
            match self.owner.load(Ordering::Acquire) {
                SHARED => {
                    self.exchange();
                    return self.held_by_exchange();
                }
                OPEN => {
                    self.exchange();
                    if self.owner.load(Ordering::Acquire) == OPEN {
                        self.count(me);
                        return self.held_by_exchange();
                    }
                    self.locked.store(false, Ordering::Release);
                }
                REVOKING => thread::yield_now(),
                owner => self.revoke(owner),
            }
        }
    }

    fn held_by_exchange(&self) -> Guard<'_, T> {
        Guard {
            lock: self,
            held: &self.locked,
        }
    }

    #[inline(always)]
    fn exchange(&self) {
        if self.locked.swap(true, Ordering::Acquire) {
            self.exchange_slow();
        }
    }

    /// Looks at the lock less and less often: who has it can work faster while its line is not taken away.
    #[cold]
    fn exchange_slow(&self) {
        let mut pauses = 1;
        while self.locked.load(Ordering::Relaxed) || self.locked.swap(true, Ordering::Acquire) {
            if pauses > 32 {
                thread::yield_now();
                continue;
            }
            for _ in 0..pauses {
                hint::spin_loop();
            }
            pauses *= 2;
        }
    }

    /// Under the lock, in `OPEN`.
    #[inline(always)]
    fn count(&self, me: usize) {
        if self.last.get() != me {
            self.last.set(me);
            self.streak.set(0);
        } else if me != OPEN {
            self.streak.set(self.streak.get() + 1);
            if self.streak.get() >= BIAS_AFTER {
                self.owner.store(me, Ordering::Relaxed);
            }
        }
    }

    #[cold]
    fn revoke(&self, owner: usize) {
        let taken =
            self.owner
                .compare_exchange(owner, REVOKING, Ordering::AcqRel, Ordering::Relaxed);
        if taken.is_err() {
            return;
        }
        fences::heavy();
        // Acquire pairs with the release of the owner's last unlocking.
        while self.biased.load(Ordering::Acquire) {
            thread::yield_now();
        }
        self.owner.store(SHARED, Ordering::Release);
    }
}

pub(super) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    /// What unlocking clears.
    held: &'a AtomicBool,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: the guard stands for exclusive access.
        unsafe { &*self.lock.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard stands for exclusive access.
        unsafe { &mut *self.lock.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        self.held.store(false, Ordering::Release);
    }
}
