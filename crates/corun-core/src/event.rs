//! What happens outside of the executor: in interrupt handlers, on other processors.

use alloc::rc::Rc;
use alloc::sync::Arc;
use core::fmt;
use core::time::Duration;

use crate::executor::Executor;
use crate::inbox::Node;
use crate::wait::WaitQueue;

/// Something that happens again and again outside of the executor, and for which coroutines wait.
///
/// Its [`Notifier`] goes to the interrupt handler, or to another processor. Notifications are counted, so that none is lost between two waits; several
/// that come close together wake one coroutine once, which is told how many there were.
///
/// As long as an event exists, [`Executor::run`] takes it for possible that it happens.
pub struct Event {
    node: Arc<Node>,
    waiting: Rc<WaitQueue>,
}

impl Event {
    /// An event that has not happened yet.
    pub fn new(executor: &Executor) -> Event {
        let waiting = Rc::new(WaitQueue::new(executor));
        Event {
            node: executor.add_event(&waiting),
            waiting,
        }
    }

    /// The end for the interrupt handler.
    pub fn notifier(&self) -> Notifier {
        Notifier {
            node: Arc::clone(&self.node),
        }
    }

    /// Waits until the event has happened, and returns how often it did since the last wait: once at least, and no more than `u32::MAX` times.
    ///
    /// # Panics
    /// If it has not happened yet and this is called outside of the coroutines of the executor.
    pub fn wait(&self) -> u32 {
        loop {
            let count = self.try_wait();
            if count != 0 {
                return count;
            }
            self.waiting.wait();
        }
    }

    /// As [`wait`](Self::wait), but no longer than so long, and then returns 0.
    ///
    /// # Panics
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(&self, duration: Duration) -> u32 {
        let deadline = self.waiting.executor().after(duration);
        let mut in_time = true;
        loop {
            let count = self.try_wait();
            if count != 0 || !in_time {
                return count;
            }
            in_time = self.waiting.wait_until(Some(deadline));
        }
    }

    /// How often it has happened since the last wait. Does not wait.
    pub fn try_wait(&self) -> u32 {
        self.node.take_count()
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        self.waiting.executor().remove_event(&self.node);
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event").finish_non_exhaustive()
    }
}

/// Tells that an [`Event`] has happened. May be used anywhere: by interrupt handlers of any priority, and by all processors at once.
///
/// Make it, clone it and drop it where memory may be allocated and freed; keep it in a static for the handler, which then only calls
/// [`notify`](Self::notify).
#[derive(Clone)]
pub struct Notifier {
    node: Arc<Node>,
}

impl Notifier {
    /// Counts, and sees to it that a waiting coroutine runs. Neither waits nor locks, allocates or frees.
    ///
    /// Returns whether the executor may be waiting by now and does not know of this. An interrupt handler of the executor's own
    /// processor need not care, since the interrupt has ended that wait; another processor has to interrupt the executor's.
    /// On machines that may reorder a store to memory and one to the interrupt controller, put a barrier in between. When the executor is gone, nothing happens.
    pub fn notify(&self) -> bool {
        Node::notify(&self.node)
    }
}

impl fmt::Debug for Notifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notifier").finish_non_exhaustive()
    }
}
