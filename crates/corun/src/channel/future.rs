//! Sending and receiving as an async task.
//!
//! A future's node lies in the future, which is pinned while it is linked; its signal holds the task's waker. Everything else is as for
//! coroutines: a message is handed over directly. A future that is dropped unlinks its node under the lock; if it was given a message by
//! then, it brings it back, so that cancelling loses nothing.
//!
//! Rejected: only waking tasks, which then try again. A `try_send` to a rendezvous channel could not succeed then, though somebody waits.

use std::cell::UnsafeCell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomPinned;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::stream::{FusedStream, Stream};

use super::core::{Chan, Offer, Place, Take};
use super::error::{RecvError, SendError};
use super::receiver::{Receiver, Source, instant};
use super::sender::Sender;
use super::waiter::{Role, State, Waiter};
use crate::scheduler;
use crate::scheduler::signal::Signal;
use crate::time::{Sleep, sleep_until_async};

/// A node, and its signal, to which it points: made in its place.
struct Node {
    waiter: Waiter,
    signal: Signal,
}

/// Where the node of a future lies. Others reach it through its channel's lock, even while there is a `&mut` to the future.
struct Spot<T> {
    node: UnsafeCell<Option<Node>>,
    message: UnsafeCell<MaybeUninit<T>>,
    _pinned: PhantomPinned,
}

impl<T> Spot<T> {
    fn new(message: MaybeUninit<T>) -> Spot<T> {
        Spot {
            node: UnsafeCell::new(None),
            message: UnsafeCell::new(message),
            _pinned: PhantomPinned,
        }
    }

    fn slot(&self) -> *mut T {
        self.message.get().cast()
    }

    /// The node, if it was ever linked and its outcome not looked at.
    fn node(&self) -> Option<&Node> {
        // SAFETY: it is replaced by `make_node` and `clear` only, by the owner, who has no other reference then.
        unsafe { (*self.node.get()).as_ref() }
    }

    /// Makes a node. The future is pinned.
    fn make_node(&self, role: Role, waker: &Waker) -> &Node {
        // SAFETY: it is not linked, so nobody else knows it, and the owner has no reference to it.
        unsafe {
            let node = (*self.node.get()).insert(Node {
                signal: Signal::for_task(waker),
                waiter: Waiter::nobody(role),
            });
            node.waiter = Waiter::alone(role, &node.signal, self.slot().cast());
            node
        }
    }

    fn clear(&self) {
        // SAFETY: as in `make_node`.
        unsafe { *self.node.get() = None };
    }

    /// The outcome of the linked node; if there is none yet, the task will be woken.
    fn outcome(&self, node: &Node, chan: &Chan<T>, waker: &Waker) -> Option<State> {
        // Cloned, and the old one dropped, without the lock: it is foreign code.
        let mut waker = waker.clone();
        let inner = chan.lock();
        let state = node.waiter.state.get();
        if let State::Waiting | State::Claimed = state {
            // SAFETY: who claims the signal does so under this lock.
            unsafe { node.signal.poll(&mut waker) };
            return None;
        }
        drop(inner);
        self.clear();
        Some(state)
    }
}

/// Receives one message: see [`Receiver::recv_async`].
#[must_use = "futures do nothing unless polled"]
pub struct RecvFuture<'a, T> {
    receiver: &'a Receiver<T>,
    spot: Spot<T>,
    /// Until the next message of a clock.
    sleep: Option<Sleep>,
}

// SAFETY: the node is used by others under the channel's lock, and messages move between threads.
unsafe impl<T: Send> Send for RecvFuture<'_, T> {}
// SAFETY: nothing can be done through a shared reference.
unsafe impl<T: Send> Sync for RecvFuture<'_, T> {}

impl<T> Receiver<T> {
    /// Receives a message, as an async task: on corun or on any other executor.
    ///
    /// Cancelling is safe: if the future is dropped, no message is lost, though one may have been on its way to it.
    ///
    /// # Errors
    /// The future's output is an error if the channel is empty and disconnected.
    ///
    /// # Examples
    /// ```
    /// # use std::pin::pin;
    /// # use std::task::{Context, Poll, Waker};
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let mut future = pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return output; }
    /// #         corun::yield_now();
    /// #     }
    /// # }
    /// use corun::channel::{bounded, RecvError};
    ///
    /// let (sender, receiver) = bounded(1);
    /// let sum = async {
    ///     let mut sum = 0;
    ///     while let Ok(number) = receiver.recv_async().await {
    ///         sum += number;
    ///     }
    ///     sum
    /// };
    /// corun::spawn(move || (1..=4).for_each(|n| sender.send(n).unwrap()));
    /// assert_eq!(block_on(sum), 10);
    /// ```
    pub fn recv_async(&self) -> RecvFuture<'_, T> {
        RecvFuture {
            receiver: self,
            spot: Spot::new(MaybeUninit::uninit()),
            sleep: None,
        }
    }

    /// The messages as a stream, which ends when the channel is empty and disconnected.
    pub fn stream(&self) -> Messages<'_, T> {
        Messages {
            next: self.recv_async(),
            ended: false,
        }
    }
}

impl<T> RecvFuture<'_, T> {
    fn poll_chan(&self, chan: &Chan<T>, waker: &Waker) -> Poll<Result<T, RecvError>> {
        let slot = self.spot.slot();
        // SAFETY: called when the message was written.
        let message = || unsafe { slot.read() };
        let mut place = Place::Last;
        if let Some(node) = self.spot.node() {
            match self.spot.outcome(node, chan, waker) {
                None => return Poll::Pending,
                Some(State::Done) => return Poll::Ready(Ok(message())),
                Some(State::Closed) => return Poll::Ready(Err(RecvError)),
                Some(_) => place = Place::First,
            }
        }
        // SAFETY: there is room for a message in the slot.
        let mut taken = unsafe { chan.take(chan.lock(), slot, None) };
        if let Take::Empty | Take::NeedsWaiter = taken {
            let node = self.spot.make_node(Role::Receive, waker);
            // SAFETY: as above; the node stays, as the future is pinned, and is unlinked when it is dropped.
            taken = unsafe { chan.take(chan.lock(), slot, Some((&node.waiter, place))) };
            if let Take::Parked = taken {
                return Poll::Pending;
            }
            self.spot.clear();
        }
        Poll::Ready(match taken {
            Take::Received => Ok(message()),
            _ => Err(RecvError),
        })
    }

    fn poll_clock(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RecvError>> {
        let Source::Clock(clock) = self.receiver.source() else {
            unreachable!("called for clocks only");
        };
        loop {
            if let Ok(now) = clock.try_recv() {
                self.sleep = None;
                // SAFETY: the messages of a clock are instants.
                return Poll::Ready(Ok(unsafe { instant(now) }));
            }
            let Some(due) = clock.due() else {
                return Poll::Pending;
            };
            // The clock of one that ticks goes on when somebody else has had the tick.
            if self.sleep.as_ref().and_then(Sleep::deadline) != Some(due) {
                self.sleep = Some(sleep_until_async(due));
            }
            let Some(sleep) = &mut self.sleep else {
                unreachable!("just made");
            };
            // SAFETY: the future is pinned, and what sleeps in it is dropped in its place.
            if unsafe { Pin::new_unchecked(sleep) }.poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
    }
}

impl<T> Future for RecvFuture<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: nothing is moved out.
        let this = unsafe { self.get_unchecked_mut() };
        match this.receiver.source() {
            Source::Chan(chan) => {
                let polled = this.poll_chan(chan, cx.waker());
                chan.note_received(matches!(polled, Poll::Ready(Ok(_))));
                polled
            }
            Source::Clock(_) => this.poll_clock(cx),
            Source::Never => Poll::Pending,
        }
    }
}

impl<T> Drop for RecvFuture<'_, T> {
    fn drop(&mut self) {
        let (Some(node), Source::Chan(chan)) = (self.spot.node(), self.receiver.source()) else {
            return;
        };
        if !chan.lock().leave(&node.waiter) && node.waiter.state.get() == State::Done {
            // SAFETY: the message was handed over, and is moved on.
            unsafe { chan.put_back(self.spot.slot()) };
        }
    }
}

/// Sends one message: see [`Sender::send_async`].
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T> {
    sender: &'a Sender<T>,
    spot: Spot<T>,
    /// The message has not been sent or given back.
    unsent: bool,
}

// SAFETY: as for `RecvFuture`.
unsafe impl<T: Send> Send for SendFuture<'_, T> {}
// SAFETY: as for `RecvFuture`.
unsafe impl<T: Send> Sync for SendFuture<'_, T> {}

impl<T> Sender<T> {
    /// Sends a message, as an async task: on corun or on any other executor.
    ///
    /// If the future is dropped before it has completed, the message was either sent, or is dropped with it.
    ///
    /// # Errors
    /// The future's output is the message, if the channel is disconnected.
    ///
    /// # Examples
    /// ```
    /// # use std::pin::pin;
    /// # use std::task::{Context, Poll, Waker};
    /// # fn block_on<F: Future>(future: F) -> F::Output {
    /// #     let mut future = pin!(future);
    /// #     loop {
    /// #         if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return output; }
    /// #         corun::yield_now();
    /// #     }
    /// # }
    /// let (sender, receiver) = corun::channel::bounded(0);
    /// let child = corun::spawn(move || receiver.recv());
    /// block_on(async { sender.send_async("hello").await.unwrap() });
    /// assert_eq!(child.join().unwrap(), Ok("hello"));
    /// ```
    pub fn send_async(&self, msg: T) -> SendFuture<'_, T> {
        SendFuture {
            sender: self,
            spot: Spot::new(MaybeUninit::new(msg)),
            unsent: true,
        }
    }
}

impl<T> Future for SendFuture<'_, T> {
    type Output = Result<(), SendError<T>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !scheduler::may_go_on(cx.waker()) {
            return Poll::Pending;
        }
        // SAFETY: nothing is moved out that others know of.
        let this = unsafe { self.get_unchecked_mut() };
        assert!(
            this.unsent,
            "`SendFuture` was polled after it had completed"
        );
        let chan = this.sender.chan();
        let slot = this.spot.slot();
        let sent = match this.spot.node() {
            Some(node) => match this.spot.outcome(node, chan, cx.waker()) {
                None => return Poll::Pending,
                Some(state) => state == State::Done,
            },
            None => {
                // SAFETY: the message is there, and not used again if it is sent.
                let mut offered = unsafe { chan.offer(chan.lock(), slot, None) };
                if let Offer::Full = offered {
                    let node = this.spot.make_node(Role::Send, cx.waker());
                    // SAFETY: as above; the node stays, as the future is pinned, and is unlinked when it is dropped.
                    offered = unsafe { chan.offer(chan.lock(), slot, Some(&node.waiter)) };
                    if let Offer::Parked = offered {
                        return Poll::Pending;
                    }
                    this.spot.clear();
                }
                matches!(offered, Offer::Sent)
            }
        };
        this.unsent = false;
        chan.note_sent(sent);
        Poll::Ready(if sent {
            Ok(())
        } else {
            // SAFETY: it was not sent.
            Err(SendError(unsafe { slot.read() }))
        })
    }
}

impl<T> Drop for SendFuture<'_, T> {
    fn drop(&mut self) {
        if !self.unsent {
            return;
        }
        if let Some(node) = self.spot.node()
            && !self.sender.chan().lock().leave(&node.waiter)
            && node.waiter.state.get() == State::Done
        {
            return;
        }
        // SAFETY: it was not sent, and nobody else knows of it any more.
        unsafe { self.spot.slot().drop_in_place() };
    }
}

/// The messages of a channel as a stream: see [`Receiver::stream`].
#[must_use = "streams do nothing unless polled"]
pub struct Messages<'a, T> {
    next: RecvFuture<'a, T>,
    ended: bool,
}

impl<T> Stream for Messages<'_, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        // SAFETY: `next` stays pinned.
        let (next, ended) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.next), &mut this.ended)
        };
        next.poll(cx).map(|message| {
            *ended = message.is_err();
            message.ok()
        })
    }
}

impl<T> FusedStream for Messages<'_, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

impl<T> fmt::Debug for RecvFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("RecvFuture { .. }")
    }
}

impl<T> fmt::Debug for SendFuture<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendFuture { .. }")
    }
}

impl<T> fmt::Debug for Messages<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Messages { .. }")
    }
}
