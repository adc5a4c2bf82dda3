//! The receiving side, of channels and of clocks.

use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, transmute_copy};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::process;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::clock::{Clock, wait_for_ever};
use super::core::Chan;
use super::error::{RecvError, RecvTimeoutError, TryRecvError};
use super::iter::{IntoIter, Iter, TryIter};
use super::sender::MOST_HANDLES;
use crate::primitive::atomic::Ordering;
use crate::scheduler::safepoint;
use crate::time::{now, sleep_until};

/// The receiving side of a channel: can be cloned, shared and sent to wherever messages are wanted. Each message goes to one receiver.
///
/// When the last receiver of a channel is dropped, the channel is closed, and the messages in it are dropped.
///
/// [`after`](crate::channel::after), [`at`](crate::channel::at), [`tick`](crate::channel::tick) and [`never`](crate::channel::never) give
/// receivers of a special kind, for use with [`select!`](crate::select).
///
/// # Examples
/// ```
/// use corun::channel::unbounded;
///
/// let (sender, receiver) = unbounded();
/// let workers: Vec<_> = (0..4)
///     .map(|_| {
///         let jobs = receiver.clone();
///         corun::spawn(move || jobs.iter().map(|job: u64| job * job).sum::<u64>())
///     })
///     .collect();
/// for job in 0..100 {
///     sender.send(job).unwrap();
/// }
/// drop(sender);
/// let sum: u64 = workers.into_iter().map(|worker| worker.join().unwrap()).sum();
/// assert_eq!(sum, 328_350);
/// ```
pub struct Receiver<T> {
    /// A channel, or, with [`CLOCK`] added, a clock, or [`NEVER`].
    source: NonNull<()>,
    _messages: PhantomData<T>,
}

const CLOCK: usize = 1;
const NEVER: usize = 2;
const TAGS: usize = CLOCK | NEVER;

const _: () = assert!(align_of::<Chan<u8>>() > TAGS && align_of::<Clock>() > TAGS);

/// Where messages come from.
pub(super) enum Source<'a, T> {
    Chan(&'a Chan<T>),
    /// `T` is `Instant`.
    Clock(&'a Clock),
    Never,
}

// SAFETY: all use of the channel goes through its lock, and messages move between threads; clocks can be shared by themselves.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Receiver<T> {}

// Messages are moved as a whole, or not at all.
impl<T> UnwindSafe for Receiver<T> {}
impl<T> RefUnwindSafe for Receiver<T> {}

impl<T> Receiver<T> {
    /// The one receiver that a new channel counts.
    pub(super) fn first(chan: NonNull<Chan<T>>) -> Receiver<T> {
        Receiver {
            source: chan.cast(),
            _messages: PhantomData,
        }
    }

    pub(super) const fn never() -> Receiver<T> {
        Receiver {
            // SAFETY: not zero.
            source: unsafe { NonNull::new_unchecked(ptr::without_provenance_mut(NEVER)) },
            _messages: PhantomData,
        }
    }

    fn tag(&self) -> usize {
        self.source.addr().get() & TAGS
    }

    #[inline(always)]
    pub(super) fn source(&self) -> Source<'_, T> {
        let tag = self.tag();
        if tag == 0 {
            // SAFETY: a channel lives as long as its receivers.
            Source::Chan(unsafe { self.source.cast::<Chan<T>>().as_ref() })
        } else if tag == NEVER {
            Source::Never
        } else {
            // SAFETY: a clock lives as long as its receivers.
            Source::Clock(unsafe { &*self.clock() })
        }
    }

    fn clock(&self) -> *const Clock {
        self.source.as_ptr().map_addr(|addr| addr & !TAGS).cast()
    }

    /// Receives a message if that does not mean to wait.
    ///
    /// From a rendezvous channel it receives only if a sender is waiting. (If that sender is a `select!`, its message has yet to be
    /// evaluated, and this waits for it.)
    ///
    /// # Errors
    /// If the channel is empty; if it is empty and disconnected.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it would have to wait for the message of a `select!`.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, TryRecvError};
    ///
    /// let (sender, receiver) = unbounded();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(5).unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok(5));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Disconnected));
    /// ```
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let result = self.attempt();
        safepoint();
        result
    }

    #[inline(always)]
    pub(super) fn attempt(&self) -> Result<T, TryRecvError> {
        match self.source() {
            Source::Chan(chan) => chan.try_recv(),
            // SAFETY: the messages of a clock are instants.
            Source::Clock(clock) => clock.try_recv().map(|now| unsafe { instant(now) }),
            Source::Never => Err(TryRecvError::Empty),
        }
    }

    /// Receives a message, and waits until there is one.
    ///
    /// # Errors
    /// If the channel is empty and disconnected, so that no message will come.
    ///
    /// # Panics
    /// Inside [`no_suspend`](crate::no_suspend), if it would have to wait.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, RecvError};
    ///
    /// let (sender, receiver) = unbounded();
    /// corun::spawn(move || sender.send(5).unwrap());
    /// assert_eq!(receiver.recv(), Ok(5));
    /// assert_eq!(receiver.recv(), Err(RecvError));
    /// ```
    #[inline]
    pub fn recv(&self) -> Result<T, RecvError> {
        let result = self.recv_until(None);
        safepoint();
        result.map_err(|_| RecvError)
    }

    /// As [`recv`](Receiver::recv), but waits for `timeout` at most.
    ///
    /// # Errors
    /// If the time is up; if the channel is empty and disconnected.
    ///
    /// # Panics
    /// As `recv`.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, RecvTimeoutError};
    /// use std::time::Duration;
    ///
    /// let (sender, receiver) = unbounded::<i32>();
    /// let timeout = Duration::from_millis(5);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
    /// drop(sender);
    /// assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Disconnected));
    /// ```
    pub fn recv_timeout(&self, timeout: Duration) -> Result<T, RecvTimeoutError> {
        // A time too far away to be told is for ever.
        let result = self.recv_until(now().checked_add(timeout));
        safepoint();
        result
    }

    /// As [`recv`](Receiver::recv), but waits until `deadline` at most.
    ///
    /// # Errors
    /// If the time is up; if the channel is empty and disconnected.
    ///
    /// # Panics
    /// As `recv`.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{unbounded, RecvTimeoutError};
    /// use std::time::Instant;
    ///
    /// let (sender, receiver) = unbounded();
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.recv_deadline(Instant::now()), Ok(1));
    /// assert_eq!(receiver.recv_deadline(Instant::now()), Err(RecvTimeoutError::Timeout));
    /// ```
    pub fn recv_deadline(&self, deadline: Instant) -> Result<T, RecvTimeoutError> {
        let result = self.recv_until(Some(deadline));
        safepoint();
        result
    }

    #[inline(always)]
    fn recv_until(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match self.source() {
            Source::Chan(chan) => chan.recv(deadline),
            // SAFETY: the messages of a clock are instants.
            Source::Clock(clock) => clock.recv(deadline).map(|now| unsafe { instant(now) }),
            Source::Never => recv_never(deadline),
        }
    }

    /// Closes the channel: nothing more can be sent, by anybody; what was sent can still be received. Who is waiting to send gets
    /// the message back, and who is waiting to receive an error. Returns whether the channel was open.
    ///
    /// The receivers of `after`, `at`, `tick` and `never` cannot be closed.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::bounded(2);
    /// sender.send(1).unwrap();
    /// assert!(receiver.close());
    /// assert!(sender.send(2).is_err());
    /// assert_eq!(receiver.recv(), Ok(1));
    /// assert!(receiver.recv().is_err());
    /// ```
    pub fn close(&self) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.close(),
            Source::Clock(_) | Source::Never => false,
        }
    }

    /// Was the channel closed, or left by all senders? There may still be messages in it.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::bounded::<i32>(1);
    /// assert!(!receiver.is_closed());
    /// drop(sender);
    /// assert!(receiver.is_closed());
    /// ```
    pub fn is_closed(&self) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.lock().is_closed(),
            Source::Clock(_) | Source::Never => false,
        }
    }

    /// Are there no messages in the channel? Of a rendezvous channel this is always true.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::unbounded();
    /// assert!(receiver.is_empty());
    /// sender.send(0).unwrap();
    /// assert!(!receiver.is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is there no room for another message? Of a rendezvous channel this is always true.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::bounded(1);
    /// assert!(!receiver.is_full());
    /// sender.send(0).unwrap();
    /// assert!(receiver.is_full());
    /// ```
    pub fn is_full(&self) -> bool {
        match self.source() {
            Source::Chan(chan) => chan.is_full(),
            Source::Clock(clock) => clock.is_due(),
            Source::Never => true,
        }
    }

    /// The number of messages in the channel.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::unbounded();
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        match self.source() {
            Source::Chan(chan) => chan.lock().messages(),
            Source::Clock(clock) => usize::from(clock.is_due()),
            Source::Never => 0,
        }
    }

    /// The number of messages that the channel can hold; `None` if there is no limit.
    ///
    /// # Examples
    /// ```
    /// use corun::channel::{bounded, unbounded};
    ///
    /// assert_eq!(unbounded::<i32>().1.capacity(), None);
    /// assert_eq!(bounded::<i32>(5).1.capacity(), Some(5));
    /// assert_eq!(bounded::<i32>(0).1.capacity(), Some(0));
    /// ```
    pub fn capacity(&self) -> Option<usize> {
        match self.source() {
            Source::Chan(chan) => chan.capacity(),
            Source::Clock(_) => Some(1),
            Source::Never => Some(0),
        }
    }

    /// An iterator that waits for each message, and ends when the channel is empty and disconnected.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::unbounded();
    /// corun::spawn(move || (0..3).for_each(|n| sender.send(n).unwrap()));
    /// let messages: Vec<i32> = receiver.iter().collect();
    /// assert_eq!(messages, [0, 1, 2]);
    /// ```
    pub fn iter(&self) -> Iter<'_, T> {
        Iter { receiver: self }
    }

    /// An iterator over the messages that are there, without waiting.
    ///
    /// # Examples
    /// ```
    /// let (sender, receiver) = corun::channel::unbounded();
    /// sender.send(1).unwrap();
    /// sender.send(2).unwrap();
    /// assert_eq!(receiver.try_iter().collect::<Vec<_>>(), [1, 2]);
    /// ```
    pub fn try_iter(&self) -> TryIter<'_, T> {
        TryIter { receiver: self }
    }

    /// As events tell it (`inspect`), 0 for a clock; for the C interface.
    #[doc(hidden)]
    pub fn address(&self) -> usize {
        match self.source() {
            Source::Chan(chan) => std::ptr::from_ref(chan).addr(),
            Source::Clock(_) | Source::Never => 0,
        }
    }

    /// Do the two belong to the same channel?
    ///
    /// # Examples
    /// ```
    /// use corun::channel::unbounded;
    ///
    /// let (_sender, receiver) = unbounded::<usize>();
    /// assert!(receiver.same_channel(&receiver.clone()));
    /// assert!(!receiver.same_channel(&unbounded().1));
    /// ```
    pub fn same_channel(&self, other: &Receiver<T>) -> bool {
        self.source == other.source
    }
}

impl Receiver<Instant> {
    pub(super) fn of_clock(clock: Arc<Clock>) -> Receiver<Instant> {
        let source = Arc::into_raw(clock).cast_mut().cast::<()>();
        Receiver {
            // SAFETY: an `Arc` is not null, and tagged even less so.
            source: unsafe { NonNull::new_unchecked(source.map_addr(|addr| addr | CLOCK)) },
            _messages: PhantomData,
        }
    }
}

/// What a clock gave, under the name by which a receiver knows it.
///
/// # Safety
/// `T` is `Instant`.
pub(super) unsafe fn instant<T>(now: Instant) -> T {
    // SAFETY: the same type.
    unsafe { transmute_copy(&ManuallyDrop::new(now)) }
}

#[cold]
fn recv_never<T>(deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
    match deadline {
        Some(deadline) => sleep_until(deadline),
        None => wait_for_ever(),
    }
    Err(RecvTimeoutError::Timeout)
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Receiver<T> {
        match self.source() {
            Source::Chan(chan) => {
                if chan.receivers.fetch_add(1, Ordering::Relaxed) > MOST_HANDLES {
                    process::abort();
                }
            }
            // SAFETY: it came from an `Arc`.
            Source::Clock(clock) => unsafe { Arc::increment_strong_count(clock) },
            Source::Never => {}
        }
        Receiver {
            source: self.source,
            _messages: PhantomData,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        match self.tag() {
            // SAFETY: this receiver is not used again.
            0 => unsafe { Chan::<T>::drop_receiver(self.source.cast().as_ptr()) },
            // SAFETY: it came from an `Arc`, and is not used again.
            CLOCK => unsafe { drop(Arc::from_raw(self.clock())) },
            _ => {}
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Receiver { .. }")
    }
}

impl<T> IntoIterator for Receiver<T> {
    type Item = T;
    type IntoIter = IntoIter<T>;

    fn into_iter(self) -> IntoIter<T> {
        IntoIter { receiver: self }
    }
}

impl<'a, T> IntoIterator for &'a Receiver<T> {
    type Item = T;
    type IntoIter = Iter<'a, T>;

    fn into_iter(self) -> Iter<'a, T> {
        self.iter()
    }
}
