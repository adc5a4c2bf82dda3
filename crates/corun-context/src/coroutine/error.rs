//! Why a coroutine was not resumed, and what state one is in.

use core::error::Error;
use core::fmt;

/// The state of a coroutine, in the terms of Lua.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It can be resumed: it has not started, or has suspended itself.
    Suspended,
    /// It is the one that asks.
    Running,
    /// It has resumed another coroutine and waits for that one.
    Normal,
    /// It has returned, or has panicked.
    Dead,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Status::Suspended => "suspended",
            Status::Running => "running",
            Status::Normal => "normal",
            Status::Dead => "dead",
        })
    }
}

/// Why a coroutine that is suspended cannot get at its shared stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "alloc"),
    expect(dead_code, reason = "nothing is shared then")
)]
pub(super) enum Refusal {
    /// Another coroutine is active on it.
    InUse,
    /// The one that lies on it could not be moved away.
    NoMemory,
}

/// A coroutine could not be resumed. Gives the input back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResumeError<Input> {
    input: Input,
    status: Status,
    no_memory: bool,
}

impl<Input> ResumeError<Input> {
    #[cold]
    pub(super) fn new(input: Input, status: Status) -> Self {
        ResumeError {
            input,
            status,
            no_memory: false,
        }
    }

    #[cold]
    pub(super) fn refused(input: Input, refusal: Refusal) -> Self {
        ResumeError {
            input,
            status: Status::Suspended,
            no_memory: refusal == Refusal::NoMemory,
        }
    }

    /// What kept the coroutine from being resumed: it is [`Dead`](Status::Dead); it is [`Running`](Status::Running), so it tried
    /// to resume itself; or it is [`Normal`](Status::Normal), so one that it is waiting for tried to resume it. One that is
    /// [`Suspended`](Status::Suspended) could not get at the stack that it shares with others, and can be resumed later: another coroutine is
    /// active on it, or it [is out of memory](Self::is_out_of_memory).
    pub fn status(&self) -> Status {
        self.status
    }

    /// Whether there was no memory to move another coroutine off the stack that this one shares with it. Both are as they were.
    pub fn is_out_of_memory(&self) -> bool {
        self.no_memory
    }

    /// The input that was not delivered.
    pub fn into_input(self) -> Input {
        self.input
    }
}

impl<Input> fmt::Debug for ResumeError<Input> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResumeError")
            .field("status", &self.status)
            .field("no_memory", &self.no_memory)
            .finish_non_exhaustive()
    }
}

impl<Input> fmt::Display for ResumeError<Input> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.status {
            Status::Running => "a coroutine cannot resume itself",
            Status::Normal => {
                "a coroutine cannot be resumed while it waits for one that it has resumed"
            }
            Status::Dead => "a dead coroutine cannot be resumed",
            Status::Suspended if self.no_memory => {
                "there is no memory to move a coroutine off the stack that it shares"
            }
            Status::Suspended => {
                "a coroutine cannot be resumed while another one is active on the stack that they share"
            }
        })
    }
}

impl<Input> Error for ResumeError<Input> {}
