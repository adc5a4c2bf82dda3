//! Migratable coroutines: started coroutines that go on wherever a worker is free, for code that keeps nothing of its thread.
//!
//! A migratable coroutine is polled like an async task: it stands in the same lists, is woken by the same state machine (`future/state.rs`), and
//! goes to the same next place and to the same thieves. What differs is that its poll is a switch to its stack, and ends when it switches back.
//!
//! # Invariants
//! - It runs between two switches of the same thread: from a worker's idle context to its stack, and back to that worker's idle context. Who runs
//!   it alone touches its [`Migrant`] (but for `waiting`), its control block and its stack.
//! - **It becomes visible as parked after the switch away from it, not before**: the idle context, which is what runs next, ends the poll, and that
//!   exchange is the commit (`TaskRef::end_poll`). A wake-up that comes earlier, even before the switch, only leaves a mark, and the commit puts the
//!   coroutine in line again. So nobody can ever continue a stack that is still in use, nor read a context that was not saved.
//! - A wake-up puts it in the next place of the worker that wakes, in line there after a few, and in the injection list if no worker wakes it: never behind
//!   what its last worker is doing. Giving way puts it at the end of the list of the worker that it leaves.
//! - Each wait is woken once: by whoever moves its signal away from PARKED (`signal.rs`). So a waker may use the task after that, although it has
//!   no reference: the coroutine cannot go on, and so not end, before it is woken.
//! - A reference of its own keeps the block until it has ended, so that it is not taken for one that nobody can wake.
//!
//! # Nothing of the thread is kept across a switch
//! - No code that runs on its stack has a `&Worker` over a suspension. For it `Worker::suspendable` gives `None`, so that everything made for pinned
//!   coroutines is out of its reach; what waits takes the way of plain threads, and `Signal` parts the two where the thread would be blocked.
//! - Compilers may keep the address of a thread local across the switch: to them a function has one thread. Which worker the thread is, every call asks; so
//!   that is read in a way that keeps no address, and costs pinned coroutines nothing (`platform/own.rs`). The few others that such a coroutine
//!   comes by are read in functions that are not inlined.
//! - The switch away stands in a function of its own that does nothing after it ([`Worker::leave`]).
//! - While its thread is panicking it stays with its worker, from then on: std counts panics by thread, and the thread that counted this one has
//!   to be the one that has it caught. (With pinned coroutines on the thread, one that suspends in a destructor during a panic has the same effect on
//!   all who suspend meanwhile. They lose no more than being moved.)
//!
//! # Cancellation
//! A pinned coroutine's worker cuts its wait short, as nothing can happen at the same time there. Here the two are told apart by a lock:
//! - An open wait is published in `waiting` before the coroutine looks for what was cancelled, and taken back after the wait.
//! - Who cancels marks first, and then looks there. Under the lock the coroutine is in its wait, so that what it is inside of
//!   (`cancel/levels.rs`) does not change, and the signal is there. Either the coroutine finds the mark or the canceller finds the wait.
//! - The canceller claims the signal under the lock and wakes after it.
//!
//! # Rejected
//! - Direct switches from one such coroutine to the next: the commit would be the duty of whatever context comes next, and every context that is resumed, pinned
//!   ones included, would have to look whether there is one.
//! - A saved context in the signal, as with pinned ones: `notify` would have to know whether the switch is over, and spin if it is not.
//!
//! Checked with every interleaving by `tests/models/scheduler/migration.rs`, which includes this file; behaviour by `tests/migratable`.

use std::cell::Cell;
use std::ptr;
// Not one of the model's primitives: nothing depends on it.
use std::sync::atomic::{AtomicBool, Ordering};

use corun_context::raw::Context;

use super::lock::SpinLock;
use super::signal::Signal;
use super::worker::Worker;
use crate::cancel::levels;
use crate::coroutine::task::{Control, TaskRef};
use crate::platform::own;

/// Was a migratable coroutine ever made? It stays so. Who asks is saved trouble, no more.
static EXIST: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn exist() -> bool {
    EXIST.load(Ordering::Relaxed)
}

/// To be called before one is made.
pub(crate) fn will_exist() {
    own::will_migrate();
    EXIST.store(true, Ordering::Relaxed);
}

/// What a migratable coroutine switches away for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// It waits for somebody to wake it.
    Wait,
    /// It is ready, and lets others go first.
    GiveWay,
    /// It has ended.
    End,
}

/// What a migratable coroutine has besides a task's header.
pub(crate) struct Migrant {
    /// Where it was suspended; none before it starts, and while it runs.
    pub(super) context: Cell<Context>,
    /// Its control block, while it has a stack.
    pub(super) control: Cell<*const Control>,
    pub(super) wish: Cell<Wish>,
    /// Where it stands among those that live. Guarded by the lock of that list.
    pub(super) place: Cell<usize>,
    waiting: SpinLock<Waiting>,
}

/// The signal of an open wait, or null.
struct Waiting(*const Signal);

// SAFETY: who finds a signal here, under the lock, finds it alive.
unsafe impl Send for Waiting {}

impl Migrant {
    pub(crate) fn new() -> Migrant {
        Migrant {
            context: Cell::new(Context::NONE),
            control: Cell::new(ptr::null()),
            wish: Cell::new(Wish::Wait),
            place: Cell::new(0),
            waiting: SpinLock::new(Waiting(ptr::null())),
        }
    }

    fn publish(&self, signal: *const Signal) {
        self.waiting.lock().0 = signal;
    }

    /// Was something cancelled that the coroutine can see?
    ///
    /// # Safety
    /// The caller is the coroutine, or it has published a wait and the caller has the lock.
    unsafe fn is_cancelled(&self, task: TaskRef) -> bool {
        // SAFETY: it has a stack, since it has waited, and does nothing else meanwhile.
        unsafe { levels::is_cancelled(&(*self.control.get()).innermost, task) }
    }

    /// Ends the coroutine's wait, if it is open and something around it was cancelled. Called after that was marked.
    #[cold]
    pub(crate) fn nudge(&self, task: TaskRef) {
        let wakeup = {
            let waiting = self.waiting.lock();
            // SAFETY: a published signal is alive under the lock, and its coroutine in the wait.
            if waiting.0.is_null() || !unsafe { self.is_cancelled(task) } {
                return;
            }
            // SAFETY: as above.
            unsafe { Signal::claim_cut(waiting.0) }
        };
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
    }
}

/// Waits, as the running migratable coroutine, until the signal has been moved away from PARKED, as it is at the call.
pub(super) fn wait(signal: &Signal, task: TaskRef, open: bool) {
    if begin_wait(signal, task, open) {
        Worker::leave(Wish::Wait);
    }
    end_wait(task, open);
}

/// The part before the switch. Returns whether to switch.
pub(crate) fn begin_wait(signal: &Signal, task: TaskRef, open: bool) -> bool {
    let Some(me) = task.migrant().filter(|_| open) else {
        return true;
    };
    me.publish(signal);
    // A cancellation that came before found nothing here. If somebody else has ended the wait meanwhile, the wake-up is on its way,
    // and must arrive before the wait is over.
    // SAFETY: this is the coroutine.
    !(unsafe { me.is_cancelled(task) } && signal.cut())
}

/// The part after it.
pub(crate) fn end_wait(task: TaskRef, open: bool) {
    if let Some(me) = task.migrant().filter(|_| open) {
        me.publish(ptr::null());
    }
}
