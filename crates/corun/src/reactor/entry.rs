//! The state of one registered descriptor: what is known of its readiness, and whose turn it is.
//!
//! # Invariants
//! 1. READY is cleared only by somebody who learned from the kernel that there is nothing more to do (the call would have blocked, or a
//!    stream gave less than was asked for), and only if no event came since he looked at the state, *before* that call. Each event
//!    changes the tick, so a clear that comes too late fails. As descriptors are registered edge-triggered, whatever
//!    arrives after the kernel said "nothing" is a new event. So: not READY means that an event is still to come.
//! 2. The lock is a bit of the state: while it is set nobody else changes the state at all. A waiter links itself under it, and only if
//!    its direction is not READY or is another's turn.
//! 3. In each direction at most one waiter has the *turn*. READY with somebody in the list implies that somebody has the turn, or
//!    that somebody is on his way to the lock to give it. Whoever has it gives it on when his operation is done, however it ended
//!    (result, error, panic, cancellation), as long as the direction is READY. So a waiter is never left behind with work to do.
//! 4. Who lost his turn to a newcomer (a thread outside the runtime, a clone of the descriptor) goes back to the head of the list; a
//!    newcomer that finds waiters joins at the end. First come, first served.
//! 5. An entry is freed only when no event can name it any more: see `poller.rs`.
//! 6. Async tasks wait in one of two ways. A future for one operation has a node in the list like everybody else (`task_turn.rs`), and gives its
//!    turn on when it is dropped. A task that polls through a trait (`AsyncRead`) has no future that could be dropped: it joins the *herd*
//!    of its direction, which has no order and never has the turn. READY with somebody in the herd implies that somebody has the turn, or
//!    that somebody is on his way to the lock. The herd is called as a whole as soon as the direction is READY and nobody has or waits for
//!    the turn. Being called may come to nothing: whoever looks may be too late, and joins again.
//! 7. Wakers are foreign code: they are made, called and dropped without the lock. So what changes the lists returns whom to wake ([`Calls`]).
//!
//! # A short count is an answer
//! A TCP socket that returns fewer bytes than asked for is empty (or full), so READY is cleared without another call that only says
//! "would block": one `recv`, one `send` and a share of one `epoll_wait` per request. Not so after end of file, an error or urgent data
//! were reported (UNUSUAL): there a short count may stop before more, or no further event may come. Local sockets stop short
//! at ancillary data, so they never use it.
//!
//! # Rejected
//! - Wake all waiters on each event and let them race: a herd on every accept, and no order.
//! - A ready flag without a tick, cleared before the retry: each retry would have to repeat until the call says "would block",
//!   which costs one system call more per request.
//! - One-shot registrations: one more system call per wait. But where the system knows no edges, as Windows, there is nothing else: then whoever
//!   begins to wait asks for an event, under the lock, and an event that has come asks for what others wait for (`Locked::arm`). If the system
//!   refuses, no event may come to anybody: all who wait try again, and who would have to wait once more is told the error, as by a registration.
//! - Generation numbers in the event: needs a table look-up per event. Freeing entries late needs none.
//! - A lock beside the state: eight locked instructions a request instead of five.
//! - One slot for a waker in each direction, where the last one counts (as in some async runtimes): of two tasks that read through `&TcpStream`,
//!   one would never be woken. Nor may such a task have the turn: it may have lost its interest, and nobody would know.
//!
//! Checked by `tests.rs` on real sockets, and by `tests/models/reactor` in every interleaving of two readers, coroutines or tasks, and a dispatch.

use std::cell::{Cell, UnsafeCell};
use std::io;
use std::ops::BitOrAssign;
use std::sync::Arc;
use std::task::Waker;

use super::herd::Herd;
use super::poller::{Links, Reactor};
use super::selector::{ONE_SHOT, RawDescriptor};
use super::wait_list::{WaitList, Waiter};
use crate::platform::fork;
use crate::primitive::atomic::{AtomicU32, Ordering};
use crate::primitive::{hint, thread};
use crate::scheduler::signal::Wakeup;
use crate::scheduler::with_reactor;

/// The two independent halves of a descriptor. Accepting is reading, connecting is writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

/// What an event reports.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ready(u32);

impl Ready {
    pub(super) const NONE: Ready = Ready(0);
    pub(super) const READ: Ready = Ready(1);
    pub(super) const WRITE: Ready = Ready(2);
    const BOTH: Ready = Ready(3);
    /// End of file, an error, or urgent data: from now on a short count proves nothing. Stays set.
    pub(super) const UNUSUAL: Ready = Ready(1 << 8);

    #[inline(always)]
    pub(super) fn contains(self, other: Ready) -> bool {
        self.0 & other.0 != 0
    }
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

/// The reactor that watched the descriptor has gone; the next waiter registers it anew. Not if the entry had left that reactor before, as the
/// descriptor may be closed by then, and its number another's.
const ORPHAN: u32 = 1 << 9;
/// Somebody holds the lock: nobody else changes the state.
const LOCKED: u32 = 1 << 10;
const TICK: u32 = 1 << 11;
const FLAGS: u32 = TICK - 1;

impl Direction {
    const fn ready(self) -> u32 {
        1 << self as u32
    }

    /// The list of this direction is not empty. Changes under the lock only.
    const fn queued(self) -> u32 {
        4 << self as u32
    }

    /// Somebody has the turn. Is set under the lock only; its owner clears it.
    const fn turn(self) -> u32 {
        16 << self as u32
    }

    /// The herd of this direction is not empty. Changes under the lock only.
    const fn herd(self) -> u32 {
        64 << self as u32
    }
}

/// READY, somebody waits, and nobody has the turn, in either direction.
#[inline]
fn needs_hand_on(state: u32) -> bool {
    state & (state >> 2 | state >> 6) & !(state >> 4) & 3 != 0
}

/// The state as it was before an operation was tried.
#[derive(Clone, Copy)]
pub(super) struct Seen(u32);

impl Seen {
    /// No event has come since.
    #[inline]
    fn is_recent(self, state: u32) -> bool {
        (state ^ self.0) & !FLAGS == 0
    }
}

/// The state after a turn; `drained`: its operation has left nothing of what there was to do when it looked.
#[inline(always)]
fn end_of_turn(state: u32, direction: Direction, drained: Option<Seen>) -> u32 {
    match drained {
        Some(seen) if seen.is_recent(state) && seen.0 & Ready::UNUSUAL.0 == 0 => {
            state & !(direction.ready() | direction.turn())
        }
        _ => state & !direction.turn(),
    }
}

/// What a request touches lies in the first cache line.
#[repr(C, align(64))]
pub(super) struct Entry {
    state: AtomicU32,
    pub(super) descriptor: RawDescriptor,
    /// Who waits in each direction. Guarded by LOCKED, as is `home`.
    lists: [WaitList; 2],
    /// Who polls in each direction, made for the first one that does. Guarded by LOCKED.
    herds: UnsafeCell<Option<Box<[Herd; 2]>>>,
    /// The reactor that watches the descriptor.
    home: Cell<Option<Arc<Reactor>>>,
    /// The process it was made in, as `fork::generation` counts them.
    generation: u32,
    /// Guarded by the lock of the reactor's registry.
    pub(super) links: UnsafeCell<Links>,
}

// SAFETY: `links` is touched under the registry's lock only, `lists`, `herds` and `home` under the entry's own; the rest is atomic or constant.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

/// Whom to wake of one direction, once the entry is unlocked.
#[must_use = "they would wait for ever"]
pub(super) struct Calls {
    turn: Option<Wakeup>,
    herd: Option<Herd>,
}

impl Calls {
    const NONE: Calls = Calls {
        turn: None,
        herd: None,
    };

    #[inline]
    pub(super) fn wake(self) {
        if let Some(wakeup) = self.turn {
            wakeup.wake();
        }
        if let Some(herd) = self.herd {
            herd.wake();
        }
    }
}

/// Why an async task cannot begin to wait.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No reactor watches the descriptor: the task has to look for one without the lock, then try again.
    Homeless,
    /// The system does not tell of the descriptor.
    System(io::Error),
}

/// Holds the lock. As nobody else changes the state meanwhile, it is changed in a copy, and published with the unlocking.
struct Locked<'a> {
    entry: &'a Entry,
    state: u32,
}

impl Drop for Locked<'_> {
    #[inline]
    fn drop(&mut self) {
        self.entry
            .state
            .store(self.state & !LOCKED, Ordering::Release);
    }
}

impl Locked<'_> {
    fn note(&mut self, ready: Ready) {
        self.state = (self.state | ready.0).wrapping_add(TICK);
    }

    #[inline]
    fn hand_on_all(&mut self) -> [Calls; 2] {
        let reading = self.hand_on_if_free(Direction::Read);
        let writing = self.hand_on_if_free(Direction::Write);
        [reading, writing]
    }

    #[inline(always)]
    fn hand_on_if_free(&mut self, direction: Direction) -> Calls {
        if self.needs_hand_on(direction) {
            self.hand_on(direction)
        } else {
            Calls::NONE
        }
    }

    /// Somebody waits, and nobody has the turn.
    #[inline(always)]
    fn needs_hand_on(&self, direction: Direction) -> bool {
        let waits = self.state & (direction.queued() | direction.herd()) != 0;
        waits && self.state & direction.turn() == 0
    }

    /// Gives the turn, which is free or the caller's, to the first waiter, if there is something to do for him; if nobody waits for it, calls
    /// the herd.
    #[inline]
    fn hand_on(&mut self, direction: Direction) -> Calls {
        self.state &= !direction.turn();
        let mut calls = Calls::NONE;
        if self.state & direction.ready() != 0 {
            while !self.entry.lists[direction as usize].is_empty() {
                calls.turn = self.entry.lists[direction as usize].grant_first();
                if calls.turn.is_some() {
                    self.state |= direction.turn();
                    break;
                }
            }
            if calls.turn.is_none() && self.state & direction.herd() != 0 {
                calls.herd = self.call_herd(direction);
            }
        }
        self.note_queue(direction);
        calls
    }

    #[cold]
    fn call_herd(&mut self, direction: Direction) -> Option<Herd> {
        self.state &= !direction.herd();
        // SAFETY: guarded by the lock.
        let herds = unsafe { (*self.entry.herds.get()).as_mut() };
        herds.map(|herds| herds[direction as usize].leave())
    }

    #[inline]
    fn note_queue(&mut self, direction: Direction) {
        self.state &= !direction.queued();
        if !self.entry.lists[direction as usize].is_empty() {
            self.state |= direction.queued();
        }
    }

    /// As `hand_on`, for who goes without having looked whether there is more to do. Others may have joined while the direction was READY, and so have
    /// asked for no event; and of an orphan none will come, so that the next one has to look, and registers it if there is nothing.
    fn pass_on(&mut self, direction: Direction) -> [Calls; 2] {
        let waits = self.state & (direction.queued() | direction.herd()) != 0;
        if waits && self.state & ORPHAN != 0 {
            self.state |= direction.ready();
        }
        self.state &= !direction.turn();
        self.arm_for_others();
        self.hand_on_all()
    }

    /// Where events have to be asked for: asks for one of each direction that somebody waits in and that is not READY. Whoever links himself does;
    /// whoever dispatches an event, as it uses up what was asked for; and whoever gives up a turn, as its direction may be READY no more. After an
    /// error both directions are READY, and have to be handed on.
    #[inline(always)]
    fn arm(&mut self) -> io::Result<()> {
        if ONE_SHOT {
            self.arm_one_shot()
        } else {
            Ok(())
        }
    }

    /// As `arm`, for who does not wait himself and hands both directions on: an error is for those who do, and who meet it when they try again.
    #[inline(always)]
    fn arm_for_others(&mut self) {
        let _ = self.arm();
    }

    #[cold]
    fn arm_one_shot(&mut self) -> io::Result<()> {
        let waited = self.state >> 2 | self.state >> 6;
        let wanted = Ready(waited & !self.state & Ready::BOTH.0);
        // SAFETY: guarded by the lock.
        let home = unsafe { (*self.entry.home.as_ptr()).as_ref() };
        if let Some(home) = home
            && wanted != Ready::NONE
        {
            let armed = home.arm(self.entry, wanted);
            if armed.is_err() {
                self.note(Ready::BOTH);
            }
            return armed;
        }
        Ok(())
    }

    /// Registers the descriptor with the current worker's reactor, if none watches it.
    #[inline]
    fn settle(&mut self) -> io::Result<()> {
        if self.state & ORPHAN == 0 {
            return Ok(());
        }
        with_reactor(|reactor| self.settle_with(reactor)).expect("a coroutine runs on a worker")
    }

    #[cold]
    #[inline(never)]
    fn settle_with(&mut self, reactor: &Arc<Reactor>) -> io::Result<()> {
        reactor.adopt(self.entry)?;
        self.entry.home.set(Some(Arc::clone(reactor)));
        self.state &= !ORPHAN;
        Ok(())
    }
}

impl Entry {
    /// An entry for a descriptor on which an operation of the given direction would just have blocked.
    pub(super) fn new(descriptor: RawDescriptor, blocked: Direction) -> Entry {
        // Registering reports the present state as the first event, so that nothing is lost in between.
        let known = if cfg!(windows) {
            // Tried once more: Wine does not report a socket that was shut down here in between.
            Ready::BOTH.0
        } else {
            Ready::BOTH.0 & !blocked.ready()
        };
        let state = known | ORPHAN;
        Entry {
            state: AtomicU32::new(state),
            descriptor,
            lists: [WaitList::new(), WaitList::new()],
            herds: UnsafeCell::new(None),
            home: Cell::new(None),
            generation: fork::generation(),
            links: UnsafeCell::new(Links::NONE),
        }
    }

    #[inline]
    fn lock(&self) -> Locked<'_> {
        let mut state = self.state.load(Ordering::Relaxed);
        let mut spins = 0;
        loop {
            if state & LOCKED != 0 {
                state = self.wait_for_lock(&mut spins);
                continue;
            }
            // Acquire pairs with the release of the last holder, and of the last lock-free change.
            match self.state.compare_exchange_weak(
                state,
                state | LOCKED,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Locked { entry: self, state },
                Err(now) => state = now,
            }
        }
    }

    /// What the lock guards takes a few instructions, and at times a system call.
    #[cold]
    #[inline(never)]
    fn wait_for_lock(&self, spins: &mut u32) -> u32 {
        *spins += 1;
        if *spins < 64 {
            hint::spin_loop();
        } else {
            thread::yield_now();
        }
        self.state.load(Ordering::Relaxed)
    }

    /// It was made before a fork that this process is the child of. Its lock may be held by a thread that does not exist, its waiters do not
    /// either, and its reactor is the parent's: it must be left alone.
    #[inline]
    pub(super) fn is_stale(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Registers the descriptor with a reactor, if none watches it.
    pub(super) fn settle_at(&self, reactor: &Arc<Reactor>) -> io::Result<()> {
        let mut locked = self.lock();
        if locked.state & ORPHAN == 0 {
            return Ok(());
        }
        locked.settle_with(reactor)
    }

    /// Takes the entry from a reactor that stops: all waiters, who are to be woken, try again, and register it elsewhere.
    pub(super) fn orphan(&self) -> [Calls; 2] {
        let mut locked = self.lock();
        // Whoever finds no reactor may free the entry once the lock is released.
        let home = self.home.take();
        if let Some(home) = &home {
            home.let_go(self);
            locked.state |= ORPHAN;
        }
        locked.note(Ready::BOTH);
        let calls = locked.hand_on_all();
        drop(locked);
        drop(home);
        calls
    }

    /// Makes all waiters try again.
    pub(super) fn stir(&self) {
        self.dispatch(Ready::BOTH);
    }

    /// The reactor that watches the descriptor, which from now on has none, and never will again: it is no orphan either. Tasks that have polled are
    /// forgotten, not woken: nobody has the socket any more.
    pub(super) fn leave_home(&self) -> Option<Arc<Reactor>> {
        let mut locked = self.lock();
        locked.state &= !ORPHAN;
        let home = self.home.take();
        // SAFETY: guarded by the lock.
        let herds = unsafe { (*self.herds.get()).take() };
        drop(locked);
        drop(herds);
        home
    }

    /// Whether an operation may be tried at once: it may succeed, and nobody waits for his turn.
    #[inline]
    pub(super) fn look(&self, direction: Direction) -> Option<Seen> {
        let state = self.state.load(Ordering::Acquire);
        let mask = direction.ready() | direction.queued() | direction.turn();
        (state & mask == direction.ready()).then_some(Seen(state))
    }

    /// Changes the state without the lock, while nobody has it, as long as `change` gives a new one. Returns whether it was changed.
    #[inline]
    fn update(&self, mut change: impl FnMut(u32) -> Option<u32>) -> bool {
        let mut state = self.state.load(Ordering::Acquire);
        let mut spins = 0;
        while let Some(new) = change(state) {
            if state & LOCKED != 0 {
                state = self.wait_for_lock(&mut spins);
                continue;
            }
            match self
                .state
                .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(now) => state = now,
            }
        }
        false
    }

    /// The kernel said that the direction has nothing more to do, some time after the state was `seen`.
    #[inline]
    pub(super) fn clear(&self, direction: Direction, seen: Seen) {
        self.update(|state| seen.is_recent(state).then_some(state & !direction.ready()));
    }

    /// A stream returned a short count.
    #[inline]
    pub(super) fn drained(&self, direction: Direction, seen: Seen) {
        if seen.0 & Ready::UNUSUAL.0 == 0 {
            self.clear(direction, seen);
        }
    }

    /// Notes an event, and gives the turn to the first waiter of each direction that it concerns.
    #[inline]
    pub(super) fn dispatch(&self, ready: Ready) {
        let noted = !ONE_SHOT
            && self.update(|state| {
                let new = state | ready.0;
                (!needs_hand_on(new)).then_some(new.wrapping_add(TICK))
            });
        if !noted {
            let mut locked = self.lock();
            locked.note(ready);
            locked.arm_for_others();
            if locked.needs_hand_on(Direction::Write) {
                let [reading, writing] = locked.hand_on_all();
                drop(locked);
                reading.wake();
                writing.wake();
            } else {
                // Mostly one reads and nobody waits to write.
                let reading = locked.hand_on_if_free(Direction::Read);
                drop(locked);
                reading.wake();
            }
        }
    }

    /// The state, before an operation is tried.
    #[inline]
    pub(super) fn seen(&self) -> Seen {
        Seen(self.state.load(Ordering::Acquire))
    }

    /// Links a waiter; or returns the state, because the operation may be tried at once. Who has the turn (`mine`) gives it up by that, and
    /// goes before all others.
    ///
    /// # Safety
    /// A linked waiter must stay where it is until it was notified or `dequeue` was called.
    #[inline(always)]
    pub(super) unsafe fn enqueue(
        &self,
        direction: Direction,
        waiter: &Waiter,
        mine: bool,
    ) -> io::Result<Option<Seen>> {
        let mut locked = self.lock();
        locked.settle()?;
        // SAFETY: as the caller promises.
        unsafe { self.link(locked, direction, waiter, mine) }
    }

    /// As `enqueue`, for the waiter of an async task.
    ///
    /// # Safety
    /// As for `enqueue`.
    pub(super) unsafe fn enqueue_task(
        &self,
        direction: Direction,
        waiter: &Waiter,
        mine: bool,
    ) -> Result<Option<Seen>, Refusal> {
        let locked = self.lock();
        if locked.state & ORPHAN != 0 {
            return Err(Refusal::Homeless);
        }
        // SAFETY: as the caller promises.
        unsafe { self.link(locked, direction, waiter, mine) }.map_err(Refusal::System)
    }

    /// After an error the waiter is in no list, and has the turn still if it was `mine`.
    ///
    /// # Safety
    /// As for `enqueue`.
    #[inline(always)]
    unsafe fn link(
        &self,
        mut locked: Locked<'_>,
        direction: Direction,
        waiter: &Waiter,
        mine: bool,
    ) -> io::Result<Option<Seen>> {
        let state = locked.state;
        if state & direction.ready() != 0 && (mine || state & direction.turn() == 0) {
            return Ok(Some(Seen(state)));
        }
        let list = &self.lists[direction as usize];
        // SAFETY: the caller keeps it in place.
        unsafe {
            if mine {
                list.push_front(waiter);
                locked.state &= !direction.turn();
            } else {
                list.push_back(waiter);
            }
        }
        locked.state |= direction.queued();
        if let Err(error) = locked.arm() {
            list.remove(waiter);
            locked.note_queue(direction);
            if mine {
                locked.state |= direction.turn();
            }
            let calls = locked.hand_on_all();
            drop(locked);
            calls.into_iter().for_each(Calls::wake);
            return Err(error);
        }
        Ok(None)
    }

    /// Has the turn come to a waiter that a task has linked? If not, it will be told by `waker`, which is exchanged for the last one.
    pub(super) fn has_come(&self, waiter: &Waiter, waker: &mut Waker) -> bool {
        let _locked = self.lock();
        // SAFETY: under the lock of the list.
        unsafe { waiter.signal.poll(waker) }
    }

    /// Adds a task to the herd; or returns the state, because the operation may be tried at once.
    pub(super) fn join_herd(
        &self,
        direction: Direction,
        waker: &Waker,
    ) -> Result<Option<Seen>, Refusal> {
        // Made before the lock is taken, and dropped or called after, as the lock is the last local.
        let mut fresh = Some(waker.clone());
        let mut crowd = Herd::new();
        let mut locked = self.lock();
        let state = locked.state;
        if state & ORPHAN != 0 {
            return Err(Refusal::Homeless);
        }
        let mask = direction.ready() | direction.queued() | direction.turn();
        if state & mask == direction.ready() {
            return Ok(Some(Seen(state)));
        }
        // SAFETY: guarded by the lock.
        let herds = unsafe { &mut *self.herds.get() };
        let herd = &mut herds.get_or_insert_default()[direction as usize];
        if !herd.knows(waker) {
            if herd.is_full() {
                crowd = herd.leave();
            }
            if let Some(fresh) = fresh.take() {
                herd.add(fresh);
            }
        }
        locked.state |= direction.herd();
        if let Err(error) = locked.arm() {
            // The task itself is called as well, which does no harm.
            let calls = locked.hand_on_all();
            drop(locked);
            calls.into_iter().for_each(Calls::wake);
            crowd.wake();
            return Err(Refusal::System(error));
        }
        drop(locked);
        crowd.wake();
        Ok(None)
    }

    /// Takes a waiter out of its list, if it is still there. Returns whether it was.
    pub(super) fn withdraw(&self, direction: Direction, waiter: &Waiter) -> bool {
        let mut locked = self.lock();
        let linked = waiter.is_linked();
        if linked {
            self.lists[direction as usize].remove(waiter);
            locked.note_queue(direction);
        }
        linked
    }

    /// As `withdraw`, for one that does not want its turn any more, if it has it: then the next one gets it.
    pub(super) fn dequeue(&self, direction: Direction, waiter: &Waiter) {
        let mut locked = self.lock();
        let mut calls = [Calls::NONE, Calls::NONE];
        if waiter.is_linked() {
            self.lists[direction as usize].remove(waiter);
            locked.note_queue(direction);
        } else if waiter.is_granted() {
            calls = locked.pass_on(direction);
        }
        drop(locked);
        calls.into_iter().for_each(Calls::wake);
    }

    /// Ends a turn.
    #[inline(always)]
    pub(super) fn release(&self, direction: Direction, drained: Option<Seen>) {
        let others = direction.queued() | direction.herd();
        let alone = self
            .update(|state| (state & others == 0).then(|| end_of_turn(state, direction, drained)));
        if !alone {
            self.release_to_others(direction, drained);
        }
    }

    #[inline(never)]
    fn release_to_others(&self, direction: Direction, drained: Option<Seen>) {
        let mut locked = self.lock();
        locked.state = end_of_turn(locked.state, direction, drained);
        let calls = locked.pass_on(direction);
        drop(locked);
        calls.into_iter().for_each(Calls::wake);
    }

    /// Where the first waiter of a direction lies, as a hint of what a dispatch will touch.
    #[inline]
    pub(super) fn first_waiter(&self, direction: Direction) -> *const Waiter {
        self.lists[direction as usize].hint()
    }
}
