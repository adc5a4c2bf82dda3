//! From the handler to those who listen: a pipe that the handler writes to, and a thread that reads it and tells them.
//!
//! A thread, started with the first listener: a signal has to reach plain threads and foreign executors too, before there is a runtime and after it
//! has ended. It sleeps in `read` until a signal comes.
//!
//! Rejected: a socket pair for each listener, read by whoever waits, through the reactor of its runtime (no way to wait for an executor without a
//! reactor, and two descriptors a listener).

use std::cell::RefCell;
use std::io::{self, Read};
use std::mem;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, Once};
use std::thread;

use super::{Mailbox, SignalKind, handler};
use crate::platform::fork::{self, Hook};
use crate::scheduler::lock_mutex;

struct Hub {
    listeners: Vec<Arc<Mailbox>>,
    /// In which process the thread runs; `None` before it was started.
    generation: Option<u32>,
}

static HUB: Mutex<Hub> = Mutex::new(Hub {
    listeners: Vec::new(),
    generation: None,
});

pub(super) fn add(mailbox: &Arc<Mailbox>) -> io::Result<()> {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| fork::add(&HOOK));
    let mut hub = lock_mutex(&HUB);
    hub.start()?;
    let mut installed = 0;
    for kind in SignalKind::kinds_in(mailbox.wanted & !hub.wanted()) {
        if let Err(error) = handler::install(kind) {
            SignalKind::kinds_in(installed).for_each(handler::restore);
            return Err(error);
        }
        installed |= kind.bit();
    }
    hub.listeners.push(Arc::clone(mailbox));
    Ok(())
}

pub(super) fn remove(mailbox: &Arc<Mailbox>) {
    let mut hub = lock_mutex(&HUB);
    hub.listeners
        .retain(|listener| !Arc::ptr_eq(listener, mailbox));
    SignalKind::kinds_in(mailbox.wanted & !hub.wanted()).for_each(handler::restore);
}

impl Hub {
    /// Those that somebody listens for.
    fn wanted(&self) -> u64 {
        self.listeners
            .iter()
            .fold(0, |wanted, listener| wanted | listener.wanted)
    }

    /// Starts the thread, if this process does not have it.
    fn start(&mut self) -> io::Result<()> {
        let generation = Some(fork::generation());
        if self.generation == generation {
            return Ok(());
        }
        let (reader, writer) = UnixStream::pair()?;
        writer.set_nonblocking(true)?;
        thread::Builder::new()
            .name("corun-signals".into())
            .spawn(move || run(reader))?;
        // For good: a handler may be using it at any time.
        handler::write_to(writer.into_raw_fd());
        self.generation = generation;
        Ok(())
    }
}

/// The life of the thread, which ends with the process.
fn run(mut reader: UnixStream) {
    let mut bytes = [0; 64];
    // One that is interrupted has nothing to tell; other errors do not happen to a socket pair that nobody closes.
    while let Ok(1..) | Err(_) = reader.read(&mut bytes) {
        let arrived = handler::take_arrived();
        let told: Vec<Arc<Mailbox>> = lock_mutex(&HUB)
            .listeners
            .iter()
            .filter(|listener| listener.wanted & arrived != 0)
            .inspect(|listener| listener.put(arrived))
            .cloned()
            .collect();
        // Without the lock, as wakers are foreign code.
        told.iter().for_each(|mailbox| mailbox.notify.notify_one());
    }
}

thread_local! {
    /// Held by the thread that forks, from before to after.
    static HELD: RefCell<Option<MutexGuard<'static, Hub>>> = const { RefCell::new(None) };
}

static HOOK: Hook = Hook {
    prepare: || {
        let hub = lock_mutex(&HUB);
        // A thread that is ending has no place to keep it, and forks without.
        let _ = HELD.try_with(|held| held.replace(Some(hub)));
    },
    release: || {
        let _ = HELD.try_with(|held| mem::take(&mut *held.borrow_mut()));
    },
    child: || {},
};
