//! How a plain thread that waits is cancelled: a token finds here what the thread waits on.
//!
//! A thread waits on a signal, or, for a socket, in `poll(2)`. There a second descriptor gets it out, its *bell*: made when the thread first waits for
//! a socket inside of something that can be cancelled, and kept until it ends. What the thread waits on is noted before it looks whether it was
//! cancelled, and whoever cancels marks that before it looks here: so one of them finds the other.

use std::cell::Cell;
use std::io;
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use super::levels::Surroundings;
use crate::platform::bell::Bell;
use crate::platform::{fork, poll as system};
use crate::reactor::{BorrowedDescriptor, Direction};
use crate::scheduler::lock_mutex;
use crate::scheduler::signal::Signal;

/// What a thread waits on. Who finds a signal here, under the lock, finds it alive.
pub(crate) struct ThreadWait(Mutex<Wait>);

enum Wait {
    /// It does not wait.
    Nothing,
    Signal(*const Signal),
    Bell(Arc<Bell>),
}

// SAFETY: the signal is made to be notified from other threads, and reached under the lock only.
unsafe impl Send for ThreadWait {}
// SAFETY: as above.
unsafe impl Sync for ThreadWait {}

thread_local! {
    static CURRENT: Arc<ThreadWait> = Arc::new(ThreadWait::new());
    /// The thread's bell, and the process that it was made in: with the child of a fork it would be shared.
    static BELL: Cell<Option<(u32, Arc<Bell>)>> = const { Cell::new(None) };
}

pub(super) fn of_current() -> Arc<ThreadWait> {
    // In a destructor of another thread local this one may be gone. Then nobody finds the waits of the thread.
    CURRENT
        .try_with(Arc::clone)
        .unwrap_or_else(|_| Arc::new(ThreadWait::new()))
}

impl ThreadWait {
    fn new() -> ThreadWait {
        ThreadWait(Mutex::new(Wait::Nothing))
    }

    fn set(&self, wait: Wait) {
        *lock_mutex(&self.0) = wait;
    }

    /// Ends the wait, if the thread waits.
    pub(super) fn interrupt(&self) {
        match &*lock_mutex(&self.0) {
            Wait::Nothing => {}
            // SAFETY: alive under the lock.
            Wait::Signal(signal) => unsafe { Signal::interrupt_thread(*signal) },
            Wait::Bell(bell) => bell.ring(),
        }
    }
}

/// Was the calling thread cancelled?
fn is_cancelled() -> bool {
    Surroundings::of_caller().is_some_and(|around| around.is_cancelled())
}

/// Waits for a notification, a deadline, or a cancellation of what the thread is inside of.
#[cold]
pub(super) fn wait(signal: &Signal, deadline: Option<Instant>) -> bool {
    let here = of_current();
    here.set(Wait::Signal(ptr::from_ref(signal)));
    // A cancellation that came before nobody has told.
    let notified = if is_cancelled() {
        signal.decline()
    } else {
        signal.wait_within(deadline, true)
    };
    here.set(Wait::Nothing);
    notified
}

/// The same for descriptors: returns whether one may be ready.
#[cold]
pub(super) fn poll(
    descriptors: &[BorrowedDescriptor<'_>],
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    let here = of_current();
    let bell = bell()?;
    here.set(Wait::Bell(Arc::clone(&bell)));
    let result = loop {
        if is_cancelled() {
            break Ok(false);
        }
        match system::wait(descriptors, direction, deadline, Some(&bell)) {
            // Rung for what is hidden by a shield, say.
            Ok(false) if deadline.is_none_or(|deadline| Instant::now() < deadline) => bell.mute(),
            result => break result,
        }
    };
    // From here on nobody rings.
    here.set(Wait::Nothing);
    bell.mute();
    result
}

fn bell() -> io::Result<Arc<Bell>> {
    let made = BELL.try_with(Cell::take).ok().flatten();
    let generation = fork::generation();
    let bell = match made {
        Some((of, bell)) if of == generation => bell,
        _ => Arc::new(Bell::new()?),
    };
    let _ = BELL.try_with(|place| place.set(Some((generation, Arc::clone(&bell)))));
    Ok(bell)
}
