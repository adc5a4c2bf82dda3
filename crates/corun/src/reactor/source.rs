//! What a socket owns: its way to wait.

use std::fmt;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Instant;

use super::entry::{Direction, Entry, Refusal};
use super::limits::Limits;
use super::poller::Reactor;
use super::selector::{self, RawDescriptor};
use super::turn::Turn;
use crate::cancel::limit::Limit;
use crate::hooking::own;
use crate::scheduler::{in_coroutine, may_go_on, reactor_for_task, safepoint, with_reactor};

/// Runs the operations of one descriptor, which is registered nowhere until one of them has to wait in a coroutine.
///
/// Must be dropped before the descriptor is closed.
pub(crate) struct Source {
    entry: AtomicPtr<Entry>,
}

/// Several coroutines may be the first to wait on a descriptor at once; it is registered once. A prime number of locks, as the sockets of Windows are
/// multiples of 4.
static REGISTERING: [Mutex<()>; 17] = [const { Mutex::new(()) }; 17];

/// The lock under which a descriptor is registered.
fn stripe(descriptor: RawDescriptor) -> &'static Mutex<()> {
    &REGISTERING[descriptor as usize % REGISTERING.len()]
}

#[inline]
pub(super) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl Source {
    pub(crate) const fn new() -> Source {
        Source {
            entry: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Runs a non-blocking operation, waiting for its turn and for the descriptor as long as it would block.
    ///
    /// `short` tells whether a result proves that the direction has nothing more to give: see `entry.rs`.
    #[inline]
    pub(crate) fn run<S: selector::Socket, T>(
        &self,
        socket: &S,
        direction: Direction,
        limits: &Limits,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(result) = self.attempt(direction, &short, &mut operation) {
            safepoint();
            return result;
        }
        if limits.is_nonblocking() {
            // The reactor may not have seen yet what the kernel knows.
            return operation();
        }
        let deadline = limits.deadline(direction);
        self.run_blocked(socket, direction, deadline, short, operation)
    }

    /// As `run`, by a deadline of the caller's own.
    #[cfg(unix)]
    pub(crate) fn run_until<S: selector::Socket, T>(
        &self,
        socket: &S,
        direction: Direction,
        deadline: Option<Instant>,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        if let Some(result) = self.attempt(direction, &short, &mut operation) {
            safepoint();
            return result;
        }
        self.run_blocked(socket, direction, deadline, short, operation)
    }

    #[inline(always)]
    fn run_blocked<S: selector::Socket, T>(
        &self,
        socket: &S,
        direction: Direction,
        deadline: Option<Instant>,
        short: impl Fn(&T) -> bool,
        operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let limit = Limit::for_io(deadline);
        if !in_coroutine() {
            return Self::run_on_thread(selector::raw(socket), direction, &limit, operation);
        }
        self.run_in_turn(socket, direction, &limit, short, operation)
    }

    /// Tries an operation, if it may be tried at once. `None`: it has to wait.
    #[inline(always)]
    pub(crate) fn attempt<T>(
        &self,
        direction: Direction,
        short: &impl Fn(&T) -> bool,
        operation: &mut impl FnMut() -> io::Result<T>,
    ) -> Option<io::Result<T>> {
        let Some(entry) = self.entry() else {
            let result = operation();
            return (!would_block(&result)).then_some(result);
        };
        let seen = entry.look(direction)?;
        let result = operation();
        if would_block(&result) {
            entry.clear(direction, seen);
            return None;
        }
        if result.as_ref().is_ok_and(short) {
            entry.drained(direction, seen);
        }
        Some(result)
    }

    /// Runs a non-blocking operation on behalf of a task that polls: it is called, as one of the herd, when there is something to try again.
    pub(crate) fn poll<S: selector::Socket, T>(
        &self,
        waker: &Waker,
        socket: &S,
        direction: Direction,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        if !may_go_on(waker) {
            return Poll::Pending;
        }
        loop {
            if let Some(result) = self.attempt(direction, &short, &mut operation) {
                return Poll::Ready(result);
            }
            let entry = self.entry_for_task(selector::raw(socket), direction)?;
            match entry.join_herd(direction, waker) {
                Ok(None) => return Poll::Pending,
                Ok(Some(_)) => {}
                Err(Refusal::Homeless) => entry.settle_at(&reactor_for_task()?)?,
                Err(Refusal::System(error)) => return Poll::Ready(Err(error)),
            }
        }
    }

    #[inline(always)]
    fn run_in_turn<S: selector::Socket, T>(
        &self,
        socket: &S,
        direction: Direction,
        limit: &Limit,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        let result = self.run_when_ready(socket, direction, limit, short, &mut operation)?;
        if let Some(result) = result {
            return Ok(result);
        }
        // The worker may have been too busy to look for events: the deadline alone must not make an operation fail.
        let result = operation();
        if would_block(&result) {
            limit.expired_io()?;
        }
        result
    }

    /// For a coroutine: runs an operation when it is its turn and the descriptor is ready. `None`: the limit came first.
    ///
    /// Inlined, as is all that leads from here to the switch: with many connections, each frame that a coroutine goes back through is
    /// one or two lines of memory that are not in the cache.
    #[inline(always)]
    pub(crate) fn run_when_ready<S: selector::Socket, T>(
        &self,
        socket: &S,
        direction: Direction,
        limit: &Limit,
        short: impl Fn(&T) -> bool,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let entry = self.entry_or_register(selector::raw(socket), direction)?;
        let mut turn = Turn::new(entry, direction);
        while let Some(seen) = turn.wait(limit)? {
            match operation() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    entry.clear(direction, seen);
                }
                result => {
                    let drained = result.as_ref().is_ok_and(&short).then_some(seen);
                    turn.finish(drained);
                    return result.map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Where the state of the descriptor lies, as a hint of what an operation will touch; 0 if there is none as yet.
    #[inline]
    pub(crate) fn hint(&self) -> usize {
        self.entry.load(Ordering::Relaxed).addr()
    }

    #[cold]
    fn run_on_thread<T>(
        descriptor: RawDescriptor,
        direction: Direction,
        limit: &Limit,
        mut operation: impl FnMut() -> io::Result<T>,
    ) -> io::Result<T> {
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { selector::BorrowedDescriptor::borrow_raw(descriptor) };
        loop {
            let in_time = limit.poll(&[descriptor], direction)?;
            let result = operation();
            if !would_block(&result) {
                return result;
            }
            if !in_time {
                limit.expired_io()?;
                return result;
            }
        }
    }

    /// Makes all waiters try again. Used after something that an operation looks at has changed.
    pub(crate) fn stir(&self) {
        if let Some(entry) = self.entry()
            && !entry.is_stale()
        {
            entry.stir();
        }
    }

    /// Registers a descriptor on which an operation of this direction would have blocked, if it is not yet.
    #[cfg(unix)]
    pub(super) fn register_for(
        &self,
        descriptor: RawDescriptor,
        blocked: Direction,
    ) -> io::Result<()> {
        self.entry_or_register(descriptor, blocked).map(|_| ())
    }

    /// Takes the descriptor out of the selector, before it is closed behind the source's back. Returns the reactor that watched it, which
    /// `lay_out` wants.
    #[cfg(unix)]
    pub(super) fn forsake(&self) -> Option<Arc<Reactor>> {
        let entry = self.entry().filter(|entry| !entry.is_stale())?;
        let home = entry.leave_home()?;
        home.forsake(entry);
        Some(home)
    }

    /// Gives the entry to the reactor that has forsaken it, for events under way may name it.
    #[cfg(unix)]
    pub(super) fn lay_out(&mut self, home: &Reactor) {
        let entry = std::mem::replace(self.entry.get_mut(), ptr::null_mut());
        // SAFETY: it came from `Box::into_raw`; nobody waits on it, as waiting borrows the source.
        unsafe {
            if !entry.is_null() && !(*entry).is_stale() {
                home.lay_out(entry);
            }
        }
    }

    #[inline]
    fn entry(&self) -> Option<&Entry> {
        // Acquire pairs with the release in `entry_or_register`.
        let entry = self.entry.load(Ordering::Acquire);
        // SAFETY: an entry lives until its source is dropped.
        unsafe { entry.as_ref() }
    }

    #[inline]
    fn entry_or_register(
        &self,
        descriptor: RawDescriptor,
        blocked: Direction,
    ) -> io::Result<&Entry> {
        match self.entry() {
            Some(entry) if !entry.is_stale() => Ok(entry),
            _ => self.register(descriptor, blocked),
        }
    }

    /// The entry, for an async task, which may run on a thread that has no reactor.
    pub(super) fn entry_for_task(
        &self,
        descriptor: RawDescriptor,
        blocked: Direction,
    ) -> io::Result<&Entry> {
        match self.entry() {
            Some(entry) if !entry.is_stale() => Ok(entry),
            _ => self.register_with(descriptor, blocked, &reactor_for_task()?),
        }
    }

    #[cold]
    fn register(&self, descriptor: RawDescriptor, blocked: Direction) -> io::Result<&Entry> {
        with_reactor(|reactor| self.register_with(descriptor, blocked, reactor))
            .expect("a coroutine runs on a worker")
    }

    pub(super) fn register_with(
        &self,
        descriptor: RawDescriptor,
        blocked: Direction,
        reactor: &Arc<Reactor>,
    ) -> io::Result<&Entry> {
        let stripe = stripe(descriptor);
        let _guard = own(|| stripe.lock()).unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = self.entry()
            && !entry.is_stale()
        {
            return Ok(entry);
        }
        // A stale one is leaked: see `Entry::is_stale`.
        let entry = Box::new(Entry::new(descriptor, blocked));
        entry.settle_at(reactor)?;
        self.entry.store(Box::into_raw(entry), Ordering::Release);
        Ok(self.entry().expect("just stored"))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let registered = self.entry().is_some();
        f.debug_struct("Source")
            .field("registered", &registered)
            .finish()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let entry = *self.entry.get_mut();
        if entry.is_null() {
            return;
        }
        // SAFETY: it came from `Box::into_raw`, and nobody can wait on it, as waiting borrows the source.
        unsafe {
            if (*entry).is_stale() {
                return;
            }
            match (*entry).leave_home() {
                Some(home) => home.bury(entry),
                None => drop(Box::from_raw(entry)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::ptr;

    #[test]
    fn descriptors_spread_over_all_locks_whatever_their_step() {
        let count = REGISTERING.len() as RawDescriptor;
        for step in [1, 2, 4, 8, 16] {
            let stripes: HashSet<_> = (0..count)
                .map(|n| ptr::from_ref(stripe(100 + n * step)))
                .collect();
            assert_eq!(stripes.len(), REGISTERING.len());
        }
    }
}
