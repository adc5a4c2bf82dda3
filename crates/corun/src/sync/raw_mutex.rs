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
//! - Only the owner's thread unlocks, as guards are not `Send`. A migratable coroutine counts as a thread of its own (`place.rs`), so it may hold one
//!   while it changes threads: what it has written before, its next worker sees, as to be put in line and to be taken from there orders the two.
//!
//! # Home
//! Most mutexes are used by one thread for long, or for ever: those of coroutines that share a worker above all. A mutex that one thread has locked
//! many times in a row, and no other before, makes that thread its *home*, for which to lock and to unlock are plain stores to `inside`.
//! - `home` goes from NOBODY to a thread's number, to LEAVING, to SHARED, and stays there. It becomes a thread's number while a coroutine
//!   of that thread has the mutex by `owner`, which has it by `inside` from that moment: the others of its thread look there alone.
//! - `inside` is written by the home thread alone. While `home` is a thread's number, only that thread has the mutex, by `inside`.
//! - The home thread stores to `inside`, has a light fence, and looks whether it is at home still. Any other thread that comes sets LEAVING, under the
//!   lock of the queue, has a heavy fence, and looks at `inside`. So either the home thread learns of it, or the other one sees that it
//!   is inside; and then makes it the owner by `owner`. Home threads that learn of it wait for the lock of the queue and see.
//! - Others exchange `owner` first and look at `home` afterwards: if it is not SHARED or NOBODY then, they put `owner` back, having done
//!   nothing. So to become the owner on behalf of the home thread has to wait for them to do so.
//! - Waiters on the home thread link themselves in the queue without fences. Others make it leave before they do, or did so before it became
//!   a home, and are called by the unlock that followed.
//!
//! A mutex leaves home once, for the price of one heavy fence.
//!
//! # Rejected
//! - Owner and waiters in one word, as in Go: the unlock is an exchange then. With it lock and unlock took 12 ns here, without it 6.5, at home 2.5.
//! - A waiting list elsewhere, by address: a waiter is found by hashing, under a lock that mutexes share.
//! - A home from the first lock on: mutexes that live shortly and are shared would pay for leaving it.
//!
//! Checked by the models of `tests/models/sync/exclusion.rs`, with seeded mistakes.

use std::cell::Cell;

use crate::cancel::limit::Limit;
use crate::platform::fences;
use crate::primitive::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::primitive::{constructor, hint, thread};
use crate::scheduler;
use crate::scheduler::lock::{SpinGuard, SpinLock};

use super::patience::{self, Patience, looks};
use super::place;
use super::waiters::{Waiter, Waiters};

const FREE: usize = 0;

/// What `home` holds but for a thread's number: those are even and larger.
const NOBODY: usize = 0;
const LEAVING: usize = 1;
const SHARED: usize = 3;

/// What `attention` asks the unlocking side for.
const NOTHING: u32 = 0;
const WAKE: u32 = 1;
const HAND_OVER: u32 = 2;

pub(super) struct RawMutex {
    owner: AtomicUsize,
    attention: AtomicU32,
    home: AtomicUsize,
    /// The home thread's number while one of its coroutines has the mutex.
    inside: AtomicUsize,
    /// Who had it last, and how often in a row. Used by the owner, while `home` is NOBODY.
    last: Cell<(usize, u32)>,
    queue: SpinLock<Queue>,
}

// SAFETY: `last` is used by the owner alone.
unsafe impl Sync for RawMutex {}

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
                home: AtomicUsize::new(NOBODY),
                inside: AtomicUsize::new(FREE),
                last: Cell::new((FREE, 0)),
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
        if self.home.load(Ordering::Relaxed) == me {
            return self.take_at_home(me);
        }
        // Acquire pairs with the release of `unlock_owner`.
        self.owner
            .compare_exchange(FREE, me, Ordering::Acquire, Ordering::Relaxed)
            .is_ok()
            // Acquire pairs with the release of `leave_home`: it was left before.
            && (self.home.load(Ordering::Acquire) == SHARED || self.settle_home(me))
    }

    #[inline(always)]
    fn take_at_home(&self, me: usize) -> bool {
        if self.inside.load(Ordering::Relaxed) != FREE {
            return false;
        }
        self.inside.store(me, Ordering::Relaxed);
        // Pairs with the heavy fence in `leave_home`.
        fences::light();
        self.home.load(Ordering::Relaxed) == me || self.take_having_left(me)
    }

    /// The mutex has left home meanwhile: either whoever did it has found the caller inside, or the caller is not.
    #[cold]
    #[inline(never)]
    fn take_having_left(&self, me: usize) -> bool {
        drop(self.queue.lock());
        self.inside.store(FREE, Ordering::Relaxed);
        // No other coroutine of this thread can have become the owner meanwhile, as none has run.
        self.owner.load(Ordering::Acquire) == me || self.take(me)
    }

    /// The caller has exchanged `owner`, and finds that the mutex is not shared. Returns whether it has the mutex.
    #[cold]
    #[inline(never)]
    fn settle_home(&self, me: usize) -> bool {
        if self.home.load(Ordering::Acquire) == NOBODY {
            let (last, times) = self.last.get();
            let times = if last == me { times + 1 } else { 0 };
            self.last.set((me, times));
            if times >= patience::times_to_settle() {
                self.move_in(me);
            }
            return true;
        }
        // It is somebody's home: not to be had by `owner`.
        self.owner.store(FREE, Ordering::Release);
        self.leave_home();
        self.take(me)
    }

    /// Makes the caller's thread the home of the mutex, which the caller has. It has it as one who is inside from now on: `owner` is not looked
    /// at by others of this thread any more.
    fn move_in(&self, me: usize) {
        // With full fences there is nothing to win.
        if !fences::are_cheap() {
            self.home.store(SHARED, Ordering::Release);
            return;
        }
        self.inside.store(me, Ordering::Relaxed);
        // Release: whoever exchanges `owner` from now on sees that it is somebody's home, and who is inside.
        self.home.store(me, Ordering::Relaxed);
        self.owner.store(FREE, Ordering::Release);
        // Pairs with the heavy fence in `wait`: who has linked itself and found the caller to be the owner is seen when it unlocks.
        fences::light();
    }

    /// Makes it a mutex that all threads share, or waits until somebody else has.
    #[cold]
    fn leave_home(&self) {
        let _queue = self.queue.lock();
        let home = self.home.load(Ordering::Relaxed);
        if matches!(home, NOBODY | SHARED) {
            return;
        }
        self.home.store(LEAVING, Ordering::Relaxed);
        // Pairs with the light fences of the home thread.
        fences::heavy();
        // Acquire pairs with the release of the home thread's last unlock.
        if self.inside.load(Ordering::Acquire) != FREE {
            // Others put back what they have exchanged in a few instructions.
            while self
                .owner
                .compare_exchange(FREE, home, Ordering::Relaxed, Ordering::Relaxed)
                .is_err()
            {
                thread::yield_now();
            }
        }
        // Release: whoever sees it sees what the home thread did.
        self.home.store(SHARED, Ordering::Release);
    }

    /// # Safety
    /// The caller has the mutex, on the thread that locked it.
    #[inline(always)]
    pub(super) unsafe fn unlock(&self) {
        let inside = self.inside.load(Ordering::Relaxed);
        if inside != FREE && inside == place::thread() {
            self.unlock_at_home(inside);
        } else {
            self.unlock_owner();
        }
    }

    #[inline(always)]
    fn unlock_at_home(&self, me: usize) {
        // Those who wait on this thread have said so before, and all others come after the mutex has left home.
        if self.attention.load(Ordering::Relaxed) != NOTHING {
            return self.unlock_at_home_waited_for(me);
        }
        self.inside.store(FREE, Ordering::Release);
        // Pairs with the heavy fence in `leave_home`.
        fences::light();
        if self.home.load(Ordering::Relaxed) != me {
            self.unlock_having_left(me);
        }
    }

    #[cold]
    #[inline(never)]
    fn unlock_having_left(&self, me: usize) {
        drop(self.queue.lock());
        self.inside.store(FREE, Ordering::Relaxed);
        // Whoever made it leave home may have found the caller inside.
        if self.owner.load(Ordering::Relaxed) == me {
            self.unlock_owner();
        }
    }

    #[cold]
    #[inline(never)]
    fn unlock_at_home_waited_for(&self, me: usize) {
        let mut queue = self.queue.lock();
        if self.home.load(Ordering::Relaxed) != me {
            drop(queue);
            return self.unlock_having_left(me);
        }
        // Under the lock of the queue it does not leave home.
        let mut wakeup = None;
        while queue.starving && wakeup.is_none() && queue.waiters.first_wants() == Some(me) {
            // The heir is of the same thread, which stays inside.
            wakeup = queue.waiters.grant_first();
        }
        if wakeup.is_none() {
            queue.starving = false;
            self.inside.store(FREE, Ordering::Release);
        }
        self.attention.store(queue.attention(), Ordering::Relaxed);
        drop(queue);
        match wakeup {
            Some(wakeup) => wakeup.wake(),
            None => self.call_first(),
        }
    }

    #[inline(always)]
    fn unlock_owner(&self) {
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
        // It may have become the caller's home since it locked: then it is not to be had by `owner`.
        let at_home = !matches!(self.home.load(Ordering::Relaxed), NOBODY | SHARED);
        if !queue.starving || at_home {
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
        self.call(self.queue.lock());
    }

    fn call(&self, mut queue: SpinGuard<'_, Queue>) {
        // Whoever has it now sees to the queue when it unlocks.
        if self.owner.load(Ordering::Relaxed) != FREE {
            return;
        }
        while !queue.in_flight && !queue.waiters.is_empty() {
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
        if self.inside.load(Ordering::Relaxed) == me {
            return false;
        }
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
        let waiter = Waiter::new(me, &limit);
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
        let on_this_thread = [&self.owner, &self.inside]
            .into_iter()
            .any(|thread| thread.load(Ordering::Relaxed) == me);
        if !on_this_thread {
            // Pairs with the light fence in `unlock_owner`.
            fences::heavy();
            if self.owner.load(Ordering::Relaxed) == FREE && self.is_called(&waiter) {
                return Waited::Called;
            }
        }
        let notified = limit.wait(&waiter.signal, || {
            let mut queue = self.queue.lock();
            let left = queue.waiters.remove(&waiter);
            queue.starving &= !queue.waiters.is_empty();
            self.attention.store(queue.attention(), Ordering::Relaxed);
            left
        });
        if !notified {
            limit.expired();
            return Waited::Expired;
        }
        if waiter.is_granted() {
            self.settle(&mut self.queue.lock(), patience);
            return Waited::Locked;
        }
        Waited::Called
    }

    /// The mutex has become free while the waiter was being linked, and perhaps nobody has seen it: so the first one is to be called. Is
    /// that the caller?
    #[cold]
    fn is_called(&self, waiter: &Waiter) -> bool {
        let mut queue = self.queue.lock();
        // If it is not linked any more, it is being woken.
        if !waiter.is_linked() {
            return false;
        }
        if !queue.waiters.is_first(waiter) {
            self.call(queue);
            return false;
        }
        queue.waiters.remove(waiter);
        queue.in_flight = true;
        self.attention.store(queue.attention(), Ordering::Relaxed);
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
