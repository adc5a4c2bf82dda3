//! The sending side.

use std::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process;
use std::ptr::NonNull;
use std::time::{Duration, Instant};

use super::core::Chan;
use super::error::{SendError, SendTimeoutError, TrySendError};
use crate::primitive::atomic::Ordering;
use crate::scheduler::safepoint;
use crate::time::now;

/// More handles than that would be leaked ones, and their count could overflow.
pub(super) const MOST_HANDLES: u32 = u32::MAX / 2;

/// The sending side of a channel: can be cloned, shared and sent to wherever messages come from.
///
/// When the last sender of a channel is dropped, the channel is closed: what was sent can still be received.
///
/// # Examples
/// ```
/// use corun::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// let second = sender.clone();
/// corun::spawn(move || sender.send(1).unwrap());
/// corun::spawn(move || second.send(2).unwrap());
/// assert_eq!(receiver.iter().sum::<i32>(), 3);
/// ```
pub struct Sender<T> {
    chan: NonNull<Chan<T>>,
}

// SAFETY: all use of the channel goes through its lock, and messages move between threads.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Sender<T> {}

// Messages are moved as a whole, or not at all.
impl<T> UnwindSafe for Sender<T> {}
impl<T> RefUnwindSafe for Sender<T> {}

impl<T> Sender<T> {
    /// The one sender that a new channel counts.
    pub(super) fn first(chan: NonNull<Chan<T>>) -> Sender<T> {
        Sender { chan }
    }

    #[inline(always)]
    pub(super) fn chan(&self) -> &Chan<T> {
        // SAFETY: a channel lives as long as its senders.
        unsafe { self.chan.as_ref() }
    }

    /// Sends a message if that does not mean to wait.
    ///
    /// A rendezvous channel takes it only if a receiver is waiting.
    ///
    /// # Errors
    /// The message, with the reason: the channel is full, or disconnected.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, TrySendError};
    ///
    /// let (sender, receiver) = bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    /// ```
    #[inline]
    pub fn try_send(&self, msg: T) -> Result<(), TrySendError<T>> {
        let result = self.chan().try_send(msg);
        safepoint();
        result
    }

    /// Sends a message, and waits until there is room for it; at a rendezvous channel, until a receiver has taken it.
    ///
    /// # Errors
    /// The message, if the channel is disconnected or closed, or was so before the message could be sent.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it would have to wait.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, SendError};
    ///
    /// let (sender, receiver) = bounded(0);
    /// let child = corun::spawn(move || receiver.recv());
    /// assert_eq!(sender.send("hello"), Ok(()));
    /// assert_eq!(child.join().unwrap(), Ok("hello"));
    /// assert_eq!(sender.send("anybody?"), Err(SendError("anybody?")));
    /// ```
    #[inline]
    pub fn send(&self, msg: T) -> Result<(), SendError<T>> {
        let result = self.chan().send(msg, None);
        safepoint();
        result.map_err(|error| SendError(error.into_inner()))
    }

    /// As [`send`](Sender::send), but waits for `timeout` at most.
    ///
    /// # Errors
    /// The message, with the reason: the time is up, or the channel is disconnected.
    ///
    /// # Panics
    /// As `send`.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, SendTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (sender, _receiver) = bounded(0);
    /// let result = sender.send_timeout(1, Duration::from_millis(5));
    /// assert_eq!(result, Err(SendTimeoutError::Timeout(1)));
    /// ```
    pub fn send_timeout(&self, msg: T, timeout: Duration) -> Result<(), SendTimeoutError<T>> {
        // A time too far away to be told is for ever.
        let result = self.chan().send(msg, now().checked_add(timeout));
        safepoint();
        result
    }

    /// As [`send`](Sender::send), but waits until `deadline` at most.
    ///
    /// # Errors
    /// The message, with the reason: the time is up, or the channel is disconnected.
    ///
    /// # Panics
    /// As `send`.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, SendTimeoutError};
    /// use std::time::Instant;
    ///
    /// let (sender, _receiver) = bounded(1);
    /// assert_eq!(sender.send_deadline(1, Instant::now()), Ok(()));
    /// assert_eq!(sender.send_deadline(2, Instant::now()), Err(SendTimeoutError::Timeout(2)));
    /// ```
    pub fn send_deadline(&self, msg: T, deadline: Instant) -> Result<(), SendTimeoutError<T>> {
        let result = self.chan().send(msg, Some(deadline));
        safepoint();
        result
    }

    /// Closes the channel: nothing more can be sent, by anybody; what was sent can still be received. Who is waiting to send gets
    /// the message back, and who is waiting to receive an error. Returns whether the channel was open.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, RecvError, SendError};
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// assert!(sender.close());
    /// assert!(!sender.close());
    /// assert_eq!(sender.send(2), Err(SendError(2)));
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    pub fn close(&self) -> bool {
        self.chan().close()
    }

    /// Was the channel closed, or left by all receivers? Nothing can be sent then.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::bounded::<i32>(1);
    /// assert!(!sender.is_closed());
    /// drop(receiver);
    /// assert!(sender.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        self.chan().lock().is_closed()
    }

    /// Are there no messages in the channel? Of a rendezvous channel this is always true.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = corun::channel::unbounded();
    /// assert!(sender.is_empty());
    /// sender.send(0).unwrap();
    /// assert!(!sender.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is there no room for another message? Of a rendezvous channel this is always true.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = corun::channel::bounded(1);
    /// assert!(!sender.is_full());
    /// sender.send(0).unwrap();
    /// assert!(sender.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        self.chan().is_full()
    }

    /// The number of messages in the channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, _receiver) = corun::channel::unbounded();
    /// assert_eq!(sender.len(), 0);
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// assert_eq!(sender.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.chan().lock().messages()
    }

    /// The number of messages that the channel can hold; `None` if there is no limit.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, unbounded};
    ///
    /// assert_eq!(unbounded::<i32>().0.capacity(), None);
    /// assert_eq!(bounded::<i32>(5).0.capacity(), Some(5));
    /// assert_eq!(bounded::<i32>(0).0.capacity(), Some(0));
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        self.chan().capacity()
    }

    /// Do the two belong to the same channel?
    ///
    /// # Examples
    /// ```
    /// use corun::channel::unbounded;
    ///
    /// let (sender, _receiver) = unbounded::<usize>();
    /// assert!(sender.same_channel(&sender.clone()));
    /// assert!(!sender.same_channel(&unbounded().0));
    /// ```
    pub fn same_channel(&self, other: &Sender<T>) -> bool {
        self.chan == other.chan
    }
}

impl<T> Chan<T> {
    pub(super) fn is_full(&self) -> bool {
        let inner = self.lock();
        inner.len >= inner.limit
    }

    pub(super) fn capacity(&self) -> Option<usize> {
        let capacity = self.lock().capacity;
        (capacity != usize::MAX).then_some(capacity)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Sender<T> {
        if self.chan().senders.fetch_add(1, Ordering::Relaxed) > MOST_HANDLES {
            process::abort();
        }
        Sender { chan: self.chan }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: this sender is not used again.
        unsafe { Chan::drop_sender(self.chan.as_ptr()) };
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Sender { .. }")
    }
}
