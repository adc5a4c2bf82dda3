//! A coroutine as the executor sees it.
//!
//! A task that waits is told once why it goes on: whoever comes first, the one that it waits for or its timer, sets `woken` and puts it on the run
//! queue; who comes later is told that he came too late, and turns to the next in line. So no wake-up is spent on a task that has given up.

use alloc::rc::Rc;
use core::cell::Cell;
use core::fmt;
use core::mem::ManuallyDrop;
use core::ptr::{self, NonNull};

use corun_context::stack::Stack;
use corun_context::{Coroutine, Status, Suspender};

/// The number of a coroutine: 1 for the first that its executor spawned, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(u64);

impl Id {
    pub(crate) fn new(number: u64) -> Id {
        Id(number)
    }

    /// The number itself.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a task goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Woken {
    Notified,
    TimedOut,
}

pub(crate) struct Task {
    id: Id,
    woken: Cell<Option<Woken>>,
    started: Cell<bool>,
    /// Lies on the coroutine's stack, in the frame of its root; null before that runs.
    suspender: Cell<*const Suspender<Me, (), ()>>,
    coroutine: ManuallyDrop<Coroutine<Me, (), ()>>,
    canary: Canary,
}

/// What a coroutine is told when it is resumed: its own task, which outlives that.
struct Me(*const Task);

impl Task {
    pub(crate) fn new<S, F>(id: Id, stack: S, body: F) -> Rc<Task>
    where
        S: Stack + 'static,
        F: FnOnce() + 'static,
    {
        let (limit, size) = (stack.limit(), stack.top().addr() - stack.limit().addr());
        let coroutine = Coroutine::with_stack(stack, |suspender, Me(task)| {
            // SAFETY: `resume` is called on this task.
            unsafe { (*task).suspender.set(suspender) };
            body();
        });
        Rc::new(Task {
            id,
            woken: Cell::new(None),
            started: Cell::new(false),
            suspender: Cell::new(ptr::null()),
            coroutine: ManuallyDrop::new(coroutine),
            // SAFETY: `with_stack` has seen to it that the stack has thousands of bytes below what it wrote, and nothing runs there yet.
            canary: unsafe { Canary::put(limit, size) },
        })
    }

    pub(crate) fn id(&self) -> Id {
        self.id
    }

    /// Whether the caller stands on this coroutine's stack.
    pub(crate) fn is_running(&self) -> bool {
        self.coroutine.status() == Status::Running
    }

    /// Whether it has returned or panicked.
    pub(crate) fn is_over(&self) -> bool {
        self.coroutine.status() == Status::Dead
    }

    /// Continues the coroutine until it waits or ends.
    ///
    /// # Panics
    /// If it has overflowed its stack; and, where panics unwind, with its own panic.
    pub(crate) fn resume(&self) {
        self.started.set(true);
        let answer = self.coroutine.resume(Me(self));
        // SAFETY: the stack is freed with the task.
        if !unsafe { self.canary.is_alive() } {
            let (id, size) = (self.id, self.canary.size);
            panic!("coroutine {id} has overflowed its stack of {size} bytes");
        }
        assert!(answer.is_ok(), "what is ready can be resumed");
    }

    /// Suspends the coroutine.
    ///
    /// # Safety
    /// The caller stands on its stack: [`is_running`](Self::is_running).
    pub(crate) unsafe fn suspend(&self) {
        // SAFETY: the coroutine has started and not ended, so the frame that holds its suspender is alive.
        unsafe { (*self.suspender.get()).suspend(()) };
    }

    /// To be called before the task is put where others find it.
    pub(crate) fn prepare_to_wait(&self) {
        self.woken.set(None);
    }

    pub(crate) fn woken(&self) -> Option<Woken> {
        self.woken.get()
    }

    /// Returns whether this is what wakes the task: it has not been woken before since it began to wait.
    pub(crate) fn set_woken(&self, why: Woken) -> bool {
        let first = self.woken.get().is_none();
        if first {
            self.woken.set(Some(why));
        }
        first
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        // Half-way nothing can unwind it in a kernel, so its stack is leaked; on a host as well, so that what is tested there holds here.
        if !self.started.get() || self.is_over() {
            // SAFETY: not used again.
            unsafe { ManuallyDrop::drop(&mut self.coroutine) }
        }
    }
}

/// A pattern at the far end of a stack, which an overflow would destroy on its way.
struct Canary {
    at: NonNull<[u64; 4]>,
    size: usize,
}

const PATTERN: [u64; 4] = [0x636f_7275_6e2d_636f; 4];

impl Canary {
    /// # Safety
    /// At least 48 bytes from `limit` on are writable and unused.
    unsafe fn put(limit: *mut u8, size: usize) -> Canary {
        let at = limit
            .map_addr(|address| address.next_multiple_of(8))
            .cast::<[u64; 4]>();
        // SAFETY: promised by the caller; aligned above.
        unsafe {
            at.write_volatile(PATTERN);
            Canary {
                at: NonNull::new_unchecked(at),
                size,
            }
        }
    }

    /// # Safety
    /// The stack has not been freed.
    unsafe fn is_alive(&self) -> bool {
        // SAFETY: promised by the caller.
        unsafe { self.at.read_volatile() == PATTERN }
    }
}
