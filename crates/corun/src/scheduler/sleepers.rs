//! Who sleeps, who searches, and how a worker is woken when there is work.
//!
//! # Submission and sleep
//! Work reaches a worker in three ways (its inbox, the injection list, another worker's list), and each is a store followed by a look at who
//! sleeps:
//! ```text
//!   submitter                                   sleeper
//!   (1) put the task / signal in a list         (a) count += 1, bed := SLEEPING          (`lie_down`)
//!   (2) SeqCst fence                            (b) SeqCst fence
//!   (3) look for a sleeper; wake it             (c) look at all lists again; only then wait in the reactor
//! ```
//! Either (3) sees (a), or (c) sees (1): a wake-up cannot fall between. A wake-up for a parked coroutine concerns its worker
//! alone; stealable work concerns any one worker. In (a) the count comes first, so that it is never less than the number of sleepers.
//!
//! # Searching
//! At most one worker searches at a time: the one that holds the token. A submitter that finds the token taken wakes nobody, and a sleeper in (c) that
//! finds it taken does not look at the lists of others: both leave the work to the holder. So the holder, *after* it has given
//! the token back and a SeqCst fence, looks once more at what they may have left:
//! - a searcher that found nothing does so in its own (c);
//! - a searcher that found something looks at all lists, and calls the next one if more is to be had (`Worker::chain_wake`);
//! - a worker that looked out for a moment (`linger.rs`) does one or the other;
//! - a submitter that took the token for somebody to be woken, and found nobody asleep, tries again if somebody has lain down since.
//!
//! So a burst wakes workers one after the other, each waking the next, and a trickle wakes one (the rule is Go's for
//! spinning machines; but a search is one round, and who looks out holds the token for some microseconds only).
//!
//! Rejected: waking everybody (thundering herd); leaving wake-ups to the next tick of a busy worker (work would wait as long as
//! a coroutine computes).
//!
//! Checked with every interleaving by `tests/models/scheduler/sleep.rs`, which includes this file.

use crate::primitive::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};

const AWAKE: u32 = 0;
const SLEEPING: u32 = 1;
/// Woken to search for stealable work: the worker holds the token.
const SEARCHING: u32 = 2;
/// Asleep, and of no use for stealable work: a spare worker that was sent away (`watch.rs`). Not counted.
const DOZING: u32 = 3;

/// What a worker is woken for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// For something of its own.
    Wake = AWAKE as isize,
    /// To search; with the call it gets the token.
    Search = SEARCHING as isize,
}

/// Whether one worker sleeps.
pub(super) struct Bed(AtomicU32);

/// The workers of one runtime that sleep, and the searching token.
pub(super) struct Sleepers {
    /// At least as many as sleep.
    count: AtomicUsize,
    token: AtomicBool,
}

impl Bed {
    pub(super) fn new() -> Bed {
        Bed(AtomicU32::new(AWAKE))
    }

    /// Relaxed: for a look after a fence, or as a hint.
    #[inline]
    pub(super) fn is_occupied(&self) -> bool {
        self.0.load(Ordering::Relaxed) == SLEEPING
    }

    /// Relaxed, too.
    #[inline]
    pub(super) fn is_dozing(&self) -> bool {
        self.0.load(Ordering::Relaxed) == DOZING
    }
}

impl Sleepers {
    pub(super) fn new() -> Sleepers {
        Sleepers {
            count: AtomicUsize::new(0),
            token: AtomicBool::new(false),
        }
    }

    /// Says that a worker sleeps: (a) and (b). From now on it is called when there is work; what came before it has to look for.
    pub(super) fn lie_down(&self, bed: &Bed) {
        self.count.fetch_add(1, Ordering::Relaxed);
        // Release: who finds the bed occupied, and counts the sleeper out, does so after it was counted in.
        bed.0.store(SLEEPING, Ordering::Release);
        // Pairs with those of `call_searcher`, `rouse_if_asleep` and `return_token`.
        fence(Ordering::SeqCst);
    }

    /// As `lie_down`, for a worker that is to be woken for what concerns it alone.
    pub(super) fn doze(&self, bed: &Bed) {
        bed.0.store(DOZING, Ordering::Release);
        // Pairs with that of `rouse_if_asleep`.
        fence(Ordering::SeqCst);
    }

    /// Does nobody sleep who could be called to search?
    pub(super) fn is_empty(&self) -> bool {
        self.count.load(Ordering::Relaxed) == 0
    }

    /// Ends the sleep. Returns whether the worker was called to search, and so holds the token.
    pub(super) fn get_up(&self, bed: &Bed) -> bool {
        // Acquire pairs with the release of the one who called: what it has submitted is seen.
        let was = bed.0.swap(AWAKE, Ordering::AcqRel);
        if was == SLEEPING {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        was == SEARCHING
    }

    /// Gets a sleeping worker up. Its reactor has to be woken if this returns true.
    pub(super) fn rouse(&self, bed: &Bed, call: Call) -> bool {
        let roused = bed
            .0
            .compare_exchange(SLEEPING, call as u32, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok();
        if roused {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
        roused
    }

    /// (2) and (3) for what concerns one worker only. Its reactor has to be woken if this returns true.
    #[inline]
    pub(super) fn rouse_if_asleep(&self, bed: &Bed) -> bool {
        fence(Ordering::SeqCst);
        if bed.is_dozing() {
            // It may be roused by somebody else, or have got up and lain down for good, after the look: then it looks itself.
            let exchanged =
                bed.0
                    .compare_exchange(DOZING, AWAKE, Ordering::AcqRel, Ordering::Relaxed);
            return exchanged.is_ok();
        }
        bed.is_occupied() && self.rouse(bed, Call::Wake)
    }

    /// (2) and (3) for stealable work: calls any one sleeper to search, unless somebody searches already. Returns whom it called: his reactor has
    /// to be woken.
    #[inline]
    pub(super) fn call_searcher<'a, W>(
        &self,
        workers: impl Iterator<Item = (&'a Bed, W)> + Clone,
    ) -> Option<W> {
        fence(Ordering::SeqCst);
        if self.count.load(Ordering::Relaxed) == 0 || self.is_searching() {
            return None;
        }
        self.call_searcher_slow(workers)
    }

    #[cold]
    fn call_searcher_slow<'a, W>(
        &self,
        workers: impl Iterator<Item = (&'a Bed, W)> + Clone,
    ) -> Option<W> {
        while self.take_token() {
            let mut sleepers = workers.clone();
            if let Some((_, called)) = sleepers.find(|(bed, _)| self.rouse(bed, Call::Search)) {
                return Some(called);
            }
            self.return_token();
            // Who has lain down behind this call's back saw the token taken, and has left the work to it.
            if !workers.clone().any(|(bed, _)| bed.is_occupied()) {
                break;
            }
        }
        None
    }

    #[inline]
    pub(super) fn is_searching(&self) -> bool {
        self.token.load(Ordering::Relaxed)
    }

    pub(super) fn take_token(&self) -> bool {
        self.token
            .compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// Gives the token back. What others have left to its holder is seen after this.
    pub(super) fn return_token(&self) {
        self.token.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
    }
}
