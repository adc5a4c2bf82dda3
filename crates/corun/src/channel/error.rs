//! What can go wrong with a channel.
//!
//! Names, texts, conversions and methods are those of `crossbeam-channel`, so that code moves by changing its imports. An error of a send
//! holds the value that was not sent. "Disconnected" also means closed by [`close`](super::Sender::close): the effect on the other end is the
//! same.

use std::error::Error;
use std::fmt;

/// [`send`](super::Sender::send) found the channel disconnected, or it was disconnected while `send` waited. Holds the value.
///
/// # Examples
/// ```
/// use corun::channel::{SendError, unbounded};
///
/// let (sender, receiver) = unbounded();
/// drop(receiver);
/// assert_eq!(sender.send(7), Err(SendError(7)));
/// ```
#[derive(PartialEq, Eq, Clone, Copy)]
pub struct SendError<T>(pub T);

/// [`try_send`](super::Sender::try_send) could not hand the value over. Holds the value.
///
/// # Examples
/// ```
/// use corun::channel::{TrySendError, bounded};
///
/// let (sender, receiver) = bounded(1);
/// sender.send("first").unwrap();
/// assert_eq!(sender.try_send("second"), Err(TrySendError::Full("second")));
/// drop(receiver);
/// assert_eq!(sender.try_send("third"), Err(TrySendError::Disconnected("third")));
/// ```
#[derive(PartialEq, Eq, Clone, Copy)]
pub enum TrySendError<T> {
    /// The buffer is full; or, for a channel without a buffer, no receiver waits.
    Full(T),

    /// Nobody can receive from the channel any more.
    Disconnected(T),
}

/// [`send_timeout`](super::Sender::send_timeout) or [`send_deadline`](super::Sender::send_deadline) could not hand the value over in time.
/// Holds the value.
#[derive(PartialEq, Eq, Clone, Copy)]
pub enum SendTimeoutError<T> {
    /// The time was up before there was room, or a receiver for a channel without a buffer.
    Timeout(T),

    /// Nobody can receive from the channel any more.
    Disconnected(T),
}

/// [`recv`](super::Receiver::recv) found the channel empty and disconnected: there will never be another value.
///
/// # Examples
/// ```
/// use corun::channel::{RecvError, unbounded};
///
/// let (sender, receiver) = unbounded();
/// sender.send(7).unwrap();
/// drop(sender);
/// assert_eq!(receiver.recv(), Ok(7));
/// assert_eq!(receiver.recv(), Err(RecvError));
/// ```
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct RecvError;

/// [`try_recv`](super::Receiver::try_recv) had nothing to return.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub enum TryRecvError {
    /// No value is in the channel now; or, for a channel without a buffer, no sender waits.
    Empty,

    /// The channel is empty, and nobody can send to it any more.
    Disconnected,
}

/// [`recv_timeout`](super::Receiver::recv_timeout) or [`recv_deadline`](super::Receiver::recv_deadline) had nothing to return in time.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub enum RecvTimeoutError {
    /// The time was up before a value arrived.
    Timeout,

    /// The channel is empty, and nobody can send to it any more.
    Disconnected,
}

/// [`Select::try_select`](super::Select::try_select) found no operation that would not have to wait.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct TrySelectError;

/// [`Select::select_timeout`](super::Select::select_timeout) saw no operation become ready in time.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct SelectTimeoutError;

/// [`Select::try_ready`](super::Select::try_ready) found no operation that would not have to wait.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct TryReadyError;

/// [`Select::ready_timeout`](super::Select::ready_timeout) saw no operation become ready in time.
#[derive(PartialEq, Eq, Clone, Copy, Debug)]
pub struct ReadyTimeoutError;

impl<T> SendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> TrySendError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Disconnected(value) => value,
        }
    }

    /// Is this [`Full`](TrySendError::Full)?
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }

    /// Is this [`Disconnected`](TrySendError::Disconnected)?
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TrySendError::Disconnected(_))
    }
}

impl<T> SendTimeoutError<T> {
    /// The value that was not sent.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Disconnected(value) => value,
        }
    }

    /// Is this [`Timeout`](SendTimeoutError::Timeout)?
    pub fn is_timeout(&self) -> bool {
        matches!(self, SendTimeoutError::Timeout(_))
    }

    /// Is this [`Disconnected`](SendTimeoutError::Disconnected)?
    pub fn is_disconnected(&self) -> bool {
        matches!(self, SendTimeoutError::Disconnected(_))
    }
}

impl TryRecvError {
    /// Is this [`Empty`](TryRecvError::Empty)?
    pub fn is_empty(&self) -> bool {
        matches!(self, TryRecvError::Empty)
    }

    /// Is this [`Disconnected`](TryRecvError::Disconnected)?
    pub fn is_disconnected(&self) -> bool {
        matches!(self, TryRecvError::Disconnected)
    }
}

impl RecvTimeoutError {
    /// Is this [`Timeout`](RecvTimeoutError::Timeout)?
    pub fn is_timeout(&self) -> bool {
        matches!(self, RecvTimeoutError::Timeout)
    }

    /// Is this [`Disconnected`](RecvTimeoutError::Disconnected)?
    pub fn is_disconnected(&self) -> bool {
        matches!(self, RecvTimeoutError::Disconnected)
    }
}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        TrySendError::Disconnected(value)
    }
}

impl<T> From<SendError<T>> for SendTimeoutError<T> {
    fn from(SendError(value): SendError<T>) -> Self {
        SendTimeoutError::Disconnected(value)
    }
}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> Self {
        TryRecvError::Disconnected
    }
}

impl From<RecvError> for RecvTimeoutError {
    fn from(_: RecvError) -> Self {
        RecvTimeoutError::Disconnected
    }
}

// Values need not be `Debug`, so they are left out.

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendError(..)")
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Disconnected(_) => "Disconnected(..)",
        })
    }
}

impl<T> fmt::Debug for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("SendTimeoutError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("sending on a disconnected channel")
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TrySendError::Full(_) => "sending on a full channel",
            TrySendError::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl<T> fmt::Display for SendTimeoutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            SendTimeoutError::Timeout(_) => "timed out waiting on send operation",
            SendTimeoutError::Disconnected(_) => "sending on a disconnected channel",
        })
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("receiving on an empty and disconnected channel")
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TryRecvError::Empty => "receiving on an empty channel",
            TryRecvError::Disconnected => "receiving on an empty and disconnected channel",
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            RecvTimeoutError::Timeout => "timed out waiting on receive operation",
            RecvTimeoutError::Disconnected => "channel is empty and disconnected",
        })
    }
}

impl fmt::Display for TrySelectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("all operations in select would block")
    }
}

impl fmt::Display for SelectTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("timed out waiting on select")
    }
}

impl fmt::Display for TryReadyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("no operation in select is ready")
    }
}

impl fmt::Display for ReadyTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("timed out waiting for a ready operation in select")
    }
}

impl<T: Send> Error for SendError<T> {}
impl<T: Send> Error for TrySendError<T> {}
impl<T: Send> Error for SendTimeoutError<T> {}
impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
impl Error for TrySelectError {}
impl Error for SelectTimeoutError {}
impl Error for TryReadyError {}
impl Error for ReadyTimeoutError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_out_of_errors() {
        assert_eq!(SendError(1).into_inner(), 1);
        assert_eq!(TrySendError::Full(2).into_inner(), 2);
        assert_eq!(TrySendError::Disconnected(3).into_inner(), 3);
        assert_eq!(SendTimeoutError::Timeout(4).into_inner(), 4);
        assert_eq!(SendTimeoutError::Disconnected(5).into_inner(), 5);
    }

    #[test]
    fn blocking_errors_become_those_of_other_calls() {
        assert!(TrySendError::from(SendError(())).is_disconnected());
        assert!(SendTimeoutError::from(SendError(())).is_disconnected());
        assert!(TryRecvError::from(RecvError).is_disconnected());
        assert!(RecvTimeoutError::from(RecvError).is_disconnected());
    }

    #[test]
    fn kinds_tell_themselves_apart() {
        assert!(TrySendError::Full(()).is_full() && !TrySendError::Full(()).is_disconnected());
        assert!(!TrySendError::Disconnected(()).is_full());
        assert!(SendTimeoutError::Timeout(()).is_timeout());
        assert!(!SendTimeoutError::Disconnected(()).is_timeout());
        assert!(TryRecvError::Empty.is_empty() && !TryRecvError::Empty.is_disconnected());
        assert!(RecvTimeoutError::Timeout.is_timeout());
        assert!(!RecvTimeoutError::Disconnected.is_timeout());
    }

    #[test]
    fn values_that_cannot_be_shown_do_not_hinder_the_message() {
        struct Opaque;
        assert_eq!(format!("{:?}", SendError(Opaque)), "SendError(..)");
        assert_eq!(format!("{:?}", TrySendError::Full(Opaque)), "Full(..)");
        assert_eq!(
            format!("{:>34}", TrySendError::Disconnected(Opaque)),
            " sending on a disconnected channel"
        );
        assert_eq!(
            SendTimeoutError::Timeout(Opaque).to_string(),
            "timed out waiting on send operation"
        );
    }
}
