//! Channels in the shape of `crossbeam-channel`, for coroutines, threads and async tasks.
//!
//! A channel carries messages from any number of [`Sender`]s to any number of [`Receiver`]s. Each message goes to one receiver. Whatever has to
//! wait suspends its coroutine, or blocks its thread; an async task awaits [`Sender::send_async`] and [`Receiver::recv_async`]. All of them may
//! be at the same channel.
//!
//! ```
//! use corun::channel::unbounded;
//!
//! let (sender, receiver) = unbounded();
//! corun::spawn(move || {
//!     for n in 1..=3 {
//!         sender.send(n).unwrap();
//!     }
//! });
//! assert_eq!(receiver.iter().collect::<Vec<_>>(), [1, 2, 3]);
//! ```
//!
//! # Kinds of channels
//! - [`bounded`]`(n)` holds `n` messages at most: who sends to a full channel waits.
//! - [`bounded`]`(0)` is a *rendezvous*: who sends waits until somebody has taken the message.
//! - [`unbounded`] holds as many as there is memory for: sending never waits.
//! - [`after`], [`at`] and [`tick`] give receivers of the time, and [`never()`] one of nothing, for use in `select!`.
//!
//! ```
//! use corun::channel::bounded;
//!
//! let (sender, receiver) = bounded(0);
//! let child = corun::spawn(move || sender.send("hello").unwrap()); // waits for the next line
//! assert_eq!(receiver.recv(), Ok("hello"));
//! child.join().unwrap();
//! ```
//!
//! # How a channel ends
//! When the last sender or the last receiver is gone, the channel is *disconnected*; [`Sender::close`] and [`Receiver::close`] have the same effect
//! while both sides are there. Then nothing can be sent any more, and everybody who waits is told so: senders get their messages back. What
//! was sent before can still be received, then receiving fails. So a loop over a receiver ends by itself:
//!
//! ```
//! use corun::channel::{bounded, RecvError, SendError};
//!
//! let (sender, receiver) = bounded(2);
//! sender.send(1).unwrap();
//! sender.close();
//! assert_eq!(sender.send(2), Err(SendError(2)));
//! for message in &receiver {
//!     assert_eq!(message, 1);
//! }
//! assert_eq!(receiver.recv(), Err(RecvError));
//! ```
//!
//! # Waiting for several things
//! [`select!`](crate::select) waits for several operations and does the first that can go on; [`Select`] is its counterpart for a number of
//! operations that is known at run time only.
//!
//! ```
//! use corun::channel::{after, select, unbounded};
//! use std::time::Duration;
//!
//! let (sender, receiver) = unbounded();
//! let timeout = after(Duration::from_secs(1));
//! corun::spawn(move || sender.send(5).unwrap());
//! select! {
//!     recv(receiver) -> message => assert_eq!(message, Ok(5)),
//!     recv(timeout) -> _ => panic!("nothing came"),
//! }
//! ```
//!
//! # Order
//! Messages of one sender arrive in the order in which they were sent. Those who wait are served in the order of their coming: a message is handed
//! over to the first receiver that waits, directly. Among operations of a `select!` that could go on, each has the same chance. An operation
//! that does not wait (`try_send`, `try_recv`) fails only if it could not have succeeded, also while the channel is being closed.
//!
//! # Cost
//! A channel is one block of memory and its ring; waiting allocates nothing. While the coroutines of one worker are the only ones that use a channel, its operations
//! need no atomic exchange. A coroutine that finds a buffer full or empty lets others have a turn before it waits.
//!
//! # Differences from `crossbeam-channel`
//! The names, signatures and errors are the same. There are `close`, `is_closed`, `send_async`, `recv_async` and `stream` in addition. A
//! [`SelectedOperation`] that is dropped while unwinding takes back what was chosen, instead of ending the process.

mod buffer;
mod clock;
mod commit;
mod core;
mod endings;
mod error;
mod few;
mod future;
mod iter;
mod lock;
mod receiver;
mod receiving;
mod select;
mod select_macro;
mod selection;
mod sender;
mod sending;
mod waiter;

use std::ptr::NonNull;
use std::time::{Duration, Instant};

use clock::Clock;
use core::Chan;

use crate::time::now;

pub use error::{
    ReadyTimeoutError, RecvError, RecvTimeoutError, SelectTimeoutError, SendError,
    SendTimeoutError, TryReadyError, TryRecvError, TrySelectError, TrySendError,
};
pub use future::{Messages, RecvFuture, SendFuture};
pub use iter::{IntoIter, Iter, TryIter};
pub use receiver::Receiver;
pub use select::{Select, SelectedOperation};
pub use sender::Sender;

pub use crate::{select, select_biased};

/// What `select!` expands to, and what the C interface needs.
#[doc(hidden)]
pub mod internal {
    pub use super::few::Few;
    pub use super::select_macro::{
        attempt, begin, either, give_up, got, no_room, nothing, promise, receiver, recv_timeout,
        room, sender, take, try_recv, wait, wait_timeout,
    };
    pub use super::selection::{Arm, SelectHandle, first};
    pub use crate::time::sleep;
}

fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let chan = NonNull::from(Box::leak(Box::new(Chan::new(capacity))));
    (Sender::first(chan), Receiver::first(chan))
}

/// A channel without a limit: sending never waits.
///
/// # Examples
/// ```
/// let (sender, receiver) = corun::channel::unbounded();
/// corun::spawn(move || sender.send(20).unwrap());
/// assert_eq!(receiver.recv(), Ok(20));
/// ```
pub fn unbounded<T>() -> (Sender<T>, Receiver<T>) {
    channel(usize::MAX)
}

/// A channel that holds `cap` messages at most: sending waits while it is full.
///
/// With a capacity of zero it is a *rendezvous* channel: a send waits until a receiver takes the message.
///
/// # Panics
/// If so many messages would be more than memory can be.
///
/// # Examples
/// ```
/// let (sender, receiver) = corun::channel::bounded(1);
/// sender.send(1).unwrap();
/// let child = corun::spawn(move || sender.send(2).unwrap()); // waits for room
/// assert_eq!(receiver.recv(), Ok(1));
/// assert_eq!(receiver.recv(), Ok(2));
/// child.join().unwrap();
/// ```
pub fn bounded<T>(cap: usize) -> (Sender<T>, Receiver<T>) {
    channel(cap)
}

/// A receiver of one message, the time, which comes after `duration`. Nothing runs in the background.
///
/// The message is the time at which it was due.
///
/// # Examples
/// ```
/// use corun::channel::after;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let due = after(Duration::from_millis(10)).recv().unwrap();
/// assert!(due >= start + Duration::from_millis(10));
/// assert!(Instant::now() >= due);
/// ```
pub fn after(duration: Duration) -> Receiver<Instant> {
    // A time too far away to be told is never.
    Receiver::of_clock(Clock::once(now().checked_add(duration)))
}

/// A receiver of one message, the time, which comes at `when`. Nothing runs in the background.
///
/// # Examples
/// ```
/// use corun::channel::at;
/// use std::time::{Duration, Instant};
///
/// let when = Instant::now() + Duration::from_millis(10);
/// assert_eq!(at(when).recv(), Ok(when));
/// assert!(Instant::now() >= when);
/// ```
pub fn at(when: Instant) -> Receiver<Instant> {
    Receiver::of_clock(Clock::once(Some(when)))
}

/// A receiver of the time, once in each period of `duration`. It holds one message at most: while nobody receives, further ones are dropped.
/// Nothing runs in the background.
///
/// # Examples
/// ```
/// use corun::channel::tick;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let ticker = tick(Duration::from_millis(5));
/// for _ in 0..3 {
///     ticker.recv().unwrap();
/// }
/// assert!(start.elapsed() >= Duration::from_millis(15));
/// ```
pub fn tick(duration: Duration) -> Receiver<Instant> {
    Receiver::of_clock(Clock::every(duration))
}

/// A receiver of a message that never comes: for an arm of a select that is switched off.
///
/// # Examples
/// ```
/// use corun::channel::{never, TryRecvError};
///
/// assert_eq!(never::<i32>().try_recv(), Err(TryRecvError::Empty));
/// ```
pub const fn never<T>() -> Receiver<T> {
    Receiver::never()
}

#[cfg(test)]
mod tests {
    use super::buffer::Buffer;
    use super::core::Inner;
    use super::lock::Lock;
    use super::waiter::Queue;
    use crate::primitive::atomic::AtomicU32;

    /// S1.19. The lock is the lock; the queues are the two of waiters, that of the others, and the ends of that of the messages.
    #[test]
    fn a_channel_is_small() {
        let lock = size_of::<Lock<Inner<u64>>>() - size_of::<Inner<u64>>();
        let queues = 3 * size_of::<Queue>() + size_of::<Buffer<u64>>();
        let handles = 3 * size_of::<AtomicU32>();
        let fixed = size_of::<Inner<u64>>() + handles - queues;
        assert!(lock <= 32, "a lock of {lock} bytes");
        assert!(fixed < 64, "a channel has {fixed} bytes of fixed overhead");
    }
}
