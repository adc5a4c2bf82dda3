//! What becomes of a coroutine, for whoever wants to know.

use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use crate::executor::Executor;
use crate::task::Id;
use crate::wait::WaitQueue;

/// Waits for the end of a coroutine. Dropping it lets the coroutine go on by itself.
pub struct JoinHandle<T> {
    id: Id,
    packet: Rc<Packet<T>>,
}

/// What the coroutine and its handle share.
pub(crate) struct Packet<T> {
    finished: Cell<bool>,
    result: RefCell<Option<T>>,
    joining: WaitQueue,
}

impl<T> Packet<T> {
    pub(crate) fn new(executor: &Executor) -> Packet<T> {
        Packet {
            finished: Cell::new(false),
            result: RefCell::new(None),
            joining: WaitQueue::new(executor),
        }
    }

    /// Puts the result there, and calls up who waits for it; also if the end is a panic, and there is no result.
    pub(crate) fn fill(&self, f: impl FnOnce() -> T) {
        struct Finish<'a>(&'a Cell<bool>, &'a WaitQueue);
        impl Drop for Finish<'_> {
            fn drop(&mut self) {
                self.0.set(true);
                self.1.notify_all();
            }
        }
        let _finish = Finish(&self.finished, &self.joining);
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
            self.packet.joining.wait();
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
        let joining = &self.packet.joining;
        let deadline = joining.executor().after(duration);
        while !self.is_finished() {
            if !joining.wait_until(Some(deadline)) && !self.is_finished() {
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
