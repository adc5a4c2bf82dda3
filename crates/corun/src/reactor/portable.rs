//! The system calls behind the reactor where there is no epoll: those of the `polling` crate, edge-triggered.
//!
//! `--cfg corun_portable` selects this one on Linux too, so that it is tested. Two things are plainer here than in `epoll.rs`: a short
//! count proves nothing (kqueue reports less), and each wait counts as woken (`polling` keeps wake-ups to itself).

use std::io;
use std::iter;
use std::num::NonZeroUsize;
use std::os::fd::BorrowedFd;
use std::ptr;
use std::time::Duration;

use polling::{Event, PollMode, Poller};

use super::entry::{Entry, Ready};

pub(crate) use std::os::fd::AsRawFd as Socket;
pub(crate) use std::os::fd::RawFd as RawDescriptor;

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
        if !poller.supports_edge() {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this system cannot report changes of descriptors (edge-triggered events)",
            ));
        }
        Ok(Selector(poller))
    }

    /// Reports every change of the descriptor from now on, and its present state as the first one.
    pub(super) fn add(&self, descriptor: RawDescriptor, entry: *const Entry) -> io::Result<()> {
        let interest = Event::all(entry.expose_provenance()).with_interrupt();
        // SAFETY: the caller's socket is open, and is taken out by `delete` before it is closed.
        unsafe { self.0.add_with_mode(descriptor, interest, PollMode::Edge) }
    }

    /// No later `wait` reports the descriptor.
    pub(super) fn delete(&self, descriptor: RawDescriptor) {
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
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

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.0.as_fd()
    }
}

/// The descriptor of a socket, as the selector wants it.
#[inline]
pub(super) fn raw<S: Socket>(socket: &S) -> RawDescriptor {
    socket.as_raw_fd()
}
