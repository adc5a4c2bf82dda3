//! Channels between the coroutines of an executor.
//!
//! # Invariants
//! 1. Somebody waits to receive only while nothing is queued and nobody waits to send; somebody waits to send only while the queue is full.
//! 2. Who waits has a [`Slot`] in the channel. Whoever serves it takes it out of the line, moves the value and wakes its owner; so a value is with one
//!    side or with the other, and an owner whose time is up at the same moment sees by the slot what has become of it.
//! 3. Values are dropped, and owners' code runs, while no `RefCell` is borrowed.
//!
//! Handing values over to who waits, instead of waking him to look for himself, serves senders and receivers in the order in which they came.

use alloc::collections::VecDeque;
use alloc::rc::Rc;
use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use crate::executor::Executor;
use crate::task::{Task, Woken};

mod error;

pub use error::{
    RecvError, RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError,
};

/// Makes a channel for coroutines of this executor, that holds up to `capacity` values.
///
/// With a capacity of 0 it is a rendezvous: sending waits until somebody receives. Both ends may be cloned. When all of one kind are gone, or
/// [`close`](Sender::close) was called, sending fails, and receiving does once what was sent before has been received.
///
/// Each wait allocates a small record; what needs no wait allocates nothing but the queue as it grows.
///
/// # Examples
/// ```
/// # use corun_core::{Executor, HeapStack};
/// # struct Still;
/// # impl corun_core::Machine for Still {
/// #     fn now(&self) -> core::time::Duration { core::time::Duration::ZERO }
/// #     fn wait(&self, _: Option<core::time::Duration>, _: &dyn Fn() -> bool) {}
/// # }
/// # let executor = Executor::new(Still);
/// # // SAFETY: enough for what they do.
/// # let stack = || unsafe { HeapStack::new(64 * 1024) }.unwrap();
/// let (sender, receiver) = corun_core::channel(&executor, 0);
/// executor.spawn(stack(), move || (1..=3).for_each(|n| sender.send(n).unwrap()));
/// let sum = executor.spawn(stack(), move || receiver.iter().sum::<i32>());
/// executor.run().unwrap();
/// assert_eq!(sum.join(), 6);
/// ```
pub fn channel<T: 'static>(executor: &Executor, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let channel = Rc::new(Channel {
        executor: executor.clone(),
        capacity,
        state: RefCell::new(State {
            queue: VecDeque::new(),
            sending: VecDeque::new(),
            receiving: VecDeque::new(),
            is_closed: false,
        }),
        senders: Cell::new(1),
        receivers: Cell::new(1),
    });
    let sender = Sender {
        channel: Rc::clone(&channel),
    };
    (sender, Receiver { channel })
}

/// The end of a channel that takes values.
pub struct Sender<T: 'static> {
    channel: Rc<Channel<T>>,
}

/// The end of a channel that gives values.
pub struct Receiver<T: 'static> {
    channel: Rc<Channel<T>>,
}

struct Channel<T> {
    executor: Executor,
    capacity: usize,
    state: RefCell<State<T>>,
    senders: Cell<usize>,
    receivers: Cell<usize>,
}

struct State<T> {
    queue: VecDeque<T>,
    sending: VecDeque<Rc<Slot<T>>>,
    receiving: VecDeque<Rc<Slot<T>>>,
    is_closed: bool,
}

/// Where who waits leaves his value, or finds it.
struct Slot<T> {
    task: Rc<Task>,
    value: Cell<Option<T>>,
}

/// Which of the two lines.
type Line<T> = fn(&mut State<T>) -> &mut VecDeque<Rc<Slot<T>>>;

impl<T: 'static> Channel<T> {
    fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let mut state = self.state.borrow_mut();
        if state.is_closed {
            return Err(TrySendError::Closed(value));
        }
        if let Some(receiver) = state.receiving.pop_front() {
            receiver.value.set(Some(value));
            self.wake(&receiver);
            return Ok(());
        }
        if state.queue.len() < self.capacity {
            state.queue.push_back(value);
            return Ok(());
        }
        Err(TrySendError::Full(value))
    }

    fn try_recv(&self) -> Result<T, TryRecvError> {
        let mut state = self.state.borrow_mut();
        let queued = state.queue.pop_front();
        let next = state.sending.pop_front().map(|sender| {
            self.wake(&sender);
            sender.value.take().expect("who waits to send has a value")
        });
        match (queued, next) {
            (Some(first), Some(last)) => {
                state.queue.push_back(last);
                Ok(first)
            }
            (Some(value), None) | (None, Some(value)) => Ok(value),
            (None, None) if state.is_closed => Err(TryRecvError::Closed),
            (None, None) => Err(TryRecvError::Empty),
        }
    }

    /// Waits in the line until served, closed, or the deadline; returns the slot, which tells what has happened to the value.
    fn wait(
        &self,
        operation: &str,
        line: Line<T>,
        value: Option<T>,
        deadline: Option<Duration>,
    ) -> (Option<T>, Woken) {
        let task = self.executor.current(operation);
        task.prepare_to_wait();
        let slot = Rc::new(Slot {
            task: Rc::clone(&task),
            value: Cell::new(value),
        });
        line(&mut self.state.borrow_mut()).push_back(Rc::clone(&slot));
        let woken = self.executor.wait(&task, deadline);
        if woken == Woken::TimedOut {
            line(&mut self.state.borrow_mut()).retain(|other| !Rc::ptr_eq(other, &slot));
        }
        (slot.value.take(), woken)
    }

    fn wake(&self, slot: &Slot<T>) {
        // If its time is up as well it goes on anyway, and looks at the slot.
        self.executor.wake(&slot.task, Woken::Notified);
    }

    fn send(&self, value: T, deadline: Option<Duration>) -> Result<(), SendTimeoutError<T>> {
        let value = match self.try_send(value) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(value)) => return Err(SendTimeoutError::Closed(value)),
            Err(TrySendError::Full(value)) => value,
        };
        match self.wait("send", |state| &mut state.sending, Some(value), deadline) {
            (None, _) => Ok(()),
            (Some(value), Woken::Notified) => Err(SendTimeoutError::Closed(value)),
            (Some(value), Woken::TimedOut) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    fn recv(&self, deadline: Option<Duration>) -> Result<T, RecvTimeoutError> {
        match self.try_recv() {
            Ok(value) => return Ok(value),
            Err(TryRecvError::Closed) => return Err(RecvTimeoutError::Closed),
            Err(TryRecvError::Empty) => (),
        }
        match self.wait("recv", |state| &mut state.receiving, None, deadline) {
            (Some(value), _) => Ok(value),
            (None, Woken::Notified) => Err(RecvTimeoutError::Closed),
            (None, Woken::TimedOut) => Err(RecvTimeoutError::Timeout),
        }
    }

    fn close(&self) -> bool {
        let mut state = self.state.borrow_mut();
        let was_open = !state.is_closed;
        state.is_closed = true;
        let sending = core::mem::take(&mut state.sending);
        let receiving = core::mem::take(&mut state.receiving);
        // None of these is the last handle to its slot: the owner has one, in a frame that waits.
        sending
            .iter()
            .chain(&receiving)
            .for_each(|slot| self.wake(slot));
        was_open
    }

    fn len(&self) -> usize {
        self.state.borrow().queue.len()
    }
}

impl<T: 'static> Sender<T> {
    /// Sends a value, and waits until there is room for it or somebody who takes it.
    ///
    /// # Errors
    /// Gives the value back if the channel is closed, or is closed meanwhile.
    ///
    /// # Panics
    /// If it has to wait and is called outside of the coroutines of the executor.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel
            .send(value, None)
            .map_err(|error| SendError(error.into_inner()))
    }

    /// As [`send`](Self::send), but waits no longer than so long.
    ///
    /// # Errors
    /// Gives the value back if the channel is closed, or the time is up.
    ///
    /// # Panics
    /// As [`send`](Self::send).
    pub fn send_timeout(&self, value: T, duration: Duration) -> Result<(), SendTimeoutError<T>> {
        let deadline = self.channel.executor.after(duration);
        self.channel.send(value, Some(deadline))
    }

    /// Sends a value if that needs no wait.
    ///
    /// # Errors
    /// Gives the value back if the channel is closed or full.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.try_send(value)
    }

    /// Closes the channel for both ends: nothing more can be sent, and what was sent can still be received. Who waits goes on with an error.
    ///
    /// Returns whether it was open.
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// How many values lie in the channel.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value lies in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: 'static> Receiver<T> {
    /// Receives the value that was sent first, and waits until there is one.
    ///
    /// # Errors
    /// If the channel is closed and empty.
    ///
    /// # Panics
    /// If it has to wait and is called outside of the coroutines of the executor.
    pub fn recv(&self) -> Result<T, RecvError> {
        self.channel.recv(None).map_err(|_| RecvError)
    }

    /// As [`recv`](Self::recv), but waits no longer than so long.
    ///
    /// # Errors
    /// If the channel is closed and empty, or the time is up.
    ///
    /// # Panics
    /// As [`recv`](Self::recv).
    pub fn recv_timeout(&self, duration: Duration) -> Result<T, RecvTimeoutError> {
        let deadline = self.channel.executor.after(duration);
        self.channel.recv(Some(deadline))
    }

    /// Receives a value if there is one.
    ///
    /// # Errors
    /// If the channel is empty.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.channel.try_recv()
    }

    /// Receives until the channel is closed and empty.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        core::iter::from_fn(|| self.recv().ok())
    }

    /// As [`Sender::close`].
    pub fn close(&self) -> bool {
        self.channel.close()
    }

    /// How many values lie in the channel.
    pub fn len(&self) -> usize {
        self.channel.len()
    }

    /// Whether no value lies in the channel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T: 'static> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        let senders = &self.channel.senders;
        senders.set(senders.get() + 1);
        Sender {
            channel: Rc::clone(&self.channel),
        }
    }
}

impl<T: 'static> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        let receivers = &self.channel.receivers;
        receivers.set(receivers.get() + 1);
        Receiver {
            channel: Rc::clone(&self.channel),
        }
    }
}

impl<T: 'static> Drop for Sender<T> {
    fn drop(&mut self) {
        let senders = &self.channel.senders;
        senders.set(senders.get() - 1);
        if senders.get() == 0 {
            self.channel.close();
        }
    }
}

impl<T: 'static> Drop for Receiver<T> {
    fn drop(&mut self) {
        let receivers = &self.channel.receivers;
        receivers.set(receivers.get() - 1);
        if receivers.get() == 0 {
            self.channel.close();
            // Nobody can receive these any more, and senders may live long.
            let queue = core::mem::take(&mut self.channel.state.borrow_mut().queue);
            drop(queue);
        }
    }
}

impl<T: 'static> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

impl<T: 'static> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
