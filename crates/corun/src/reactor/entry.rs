//! The state of one registered descriptor: what is known of its readiness, and whose turn it is.
//!
//! # Invariants
//! 1. READY is cleared only by somebody who learned from the kernel that there is nothing more to do (the call would have blocked, or a
//!    stream gave less than was asked for), and only if no event came since he looked at the state, *before* that call. Each event
//!    changes the tick, so a clear that comes too late fails. As descriptors are registered edge-triggered, whatever
//!    arrives after the kernel said "nothing" is a new event. So: not READY means that an event is still to come.
//! 2. A waiter links itself only while it holds the lock and in one exchange with finding its direction not READY (or another's turn).
//! 3. In each direction at most one waiter has the *turn*. READY with somebody in the list implies that somebody has the turn, or
//!    that somebody is on his way to the lock to give it. Whoever has it gives it on when his operation is done, however it ended
//!    (result, error, panic, cancellation), as long as the direction is READY. So a waiter is never left behind with work to do.
//! 4. Who lost his turn to a newcomer (a thread outside the runtime, a clone of the descriptor) goes back to the head of the list; a
//!    newcomer that finds waiters joins at the end. First come, first served.
//! 5. An entry is freed only when no event can name it any more: see `poller.rs`.
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
//! - One-shot registrations: one more system call per wait.
//! - Generation numbers in the event: needs a table look-up per event. Freeing entries late needs none.

use std::cell::UnsafeCell;
use std::io;
use std::ops::BitOrAssign;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::poller::{Links, Reactor};
use super::selector::RawDescriptor;
use super::wait_list::{WaitList, Waiter};
use crate::platform::fork;
use crate::scheduler::lock::SpinLock;
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
    /// End of file, an error, or urgent data: from now on a short count proves nothing. Stays set.
    pub(super) const UNUSUAL: Ready = Ready(1 << 6);
}

impl BitOrAssign for Ready {
    #[inline]
    fn bitor_assign(&mut self, other: Ready) {
        self.0 |= other.0;
    }
}

/// The reactor that watched the descriptor has gone; the next waiter registers it anew.
const ORPHAN: u32 = 1 << 7;
const TICK: u32 = 1 << 8;
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
}

/// The state as it was before an operation was tried.
#[derive(Clone, Copy)]
pub(super) struct Seen(u32);

pub(super) struct Entry {
    state: AtomicU32,
    waiting: SpinLock<Waiting>,
    pub(super) descriptor: RawDescriptor,
    /// The process it was made in, as `fork::generation` counts them.
    generation: u32,
    /// Guarded by the lock of the reactor's registry.
    pub(super) links: UnsafeCell<Links>,
}

struct Waiting {
    lists: [WaitList; 2],
    /// The reactor that watches the descriptor.
    home: Option<Arc<Reactor>>,
}

// SAFETY: `links` is touched under the registry's lock only; everything else is atomic or behind the entry's own lock.
unsafe impl Send for Entry {}
// SAFETY: as above.
unsafe impl Sync for Entry {}

impl Entry {
    /// An entry for a descriptor on which an operation of the given direction would just have blocked.
    pub(super) fn new(descriptor: RawDescriptor, blocked: Direction) -> Entry {
        let ready = (Direction::Read.ready() | Direction::Write.ready()) & !blocked.ready();
        Entry {
            // Registering reports the present state as the first event, so that nothing is lost in between.
            state: AtomicU32::new(ready | ORPHAN),
            waiting: SpinLock::new(Waiting {
                lists: [WaitList::new(), WaitList::new()],
                home: None,
            }),
            descriptor,
            generation: fork::generation(),
            links: UnsafeCell::new(Links::NONE),
        }
    }

    /// It was made before a fork that this process is the child of. Its lock may be held by a thread that does not exist, its waiters do not
    /// either, and its reactor is the parent's: it must be left alone.
    #[inline]
    pub(super) fn is_stale(&self) -> bool {
        self.generation != fork::generation()
    }

    /// Registers the descriptor with the current worker's reactor, if none watches it.
    pub(super) fn settle(&self) -> io::Result<()> {
        self.settle_locked(&mut self.waiting.lock())
    }

    fn settle_locked(&self, waiting: &mut Waiting) -> io::Result<()> {
        if self.state.load(Ordering::Acquire) & ORPHAN == 0 {
            return Ok(());
        }
        with_reactor(|reactor| self.settle_with(waiting, reactor))
            .expect("a coroutine runs on a worker")
    }

    fn settle_with(&self, waiting: &mut Waiting, reactor: &Arc<Reactor>) -> io::Result<()> {
        reactor.adopt(self)?;
        waiting.home = Some(Arc::clone(reactor));
        self.state.fetch_and(!ORPHAN, Ordering::AcqRel);
        Ok(())
    }

    /// Takes the entry from a reactor that stops: all waiters try again, and register it elsewhere.
    pub(super) fn orphan(&self) {
        let mut waiting = self.waiting.lock();
        self.state.fetch_or(ORPHAN, Ordering::AcqRel);
        self.mark(Ready(Ready::READ.0 | Ready::WRITE.0));
        self.hand_on_all(&mut waiting);
        // Last: whoever finds no reactor may free the entry once the lock is released.
        let home = waiting.home.take();
        drop(waiting);
        drop(home);
    }

    /// Makes all waiters try again.
    pub(super) fn stir(&self) {
        let mut both = Ready::READ;
        both |= Ready::WRITE;
        self.dispatch(both);
    }

    /// The reactor that watches the descriptor, which from now on has none.
    pub(super) fn leave_home(&self) -> Option<Arc<Reactor>> {
        self.waiting.lock().home.take()
    }

    /// Whether an operation may be tried at once: it may succeed, and nobody waits for his turn.
    #[inline]
    pub(super) fn look(&self, direction: Direction) -> Option<Seen> {
        let state = self.state.load(Ordering::Acquire);
        let mask = direction.ready() | direction.queued() | direction.turn();
        (state & mask == direction.ready()).then_some(Seen(state))
    }

    /// The kernel said that the direction has nothing more to do, some time after the state was `seen`.
    #[inline]
    pub(super) fn clear(&self, direction: Direction, seen: Seen) {
        let mut state = seen.0;
        while (state ^ seen.0) & !FLAGS == 0 {
            let new = state & !direction.ready();
            match self
                .state
                .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
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
        let mut state = self.state.load(Ordering::Acquire);
        while !Self::needs_hand_on(state | ready.0) {
            let new = (state | ready.0).wrapping_add(TICK);
            match self
                .state
                .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        let mut waiting = self.waiting.lock();
        self.mark(ready);
        self.hand_on_all(&mut waiting);
    }

    /// READY, somebody waits, and nobody has the turn, in either direction.
    #[inline]
    fn needs_hand_on(state: u32) -> bool {
        state & (state >> 2) & !(state >> 4) & 3 != 0
    }

    fn mark(&self, ready: Ready) {
        // Never fails, as the closure always returns a value.
        let _ = self
            .state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                Some((state | ready.0).wrapping_add(TICK))
            });
    }

    fn hand_on_all(&self, waiting: &mut Waiting) {
        for direction in [Direction::Read, Direction::Write] {
            let state = self.state.load(Ordering::Acquire);
            if state & direction.queued() != 0 && state & direction.turn() == 0 {
                self.hand_on(waiting, direction);
            }
        }
    }

    /// Gives the turn, which is free or the caller's, to the first waiter, if there is something to do for him.
    fn hand_on(&self, waiting: &mut Waiting, direction: Direction) {
        let list = &mut waiting.lists[direction as usize];
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            let give = state & direction.ready() != 0 && !list.is_empty();
            let rest = if give {
                !list.is_single()
            } else {
                !list.is_empty()
            };
            let mut new = state & !(direction.queued() | direction.turn());
            if rest {
                new |= direction.queued();
            }
            if give {
                // Before the notification: the waiter may be done, and clear it, at once.
                new |= direction.turn();
            }
            if let Err(now) =
                self.state
                    .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire)
            {
                state = now;
                continue;
            }
            if !give || list.grant_first() {
                return;
            }
            state = new;
        }
    }

    /// Ends a turn.
    #[inline]
    fn release(&self, direction: Direction, drained: Option<Seen>) {
        let drained = drained.filter(|seen| seen.0 & Ready::UNUSUAL.0 == 0);
        let mut state = self.state.load(Ordering::Acquire);
        while state & direction.queued() == 0 {
            let mut new = state & !direction.turn();
            if drained.is_some_and(|seen| (state ^ seen.0) & !FLAGS == 0) {
                new &= !direction.ready();
            }
            match self
                .state
                .compare_exchange_weak(state, new, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
        let mut waiting = self.waiting.lock();
        if let Some(seen) = drained {
            self.clear(direction, seen);
        }
        self.hand_on(&mut waiting, direction);
    }
}

/// The place of one operation in the order of its direction.
pub(super) struct Turn<'a> {
    entry: &'a Entry,
    direction: Direction,
    /// It is this operation's turn, to be given on.
    mine: bool,
}

impl<'a> Turn<'a> {
    pub(super) fn new(entry: &'a Entry, direction: Direction) -> Turn<'a> {
        Turn {
            entry,
            direction,
            mine: false,
        }
    }

    /// Waits until the operation may be tried (again). `None`: the deadline passed first.
    pub(super) fn wait(&mut self, deadline: Option<Instant>) -> io::Result<Option<Seen>> {
        let Turn {
            entry, direction, ..
        } = *self;
        let waiter = Waiter::new();
        {
            let mut waiting = entry.waiting.lock();
            entry.settle_locked(&mut waiting)?;
            let mut state = entry.state.load(Ordering::Acquire);
            loop {
                if state & direction.ready() != 0 && (self.mine || state & direction.turn() == 0) {
                    return Ok(Some(Seen(state)));
                }
                let mut new = state | direction.queued();
                if self.mine {
                    new &= !direction.turn();
                }
                match entry.state.compare_exchange_weak(
                    state,
                    new,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    Ok(_) => break,
                    Err(now) => state = now,
                }
            }
            let list = &mut waiting.lists[direction as usize];
            // SAFETY: `waiter` stays where it is until `Linked` has made sure that it is in no list.
            unsafe {
                if self.mine {
                    list.push_front(&waiter)
                } else {
                    list.push_back(&waiter)
                }
            }
            self.mine = false;
        }
        let linked = Linked {
            entry,
            direction,
            waiter: &waiter,
        };
        if waiter.signal.wait_until(deadline) {
            // The waker has unlinked it.
            std::mem::forget(linked);
            self.mine = true;
            return Ok(Some(Seen(entry.state.load(Ordering::Acquire))));
        }
        drop(linked);
        Ok(None)
    }

    /// The operation is done; `drained` if it returned a short count.
    #[inline]
    pub(super) fn finish(self, drained: Option<Seen>) {
        if self.mine {
            self.entry.release(self.direction, drained);
        } else if let Some(seen) = drained {
            self.entry.drained(self.direction, seen);
        }
        std::mem::forget(self);
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if self.mine {
            self.entry.release(self.direction, None);
        }
    }
}

/// Takes a waiter out of its list when its wait ends early: by its deadline, or by unwinding.
struct Linked<'a> {
    entry: &'a Entry,
    direction: Direction,
    waiter: &'a Waiter,
}

impl Drop for Linked<'_> {
    fn drop(&mut self) {
        let mut waiting = self.entry.waiting.lock();
        if self.waiter.is_linked() {
            let list = &mut waiting.lists[self.direction as usize];
            list.remove(self.waiter);
            if list.is_empty() {
                self.entry
                    .state
                    .fetch_and(!self.direction.queued(), Ordering::AcqRel);
            }
        } else if self.waiter.is_granted() {
            self.entry.hand_on(&mut waiting, self.direction);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::sync::Mutex;
    use std::sync::atomic::AtomicBool;
    use std::thread;
    use std::time::Duration;

    /// Runs `body` with a socket pair whose first end is watched by a reactor that a thread polls.
    fn with_entry(body: impl FnOnce(&Entry, &UnixStream, UnixStream)) {
        let reactor = Arc::new(Reactor::new().unwrap());
        let (near, far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let entry = Box::new(Entry::new(near.as_raw_fd(), Direction::Read));
        entry
            .settle_with(&mut entry.waiting.lock(), &reactor)
            .unwrap();
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let poller = scope.spawn(|| {
                while !done.load(Ordering::Acquire) {
                    reactor.poll(None).unwrap();
                }
            });
            body(&entry, &near, far);
            done.store(true, Ordering::Release);
            reactor.wake();
            poller.join().unwrap();
        });
        let home = entry.leave_home().unwrap();
        // SAFETY: from a box, used by nobody any more, and `near` is open.
        unsafe { home.bury(Box::into_raw(entry)) };
    }

    fn read_byte(entry: &Entry, mut socket: &UnixStream) -> u8 {
        let mut turn = Turn::new(entry, Direction::Read);
        let mut byte = [0];
        while let Some(seen) = turn.wait(None).unwrap() {
            match socket.read(&mut byte) {
                Ok(n) => {
                    assert_eq!(n, 1);
                    turn.finish(None);
                    return byte[0];
                }
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    entry.clear(Direction::Read, seen);
                }
            }
        }
        unreachable!("no deadline");
    }

    #[test]
    fn every_byte_reaches_one_of_several_readers() {
        with_entry(|entry, near, mut far| {
            let got = Mutex::new(Vec::new());
            thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        for _ in 0..2000 {
                            let byte = read_byte(entry, near);
                            got.lock().unwrap().push(byte);
                        }
                    });
                }
                for n in 0..8000u32 {
                    far.write_all(&[n as u8]).unwrap();
                }
            });
            let mut sum = [0; 256];
            got.lock()
                .unwrap()
                .iter()
                .for_each(|byte| sum[usize::from(*byte)] += 1);
            assert_eq!(got.lock().unwrap().len(), 8000);
            assert!(sum.iter().all(|count| (31..=32).contains(count)));
        });
    }

    #[test]
    fn a_deadline_takes_the_waiter_out_and_leaves_the_others() {
        with_entry(|entry, near, mut far| {
            thread::scope(|scope| {
                let reader = scope.spawn(|| read_byte(entry, near));
                let start = Instant::now();
                let mut turn = Turn::new(entry, Direction::Read);
                let deadline = start + Duration::from_millis(5);
                assert!(turn.wait(Some(deadline)).unwrap().is_none());
                assert!(Instant::now() >= deadline);
                turn.finish(None);
                far.write_all(&[7]).unwrap();
                assert_eq!(reader.join().unwrap(), 7);
            });
            assert_eq!(
                entry.state.load(Ordering::Acquire)
                    & (Direction::Read.queued() | Direction::Read.turn()),
                0
            );
        });
    }

    #[test]
    fn deadlines_that_race_with_events_lose_no_byte() {
        with_entry(|entry, near, mut far| {
            let done = AtomicBool::new(false);
            thread::scope(|scope| {
                for _ in 0..2 {
                    scope.spawn(|| {
                        while !done.load(Ordering::Acquire) {
                            let mut turn = Turn::new(entry, Direction::Read);
                            let _ = turn
                                .wait(Some(Instant::now() + Duration::from_micros(20)))
                                .unwrap();
                            // Its turn or not, it does not read: the next one must get the turn.
                        }
                    });
                }
                for n in 0..2000u32 {
                    far.write_all(&[n as u8]).unwrap();
                    assert_eq!(read_byte(entry, near), n as u8);
                }
                done.store(true, Ordering::Release);
            });
        });
    }

    #[test]
    fn a_clear_that_comes_after_an_event_does_nothing() {
        let entry = Entry::new(0, Direction::Write);
        let seen = entry.look(Direction::Read).unwrap();
        entry.dispatch(Ready::READ);
        entry.clear(Direction::Read, seen);
        assert!(entry.look(Direction::Read).is_some());
        let seen = entry.look(Direction::Read).unwrap();
        entry.clear(Direction::Read, seen);
        assert!(entry.look(Direction::Read).is_none());
    }

    #[test]
    fn after_the_end_of_file_a_short_count_proves_nothing() {
        let entry = Entry::new(0, Direction::Write);
        entry.dispatch(Ready(Ready::READ.0 | Ready::UNUSUAL.0));
        let seen = entry.look(Direction::Read).unwrap();
        entry.drained(Direction::Read, seen);
        assert!(entry.look(Direction::Read).is_some());
    }
}
