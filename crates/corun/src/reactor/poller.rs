//! The reactor of one worker.
//!
//! # Invariants
//! - Events name entries by address. They are fetched and handed out under the lock of the event buffer, all of a batch
//!   before the next is fetched. An entry that leaves is first removed from the selector, then put on the list of the dead,
//!   which is freed only at the start of a later poll, under the same lock. So no event ever names a freed entry, and one that
//!   names a dead one changes the state of memory that nobody waits on.
//! - `wake` is never lost, whoever polls: `woken` is taken back only by a poll that may wait, and such a poll does not wait if it
//!   finds it set. A poll that just looks (the watch thread's, say) may swallow the event itself but leaves the flag. (A host that
//!   does not wait in `poll` takes it back by `rearm`, before it says that it sleeps.)
//! - A `wake` that finds the flag set is merged with the earlier one. Both sides exchange the same flag, so what was
//!   published before the merged `wake` is visible after the poll that takes the flag back.
//!
//! Rejected: reading the eventfd after each wake-up (one more system call, and the watch thread could steal it).

use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::entry::{Calls, Direction, Entry, Ready};
use super::selector::{Events, Selector};
use crate::hooking::own;
use crate::inspect::points;
use crate::platform::fork;
use crate::scheduler::run_queue::prefetch;

/// How many events ahead of the one that is handed out memory is prefetched.
const AHEAD: usize = 4;

/// Waits for descriptors on behalf of the coroutines of one worker.
pub(crate) struct Reactor {
    selector: Selector,
    events: Mutex<Events>,
    woken: AtomicBool,
    registry: Mutex<Registry>,
    /// The list of the dead is not empty.
    burials: AtomicBool,
}

/// All entries that name this reactor as theirs, and those that are waiting to be freed.
struct Registry {
    live: *const Entry,
    /// How many of the former.
    count: usize,
    dead: *const Entry,
}

// SAFETY: the entries themselves may be used from any thread, and the lists are behind a lock.
unsafe impl Send for Registry {}

/// An entry's links in the registry.
#[derive(Clone, Copy)]
pub(super) struct Links {
    prev: *const Entry,
    next: *const Entry,
    linked: bool,
}

impl Links {
    pub(super) const NONE: Links = Links {
        prev: ptr::null(),
        next: ptr::null(),
        linked: false,
    };
}

impl Registry {
    fn link(&mut self, entry: &Entry) {
        // SAFETY: links of registered entries are alive, and touched under this registry's lock only.
        unsafe {
            *entry.links.get() = Links {
                prev: ptr::null(),
                next: self.live,
                linked: true,
            };
            if let Some(next) = self.live.as_ref() {
                (*next.links.get()).prev = entry;
            }
        }
        self.live = entry;
        self.count += 1;
    }

    fn unlink(&mut self, entry: &Entry) {
        // SAFETY: as in `link`.
        unsafe {
            let links = std::mem::replace(&mut *entry.links.get(), Links::NONE);
            if !links.linked {
                return;
            }
            self.count -= 1;
            match links.prev.as_ref() {
                Some(prev) => (*prev.links.get()).next = links.next,
                None => self.live = links.next,
            }
            if let Some(next) = links.next.as_ref() {
                (*next.links.get()).prev = links.prev;
            }
        }
    }
}

trait Exclusive<T> {
    /// Locks; a panic of an earlier holder left nothing half-done that matters here.
    fn take(&self) -> MutexGuard<'_, T>;
}

impl<T> Exclusive<T> for Mutex<T> {
    fn take(&self) -> MutexGuard<'_, T> {
        own(|| self.lock()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reactor {
    /// # Errors
    /// If the system has no descriptor or memory left for it.
    pub(crate) fn new() -> io::Result<Reactor> {
        fork::watch();
        Ok(Reactor {
            selector: Selector::new()?,
            events: Mutex::new(Events::new()),
            woken: AtomicBool::new(false),
            registry: Mutex::new(Registry {
                live: ptr::null(),
                count: 0,
                dead: ptr::null(),
            }),
            burials: AtomicBool::new(false),
        })
    }

    /// Waits for events until the timeout (`None`: for ever), hands them out, and returns how many there were. A timeout of zero
    /// only looks. Returns early for events and for `wake` only, not for signal handlers.
    pub(crate) fn poll(&self, timeout: Option<Duration>) -> io::Result<usize> {
        let mut timeout = timeout;
        let may_wait = timeout != Some(Duration::ZERO);
        let mut events = if may_wait {
            self.events.take()
        } else {
            // Whoever holds it is handing out events just now.
            match self.events.try_lock() {
                Ok(events) => events,
                Err(_) => return Ok(0),
            }
        };
        // Acquire pairs with the release in `wake`.
        if may_wait && self.woken.swap(false, Ordering::AcqRel) {
            timeout = Some(Duration::ZERO);
        }
        if self.burials.load(Ordering::Acquire) {
            self.free_dead();
        }
        self.fetch(&mut events, timeout)?;
        let mut count = 0;
        for (index, (entry, ready)) in events.iter().enumerate() {
            // With thousands of connections each is a cache miss, and the waiter's stack a miss of the address cache too.
            if let Some(later) = events.entry(index + 2 * AHEAD) {
                prefetch(later.addr());
            }
            if let Some(later) = events.entry(index + AHEAD) {
                // SAFETY: entries outlive the batch that names them.
                if let Some(later) = unsafe { later.as_ref() } {
                    prefetch(later.first_waiter(Direction::Read).addr());
                }
            }
            // SAFETY: entries outlive the batch that names them: see the invariants.
            match unsafe { entry.as_ref() } {
                Some(entry) => {
                    points::io_occurred(
                        entry.descriptor as u64,
                        ready.contains(Ready::READ),
                        ready.contains(Ready::WRITE),
                    );
                    entry.dispatch(ready);
                    count += 1;
                }
                None if may_wait => {
                    self.woken.swap(false, Ordering::AcqRel);
                }
                None => {}
            }
        }
        Ok(count)
    }

    fn fetch(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let deadline = match timeout {
            None | Some(Duration::ZERO) => None,
            Some(timeout) => Instant::now().checked_add(timeout),
        };
        let mut left = timeout;
        loop {
            match self.selector.wait(events, left) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    if let Some(deadline) = deadline {
                        left = Some(deadline.saturating_duration_since(Instant::now()));
                    }
                }
                result => return result,
            }
        }
    }

    /// Makes the poll that waits, or else the next one that would, return. From any thread; several are merged into one.
    pub(crate) fn wake(&self) {
        // Release publishes what the poller is woken for; see the invariants for merged ones.
        if !self.woken.swap(true, Ordering::AcqRel) {
            self.selector.wake();
        }
    }

    /// Makes the next `wake` an event again, although no poll that waits has taken the last one back: for a host that waits on the descriptor.
    /// What was published before a `wake` that was merged with an earlier one is visible after this, so it has to be looked for then.
    pub(crate) fn rearm(&self) {
        self.woken.swap(false, Ordering::AcqRel);
    }

    /// Readable when `poll` has something to do: for a host loop that waits on it.
    #[cfg(unix)]
    pub(crate) fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.selector.as_fd()
    }

    /// To be called when nobody will poll any more. Whoever still waits on a descriptor of this reactor, from another runtime, moves it
    /// to his own.
    pub(crate) fn shutdown(&self) {
        // No batch is under way while this is held.
        let _events = self.events.take();
        loop {
            let calls = {
                let mut registry = self.registry.take();
                // SAFETY: linked entries are alive: to leave they need the registry's lock, or have to find that they have no home, which is
                // the last thing that `orphan` does.
                let Some(entry) = (unsafe { registry.live.as_ref() }) else {
                    return;
                };
                registry.unlink(entry);
                entry.orphan()
            };
            // Foreign code, which may drop sockets of this reactor.
            calls.into_iter().for_each(Calls::wake);
        }
    }

    /// How many descriptors are watched.
    pub(crate) fn descriptors(&self) -> usize {
        self.registry.take().count
    }

    /// Watches an entry's descriptor from now on.
    pub(super) fn adopt(&self, entry: &Entry) -> io::Result<()> {
        let mut registry = self.registry.take();
        self.selector.add(entry.descriptor, entry)?;
        registry.link(entry);
        drop(registry);
        points::io_registered(entry.descriptor as u64);
        Ok(())
    }

    /// Asks for one more event of an entry that was adopted.
    pub(super) fn arm(&self, entry: &Entry, wanted: Ready) -> io::Result<()> {
        self.selector.arm(entry.descriptor, entry, wanted)
    }

    /// Reports an entry's descriptor no more, as this reactor stops. Under the entry's lock, so that nobody asks for an event in between.
    pub(super) fn let_go(&self, entry: &Entry) {
        self.selector.delete(entry.descriptor);
    }

    /// Watches an entry's descriptor no more, because it is about to be closed. The entry, which has left its home, may still be waited on.
    #[cfg(unix)]
    pub(super) fn forsake(&self, entry: &Entry) {
        let mut registry = self.registry.take();
        registry.unlink(entry);
        self.selector.delete(entry.descriptor);
    }

    /// Takes back an entry that nobody uses any more, and frees it in time.
    ///
    /// # Safety
    /// The entry came from `Box::into_raw`, nobody uses it or will do so, its descriptor is still open, and this was its home.
    pub(super) unsafe fn bury(&self, entry: *const Entry) {
        let mut registry = self.registry.take();
        // SAFETY: alive until it is freed from the list of the dead.
        let alive = unsafe { &*entry };
        registry.unlink(alive);
        self.selector.delete(alive.descriptor);
        self.lay_out_in(&mut registry, alive);
    }

    /// As `bury`, for an entry that was forsaken: its descriptor may be another one by now.
    ///
    /// # Safety
    /// The entry came from `Box::into_raw`, nobody uses it or will do so, and this was its last home.
    #[cfg(unix)]
    pub(super) unsafe fn lay_out(&self, entry: *const Entry) {
        // SAFETY: alive until it is freed from the list of the dead.
        self.lay_out_in(&mut self.registry.take(), unsafe { &*entry });
    }

    fn lay_out_in(&self, registry: &mut Registry, entry: &Entry) {
        // SAFETY: under the registry's lock.
        unsafe {
            *entry.links.get() = Links {
                next: registry.dead,
                ..Links::NONE
            }
        };
        registry.dead = entry;
        self.burials.store(true, Ordering::Release);
    }

    /// Frees what was buried. To be called when no batch of events is under way.
    fn free_dead(&self) {
        let mut dead = {
            let mut registry = self.registry.take();
            self.burials.store(false, Ordering::Relaxed);
            std::mem::replace(&mut registry.dead, ptr::null())
        };
        while !dead.is_null() {
            // SAFETY: buried entries came from `Box::into_raw`, are used by nobody, and are on this list once.
            let entry = unsafe { Box::from_raw(dead.cast_mut()) };
            dead = entry.links.into_inner().next;
        }
    }
}

impl Drop for Reactor {
    fn drop(&mut self) {
        self.free_dead();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn a_timeout_is_never_early() {
        let reactor = Reactor::new().unwrap();
        for micros in [1, 100, 999, 1000, 1001, 5500] {
            let timeout = Duration::from_micros(micros);
            let start = Instant::now();
            assert_eq!(reactor.poll(Some(timeout)).unwrap(), 0);
            assert!(start.elapsed() >= timeout);
        }
    }

    #[test]
    fn a_wake_before_the_poll_ends_the_next_one_that_waits_and_no_more() {
        let reactor = Reactor::new().unwrap();
        reactor.wake();
        reactor.wake();
        // A look swallows the event, but not the wake-up.
        reactor.poll(Some(Duration::ZERO)).unwrap();
        reactor.poll(None).unwrap();
        let timeout = Duration::from_millis(2);
        let start = Instant::now();
        reactor.poll(Some(timeout)).unwrap();
        assert!(start.elapsed() >= timeout);
    }

    #[test]
    fn no_wake_from_another_thread_is_lost() {
        let reactor = Reactor::new().unwrap();
        let asked = std::sync::atomic::AtomicU32::new(0);
        thread::scope(|scope| {
            scope.spawn(|| {
                for _ in 0..20_000 {
                    asked.fetch_add(1, Ordering::Relaxed);
                    reactor.wake();
                }
            });
            scope.spawn(|| {
                while asked.load(Ordering::Relaxed) < 20_000 {
                    reactor.poll(Some(Duration::ZERO)).unwrap();
                }
            });
            while asked.load(Ordering::Relaxed) < 20_000 {
                reactor.poll(None).unwrap();
            }
        });
    }

    #[cfg(unix)]
    extern "C" fn ignore(_: libc::c_int) {}

    #[cfg(unix)]
    #[test]
    fn a_signal_handler_neither_ends_nor_prolongs_a_poll() {
        let reactor = Reactor::new().unwrap();
        // SAFETY: installs a handler that does nothing, without SA_RESTART.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = ignore as *const () as usize;
            libc::sigaction(libc::SIGUSR1, &raw const action, ptr::null_mut());
        }
        // SAFETY: always valid.
        let thread = unsafe { libc::pthread_self() };
        let timeout = Duration::from_millis(50);
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    // SAFETY: the thread runs until `done`, and the scope ends after this.
                    unsafe { libc::pthread_kill(thread, libc::SIGUSR1) };
                    thread::yield_now();
                }
            });
            let start = Instant::now();
            let result = reactor.poll(Some(timeout));
            let took = start.elapsed();
            done.store(true, Ordering::Relaxed);
            assert_eq!(result.unwrap(), 0);
            assert!(took >= timeout && took < timeout * 20);
        });
    }
}
