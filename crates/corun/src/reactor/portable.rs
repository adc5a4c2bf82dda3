//! The system calls behind the reactor where there is no epoll: those of the `polling` crate, edge-triggered.
//!
//! `--cfg corun_portable` selects this one on Linux too, so that it is tested. Two things are plainer here than in `epoll.rs`: a short
//! count proves nothing (kqueue reports less), and each wait counts as woken (`polling` keeps wake-ups to itself).

use std::io;
use std::iter;
use std::num::NonZeroUsize;
use std::ptr;
use std::time::Duration;

use polling::{Event, PollMode, Poller};

use super::entry::{Entry, Ready};

#[cfg(unix)]
pub(crate) use std::os::fd::{
    AsRawFd as Socket, BorrowedFd as BorrowedDescriptor, RawFd as RawDescriptor,
};
#[cfg(windows)]
pub(crate) use std::os::windows::io::{
    AsRawSocket as Socket, BorrowedSocket as BorrowedDescriptor, RawSocket as RawDescriptor,
};

/// The system reports a descriptor once, for each time that it is asked to: Windows knows no edges.
/// `--cfg corun_one_shot` has it so elsewhere, so that it is tested.
pub(super) const ONE_SHOT: bool = cfg!(any(windows, corun_one_shot));

/// How many events one system call fetches at the most.
const BATCH: NonZeroUsize = NonZeroUsize::new(1024).unwrap();

pub(super) struct Selector(Poller);

pub(super) struct Events(polling::Events);

impl Events {
    pub(super) fn new() -> Events {
        Events(polling::Events::with_capacity(BATCH))
    }

    /// The entry that an event names: not to be had without a walk.
    pub(super) fn entry(&self, _index: usize) -> Option<*const Entry> {
        None
    }

    /// The fetched events; null stands for a wake-up.
    pub(super) fn iter(&self) -> impl Iterator<Item = (*const Entry, Ready)> {
        let events = self.0.iter().map(|event| {
            let entry = ptr::with_exposed_provenance(event.key);
            (entry, ready(&event))
        });
        events.chain(iter::once((ptr::null(), Ready::NONE)))
    }
}

fn ready(event: &Event) -> Ready {
    let failed = event.is_interrupt() || event.is_err().unwrap_or(false);
    let mut ready = Ready::UNUSUAL;
    if event.readable || failed {
        ready |= Ready::READ;
    }
    if event.writable || failed {
        ready |= Ready::WRITE;
    }
    ready
}

impl Selector {
    pub(super) fn new() -> io::Result<Selector> {
        let poller = Poller::new()?;
        if !ONE_SHOT && !poller.supports_edge() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this system cannot report changes of descriptors (edge-triggered events)",
            ));
        }
        Ok(Selector(poller))
    }

    /// Reports every change of the descriptor from now on, and its present state as the first one; with [`ONE_SHOT`], what `arm` asks for.
    pub(super) fn add(&self, descriptor: RawDescriptor, entry: *const Entry) -> io::Result<()> {
        let key = entry.expose_provenance();
        let (interest, mode) = if ONE_SHOT {
            (Event::none(key), PollMode::Oneshot)
        } else {
            (Event::all(key).with_interrupt(), PollMode::Edge)
        };
        // SAFETY: the caller's socket is open, and is taken out by `delete` before it is closed.
        unsafe { self.0.add_with_mode(descriptor, interest, mode) }
    }

    /// Reports the descriptor once more, as soon as one of these directions is ready. After an error it may not, not even as it was asked to before.
    pub(super) fn arm(
        &self,
        descriptor: RawDescriptor,
        entry: *const Entry,
        ready: Ready,
    ) -> io::Result<()> {
        let (readable, writable) = (ready.contains(Ready::READ), ready.contains(Ready::WRITE));
        let mut interest = Event::new(entry.expose_provenance(), readable, writable);
        if readable {
            interest.set_interrupt(true);
        }
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { BorrowedDescriptor::borrow_raw(descriptor) };
        self.0
            .modify_with_mode(descriptor, interest, PollMode::Oneshot)
    }

    /// No later `wait` reports the descriptor.
    pub(super) fn delete(&self, descriptor: RawDescriptor) {
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { BorrowedDescriptor::borrow_raw(descriptor) };
        // It can only fail if somebody closed the descriptor behind our back, and then the kernel has forgotten it.
        let _ = self.0.delete(descriptor);
    }

    /// Fetches events, waiting for the first until the timeout.
    pub(super) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.0.clear();
        self.0.wait(&mut events.0, timeout).map(drop)
    }

    /// Makes the wait that is under way, or else the next, return.
    pub(super) fn wake(&self) {
        // Fails only if the descriptor was closed by force.
        let _ = self.0.notify();
    }

    #[cfg(unix)]
    pub(super) fn as_fd(&self) -> BorrowedDescriptor<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }
}

/// The descriptor of a socket, as the selector wants it.
#[inline]
pub(super) fn raw<S: Socket>(socket: &S) -> RawDescriptor {
    #[cfg(unix)]
    return socket.as_raw_fd();
    #[cfg(windows)]
    return socket.as_raw_socket();
}
