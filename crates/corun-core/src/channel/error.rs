//! Why a value was not sent or received.

use core::error::Error;
use core::fmt;

/// The channel is closed. Gives the value back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

/// The value was not sent at once, and is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// There is no room, or in a rendezvous nobody who waits for it.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

/// The value was not sent in time, and is given back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum SendTimeoutError<T> {
    /// The time was up.
    Timeout(T),
    /// The channel is closed.
    Closed(T),
}

/// The channel is closed and empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecvError;

/// No value was received at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is none yet.
    Empty,
    /// The channel is closed and empty.
    Closed,
}

/// No value was received in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecvTimeoutError {
    /// The time was up.
    Timeout,
    /// The channel is closed and empty.
    Closed,
}

impl<T> TrySendError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }
}

impl<T> SendTimeoutError<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        match self {
            SendTimeoutError::Timeout(value) | SendTimeoutError::Closed(value) => value,
        }
    }
}

const CLOSED: &str = "the channel is closed";
const LATE: &str = "the time was up";

/// `Debug` without the value, which need not have one; `Display`; `Error`.
macro_rules! errors {
    ($($type:ident { $($pattern:pat => $name:literal, $message:expr;)* })*) => { $(
        impl<T> fmt::Debug for $type<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($pattern => $name,)* })
            }
        }
        impl<T> fmt::Display for $type<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $($pattern => $message,)* })
            }
        }
        impl<T> Error for $type<T> {}
    )* };
}

errors! {
    SendError { SendError(_) => "SendError(..)", CLOSED; }
    TrySendError {
        TrySendError::Full(_) => "Full(..)", "the channel is full";
        TrySendError::Closed(_) => "Closed(..)", CLOSED;
    }
    SendTimeoutError {
        SendTimeoutError::Timeout(_) => "Timeout(..)", LATE;
        SendTimeoutError::Closed(_) => "Closed(..)", CLOSED;
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the channel is empty",
            TryRecvError::Closed => CLOSED,
        })
    }
}

impl fmt::Display for RecvTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvTimeoutError::Timeout => LATE,
            RecvTimeoutError::Closed => CLOSED,
        })
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}
impl Error for RecvTimeoutError {}
