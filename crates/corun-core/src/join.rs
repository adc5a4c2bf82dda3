//! What becomes of a coroutine, for whoever wants to know.

use alloc::rc::{Rc, Weak};
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use crate::executor::{Executor, Shared};
use crate::task::Id;
use crate::wait::Line;

/// Waits for the end of a coroutine. Dropping it lets the coroutine go on by itself.
pub struct JoinHandle<T> {
    id: Id,
    packet: Rc<Packet<T>>,
}

/// What the coroutine and its handle share.
pub(crate) struct Packet<T> {
    finished: Cell<bool>,
    result: RefCell<Option<T>>,
    joining: Line,
    /// An unstarted coroutine, which holds this, must not keep alive the executor that holds it.
    executor: Weak<Shared>,
}

impl<T> Packet<T> {
    pub(crate) fn new(executor: Weak<Shared>) -> Packet<T> {
        Packet {
            finished: Cell::new(false),
            result: RefCell::new(None),
            joining: Line::default(),
            executor,
        }
    }

    /// # Panics
    /// If the coroutine whose end is waited for has gone with its executor.
    fn wait(&self, deadline: Option<Duration>) -> bool {
        let executor = Executor::upgrade(&self.executor)
            .expect("a coroutine was joined that has gone with its executor");
        self.joining.wait(&executor, deadline)
    }

    /// Puts the result there, and calls up who waits for it; also if the end is a panic, and there is no result.
    pub(crate) fn fill(&self, f: impl FnOnce() -> T) {
        struct Finish<'a, T>(&'a Packet<T>);
        impl<T> Drop for Finish<'_, T> {
            fn drop(&mut self) {
                self.0.finished.set(true);
                if let Some(executor) = Executor::upgrade(&self.0.executor) {
                    self.0.joining.notify_all(&executor);
                }
            }
        }
        let _finish = Finish(self);
        let result = f();
        *self.result.borrow_mut() = Some(result);
    }
}

impl<T> JoinHandle<T> {
    pub(crate) fn new(id: Id, packet: Rc<Packet<T>>) -> JoinHandle<T> {
        JoinHandle { id, packet }
    }

    /// The number of the coroutine.
    pub fn id(&self) -> Id {
        self.id
    }

    /// Whether the coroutine has ended.
    pub fn is_finished(&self) -> bool {
        self.packet.finished.get()
    }

    /// Waits for the end of the coroutine, and returns what it returned.
    ///
    /// # Panics
    /// If the coroutine has not ended and this is called outside of the coroutines of its executor; and, where panics unwind, if it has panicked.
    pub fn join(self) -> T {
        while !self.is_finished() {
            self.packet.wait(None);
        }
        self.take()
    }

    /// As [`join`](Self::join), but no longer than so long.
    ///
    /// # Errors
    /// Gives the handle back if the coroutine has not ended by then.
    ///
    /// # Panics
    /// As [`join`](Self::join).
    pub fn join_timeout(self, duration: Duration) -> Result<T, JoinHandle<T>> {
        let executor = Executor::upgrade(&self.packet.executor);
        let deadline = executor.map(|executor| executor.after(duration));
        while !self.is_finished() {
            if !self.packet.wait(deadline) && !self.is_finished() {
                return Err(self);
            }
        }
        Ok(self.take())
    }

    fn take(&self) -> T {
        match self.packet.result.borrow_mut().take() {
            Some(result) => result,
            None => panic!("coroutine {} has panicked", self.id),
        }
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("id", &self.id)
            .field("is_finished", &self.is_finished())
            .finish()
    }
}
