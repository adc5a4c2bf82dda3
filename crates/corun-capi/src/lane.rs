//! Channels by the room that an element takes, so that small elements lie in the channel itself.

use std::time::Instant;

use corun::channel::{
    self, Receiver, RecvTimeoutError, SendTimeoutError, Sender, TryRecvError, TrySendError,
};

use crate::call::Patience;
use crate::element::{Element, Large, Words};
use crate::failure::{Failure, Outcome};
use crate::status;

/// Both ends of a channel of elements of some kind.
pub(crate) struct Ends<T> {
    pub(crate) sender: Sender<T>,
    pub(crate) receiver: Receiver<T>,
}

/// A channel, by the room that an element takes.
pub(crate) enum Lane {
    Small(Ends<Words<1>>),
    Middle(Ends<Words<2>>),
    Wide(Ends<Words<4>>),
    Large(Ends<Large>),
    /// The time, from a timer.
    Time(Receiver<Instant>),
}

/// Runs the same code for each kind of element; `$time` for timers.
macro_rules! each_lane {
    ($lane:expr, $ends:ident => $code:expr, $time:ident => $timed:expr) => {
        match $lane {
            Lane::Small($ends) => $code,
            Lane::Middle($ends) => $code,
            Lane::Wide($ends) => $code,
            Lane::Large($ends) => $code,
            Lane::Time($time) => $timed,
        }
    };
}
pub(crate) use each_lane;

impl Lane {
    pub(crate) fn new(size: usize, capacity: usize) -> Lane {
        match size {
            0..=8 => Lane::Small(Ends::new(capacity)),
            9..=16 => Lane::Middle(Ends::new(capacity)),
            17..=32 => Lane::Wide(Ends::new(capacity)),
            _ => Lane::Large(Ends::new(capacity)),
        }
    }

    pub(crate) fn close(&self) -> bool {
        each_lane!(self, ends => ends.receiver.close(), time => time.close())
    }
}

impl<T: Element> Ends<T> {
    fn new(capacity: usize) -> Ends<T> {
        let (sender, receiver) = if capacity == usize::MAX {
            channel::unbounded()
        } else {
            channel::bounded(capacity)
        };
        Ends { sender, receiver }
    }

    /// # Safety
    /// An element of the channel can be read at `from`.
    pub(crate) unsafe fn send(&self, from: *const u8, size: usize, patience: Patience) -> Outcome {
        // SAFETY: promised by the caller.
        let element = unsafe { T::read(from, size) };
        let status = match patience {
            Patience::None => match self.sender.try_send(element) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(_)) => status::ERR_WOULD_BLOCK,
                Err(TrySendError::Disconnected(_)) => status::ERR_CLOSED,
            },
            Patience::Endless => match self.sender.send(element) {
                Ok(()) => return Ok(()),
                Err(_) => status::ERR_CLOSED,
            },
            Patience::For(time) => match self.sender.send_timeout(element, time) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(_)) => status::ERR_TIMEDOUT,
                Err(SendTimeoutError::Disconnected(_)) => status::ERR_CLOSED,
            },
        };
        Err(Failure::ordinary(status))
    }

    /// # Safety
    /// An element of the channel can be written at `to`.
    pub(crate) unsafe fn receive(&self, to: *mut u8, size: usize, patience: Patience) -> Outcome {
        let element = receive(&self.receiver, patience)?;
        // SAFETY: promised by the caller.
        unsafe { element.write(to, size) };
        Ok(())
    }
}

/// Receives as patiently as the caller is.
#[inline]
pub(crate) fn receive<T>(receiver: &Receiver<T>, patience: Patience) -> Outcome<T> {
    let status = match patience {
        Patience::None => match receiver.try_recv() {
            Ok(element) => return Ok(element),
            Err(TryRecvError::Empty) => status::ERR_WOULD_BLOCK,
            Err(TryRecvError::Disconnected) => status::ERR_CLOSED,
        },
        Patience::Endless => match receiver.recv() {
            Ok(element) => return Ok(element),
            Err(_) => status::ERR_CLOSED,
        },
        Patience::For(time) => match receiver.recv_timeout(time) {
            Ok(element) => return Ok(element),
            Err(RecvTimeoutError::Timeout) => status::ERR_TIMEDOUT,
            Err(RecvTimeoutError::Disconnected) => status::ERR_CLOSED,
        },
    };
    Err(Failure::ordinary(status))
}
