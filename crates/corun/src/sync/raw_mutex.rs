//! The lock of [`Mutex`](super::Mutex) without the data.
//!
//! # Policy
//! - **Barging.** Who finds the mutex free takes it, whoever else may be waiting: a coroutine that runs and locks again costs nothing, while to
//!   serve strictly in order would make each unlock a switch to another coroutine as soon as one waits (a convoy).
//! - Waiters stand in order of arrival. Unlocking wakes the first one, which competes with those that run. If it loses it goes
//!   back to the front, and while it is on its way nobody else is woken.
//! - **Starvation.** A waiter that has lost and has waited for a millisecond makes the mutex starve: it is now handed over at each unlock
//!   to the first waiter directly, and whoever comes queues up at the end. That ends with the first waiter that gets the mutex in less than
//!   a millisecond, or is the last. So the wait of each is bounded, and throughput is that of barging whenever the mutex keeps up.
//! - A thread looks a few times before it waits, if the owner is on another thread: most critical sections are short. It never
//!   does if the owner is a coroutine of the same worker: that one cannot run meanwhile.
//!
//! The policy is that of Go's `sync.Mutex`.
//!
//! # Protocol
//! `owner` holds the number of the owner's thread, 0 while the mutex is free. To lock is one exchange. To unlock is a plain store, and
//! then a load of `attention`, which says whether somebody is to be woken.
//! - `attention` is written under the lock of the queue alone, and follows from what is in it.
//! - A waiter links itself, which sets `attention`, and then looks at `owner` once more. Between the two it has a heavy fence, and the unlocking
//!   side a light one between its store and its load (`platform/fences.rs`): either the waiter finds the mutex free, or the owner finds
//!   the waiter. If the owner is on the waiter's own thread, no fence is needed: it cannot go on before the waiter is parked.
//! - One that was woken is responsible for the queue (`in_flight`) until it has the mutex, and so an unlock of its own before it, or is
//!   linked again.
//! - Only the owner's thread unlocks, as guards are not `Send`. (So migratable coroutines must not hold one while they migrate.)
//!
//! # Rejected
//! - Owner and waiters in one word, as in Go: the unlock is an exchange then. With it lock and unlock took 12 ns here, without it 6.5.
//! - A waiting list elsewhere, by address: a waiter is found by hashing, under a lock that mutexes share.
//!
//! Checked by the models of `tests/models/sync/mutex.rs`, with seeded mistakes.

use crate::platform::fences;
use crate::primitive::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::primitive::{constructor, hint};
use crate::scheduler;
use crate::scheduler::lock::SpinLock;
use crate::time::limit::Limit;

use super::patience::{Patience, looks};
use super::place;
use super::waiters::{Waiter, Waiters};

const FREE: usize = 0;

/// What `attention` asks the unlocking side for.
const NOTHING: u32 = 0;
const WAKE: u32 = 1;
const HAND_OVER: u32 = 2;

pub(super) struct RawMutex {
    owner: AtomicUsize,
    attention: AtomicU32,
    queue: SpinLock<Queue>,
}

struct Queue {
    waiters: Waiters,
    /// One was woken and is on its way to lock.
    in_flight: bool,
    starving: bool,
}

impl Queue {
    fn attention(&self) -> u32 {
        if self.in_flight || self.waiters.is_empty() {
            NOTHING
        } else if self.starving {
            HAND_OVER
        } else {
            WAKE
        }
    }
}

/// How a wait ended.
enum Waited {
    /// The caller has the mutex.
    Locked,
    /// The mutex was free a moment ago, and the caller is responsible for the queue.
    Called,
    /// The caller's time was up, and yet it goes on.
    Expired,
}

impl RawMutex {
    constructor! {
        pub(super) fn new() -> RawMutex {
            RawMutex {
                owner: AtomicUsize::new(FREE),
                attention: AtomicU32::new(NOTHING),
                queue: SpinLock::new(Queue {
                    waiters: Waiters::new(),
                    in_flight: false,
                    starving: false,
                }),
            }
        }
    }

    /// # Panics
    /// If it has to wait inside `no_suspend`; and it unwinds if it waits when the caller's time is up.
    #[inline(always)]
    pub(super) fn lock(&self) {
        // Before: who gives way while it has the mutex makes the others queue up.
        scheduler::safepoint();
        let me = place::thread();
        if !self.take(me) {
            self.lock_slow(me);
        }
    }

    #[inline(always)]
    pub(super) fn try_lock(&self) -> bool {
        scheduler::safepoint();
        self.take(place::thread())
    }

    #[inline(always)]
    fn take(&self, me: usize) -> bool {
        // Acquire pairs with the release of `unlock`.
        self.owner
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
    }

    /// # Safety
    /// The caller has the mutex, on the thread that locked it.
    #[inline(always)]
    pub(super) unsafe fn unlock(&self) {
        if self.attention.load(Ordering::Relaxed) == HAND_OVER && self.hand_over() {
            return;
        }
        self.owner.store(FREE, Ordering::Release);
        // Pairs with the heavy fence in `wait`.
        fences::light();
        if self.attention.load(Ordering::Relaxed) != NOTHING {
            self.call_first();
        }
    }

    /// Makes the first waiter the owner.
    #[cold]
    #[inline(never)]
    fn hand_over(&self) -> bool {
        let mut queue = self.queue.lock();
        if !queue.starving {
            return false;
        }
        while let Some(heir) = queue.waiters.first_wants() {
            // The heir may run as soon as it is claimed. Release and the lock of the queue: it sees what the caller did under the mutex.
            self.owner.store(heir, Ordering::Release);
            if let Some(wakeup) = queue.waiters.grant_first() {
                self.attention.store(queue.attention(), Ordering::Relaxed);
                drop(queue);
                wakeup.wake();
                return true;
            }
        }
        // The time of all of them was up.
        queue.starving = false;
        self.attention.store(queue.attention(), Ordering::Relaxed);
        self.owner.store(place::thread(), Ordering::Relaxed);
        false
    }

    /// Wakes the first waiter, if nobody is on the way to lock.
    #[cold]
    #[inline(never)]
    fn call_first(&self) {
        let mut queue = self.queue.lock();
        // Whoever has it now sees to the queue when it unlocks.
        if self.owner.load(Ordering::Relaxed) != FREE {
            return;
        }
        while queue.attention() != NOTHING {
            if let Some(wakeup) = queue.waiters.call_first() {
                queue.in_flight = true;
                self.attention.store(NOTHING, Ordering::Relaxed);
                drop(queue);
                wakeup.wake();
                return;
            }
        }
        self.attention.store(queue.attention(), Ordering::Relaxed);
    }

    #[cold]
    #[inline(never)]
    fn lock_slow(&self, me: usize) {
        if self.look(me) {
            return;
        }
        let patience = Patience::new();
        let mut called = false;
        loop {
            match self.wait(me, called, &patience) {
                Waited::Locked => return,
                Waited::Called => called = true,
                Waited::Expired => called = false,
            }
            if self.take(me) || self.look(me) {
                let mut queue = self.queue.lock();
                queue.in_flight &= !called;
                self.settle(&mut queue, &patience);
                return;
            }
        }
    }

    /// Waits a moment for an owner on another thread.
    fn look(&self, me: usize) -> bool {
        for _ in 0..looks() {
            match self.owner.load(Ordering::Relaxed) {
                FREE => {
                    if self.take(me) {
                        return true;
                    }
                }
                owner if owner == me => return false,
                _ => hint::spin_loop(),
            }
        }
        false
    }

    /// `called`: this waiter was woken, has found the mutex taken, and goes back to the front.
    fn wait(&self, me: usize, called: bool, patience: &Patience) -> Waited {
        let starves = called && patience.is_exhausted();
        let limit = Limit::new(None);
        let waiter = Waiter::new(me, limit.deadline());
        {
            let mut queue = self.queue.lock();
            // SAFETY: the waiter stays in this frame until it was unlinked: by whoever wakes it, or below.
            unsafe {
                if called {
                    queue.in_flight = false;
                    queue.starving |= starves;
                    queue.waiters.push_front(&waiter);
                } else {
                    queue.waiters.push_back(&waiter);
                }
            }
            self.attention.store(queue.attention(), Ordering::Relaxed);
        }
        if self.owner.load(Ordering::Relaxed) != me {
            // Pairs with the light fence in `unlock`.
            fences::heavy();
            if self.owner.load(Ordering::Relaxed) == FREE && self.take_linked(me, &waiter, patience)
            {
                return Waited::Locked;
            }
        }
        if !waiter.signal.wait_until(limit.deadline()) {
            let mut queue = self.queue.lock();
            queue.waiters.remove(&waiter);
            queue.starving &= !queue.waiters.is_empty();
            self.attention.store(queue.attention(), Ordering::Relaxed);
            drop(queue);
            limit.expired();
            return Waited::Expired;
        }
        if waiter.is_granted() {
            self.settle(&mut self.queue.lock(), patience);
            return Waited::Locked;
        }
        Waited::Called
    }

    /// The mutex has become free while the waiter was being linked, and perhaps nobody has seen it.
    fn take_linked(&self, me: usize, waiter: &Waiter, patience: &Patience) -> bool {
        let mut queue = self.queue.lock();
        // If it is not linked any more, it has been woken. If the mutex is taken again, it will be unlocked after the heavy fence.
        if !waiter.is_linked() || !self.take(me) {
            return false;
        }
        queue.waiters.remove(waiter);
        self.settle(&mut queue, patience);
        true
    }

    /// A waiter has the mutex: does it still starve, and who is to be woken when it is unlocked?
    fn settle(&self, queue: &mut Queue, patience: &Patience) {
        if queue.starving && (queue.waiters.is_empty() || !patience.is_exhausted()) {
            queue.starving = false;
        }
        self.attention.store(queue.attention(), Ordering::Relaxed);
    }
}
