//! Handles to coroutines: identity, state and `unpark`.

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;
use std::ptr;
use std::sync::atomic::Ordering;
use std::thread;

use crate::coroutine::body;
use crate::coroutine::outcome::End;
use crate::coroutine::task::{
    Meta, MetaInit, PLACE_RUNNING, PLACE_SUSPENDED, PLACE_THREAD, TaskRef,
};
use crate::future::state;
use crate::scheduler::draw_ids;
use crate::scheduler::shared::Seat;
use crate::scheduler::worker::Worker;

/// A handle to a coroutine, as [`std::thread::Thread`] is to a thread. Cloning it is cheap; it keeps a small block of the coroutine
/// alive, but neither its stack nor its result.
///
/// # Examples
/// ```
/// let handle = corun::Builder::new().name("worker bee".into()).spawn(|| {
///     assert_eq!(corun::current().name(), Some("worker bee"));
/// }).unwrap();
/// handle.join().unwrap();
/// ```
#[derive(PartialEq, Eq)]
#[repr(transparent)]
pub struct Coroutine(TaskRef);

// SAFETY: what a handle reaches of the block is atomic, immutable or locked.
unsafe impl Send for Coroutine {}
// SAFETY: as above.
unsafe impl Sync for Coroutine {}

/// The number of a coroutine, unique within the process for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoroutineId(NonZeroU64);

/// Where a coroutine is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum State {
    /// It can run, and waits for its turn; or it has not started.
    Ready,
    /// It is running.
    Running,
    /// It waits for something.
    Suspended,
    /// Its closure has returned.
    Completed,
    /// Its closure has panicked.
    Failed,
    /// It was cancelled, and has ended.
    Cancelled,
}

impl Coroutine {
    /// A handle in the place of a reference that somebody else holds and gives up.
    pub(crate) fn from_ref(task: &TaskRef) -> &Coroutine {
        // SAFETY: a handle is a transparent wrapper; the destructor of this one cannot run, as it is borrowed.
        unsafe { &*ptr::from_ref(task).cast::<Coroutine>() }
    }

    pub(crate) fn task(&self) -> TaskRef {
        self.0
    }

    /// A handle in the place of a reference that the caller has taken.
    pub(crate) fn from_retained(task: TaskRef) -> Coroutine {
        Coroutine(task)
    }

    /// A handle to a coroutine that is known to be alive. May be called in a signal handler.
    pub(crate) fn from_running(task: TaskRef) -> Coroutine {
        task.retain();
        Coroutine(task)
    }

    /// The coroutine's number.
    pub fn id(&self) -> CoroutineId {
        CoroutineId(self.0.id())
    }

    /// The name that the [`Builder`](crate::Builder) gave it, if any.
    pub fn name(&self) -> Option<&str> {
        self.0.name()
    }

    /// The place in the source that spawned it.
    pub fn spawn_site(&self) -> &'static Location<'static> {
        self.0.site()
    }

    /// Where it is in its life, at this moment. A coroutine that was woken but has not run since still counts as suspended.
    pub fn state(&self) -> State {
        match self.0.ended() {
            Some(End::Returned) => return State::Completed,
            Some(End::Panicked) => return State::Failed,
            Some(End::Cancelled) => return State::Cancelled,
            None => {}
        }
        if self.0.is_guest() {
            return match self.0.guest_flags() {
                flags if flags & state::RUNNING != 0 => State::Running,
                flags if flags & state::SCHEDULED != 0 => State::Ready,
                _ => State::Suspended,
            };
        }
        let header = self.0.header();
        // Acquire pairs with the release in `Worker::begin`, which sets `prev` before.
        match header.place.load(Ordering::Acquire) {
            PLACE_SUSPENDED => State::Suspended,
            PLACE_THREAD => State::Running,
            PLACE_RUNNING => {
                let seat = header.prev.load(Ordering::Relaxed).cast::<Seat>();
                // SAFETY: a started coroutine's `prev` is its worker's seat, and seats live for ever.
                let current = unsafe { (*seat).current.load(Ordering::Relaxed) };
                if ptr::eq(current, header) {
                    State::Running
                } else {
                    State::Ready
                }
            }
            _ => State::Ready,
        }
    }

    /// Wakes the coroutine from [`park`](crate::park), or lets its next `park` return at once. Not to be called from a signal handler.
    pub fn unpark(&self) {
        self.0.header().parker.unpark();
    }
}

impl Clone for Coroutine {
    fn clone(&self) -> Coroutine {
        self.0.retain();
        Coroutine(self.0)
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        self.0.release();
    }
}

impl fmt::Debug for Coroutine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coroutine")
            .field("id", &self.id())
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl CoroutineId {
    /// The bare number, for logs.
    pub fn get(self) -> NonZeroU64 {
        self.0
    }
}

impl fmt::Display for CoroutineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A handle to the coroutine that calls this. On a plain thread, a handle that stands for the thread, so that
/// [`park`](crate::park) and [`Coroutine::unpark`] work there too.
///
/// # Examples
/// ```
/// let me = corun::current();
/// let waker = corun::spawn(move || me.unpark());
/// corun::park();
/// waker.join().unwrap();
/// ```
pub fn current() -> Coroutine {
    let task = current_task();
    task.retain();
    Coroutine(task)
}

thread_local! {
    /// The block of a plain thread. It has no destructor of its own, so that it serves those of other thread locals too.
    static THREAD: Cell<Option<TaskRef>> = const { Cell::new(None) };
    /// Frees the block when the thread ends. One that is made after that, by another destructor, stays.
    static FREE_AT_EXIT: FreeAtExit = const { FreeAtExit };
}

struct FreeAtExit;

impl Drop for FreeAtExit {
    fn drop(&mut self) {
        if let Some(task) = THREAD.take() {
            task.release();
        }
    }
}

/// The running coroutine's block, or the plain thread's own.
pub(crate) fn current_task() -> TaskRef {
    let running = Worker::current().and_then(Worker::running);
    running
        .or_else(|| THREAD.get())
        .unwrap_or_else(make_thread_block)
}

#[cold]
fn make_thread_block() -> TaskRef {
    let mut meta = Meta::new(Location::caller());
    meta.name = thread::current().name().map(Box::from);
    let task = body::for_thread(draw_ids(1), MetaInit::Full(Box::new(meta)));
    THREAD.set(Some(task));
    let _ = FREE_AT_EXIT.try_with(|_| ());
    task
}
