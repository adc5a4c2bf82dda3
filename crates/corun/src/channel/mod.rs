//! Channels in the shape of `crossbeam-channel`, for coroutines, threads and async tasks.

mod buffer;
mod clock;
mod commit;
mod core;
mod endings;
mod error;
mod future;
mod iter;
mod lock;
mod receiver;
mod select;
mod select_macro;
mod selection;
mod sender;
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

/// What `select!` expands to.
#[doc(hidden)]
pub mod internal {
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
