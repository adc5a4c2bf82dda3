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

/// A coroutine could not be resumed. Gives the input back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResumeError<Input> {
    input: Input,
    status: Status,
}

impl<Input> ResumeError<Input> {
    #[cold]
    pub(super) fn new(input: Input, status: Status) -> Self {
        ResumeError { input, status }
    }

    /// What kept the coroutine from being resumed: it is [`Dead`](Status::Dead); it is [`Running`](Status::Running), so it tried
    /// to resume itself; or it is [`Normal`](Status::Normal), so one that it is waiting for tried to resume it.
    pub fn status(&self) -> Status {
        self.status
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
            _ => "a dead coroutine cannot be resumed",
        })
    }
}

impl<Input> Error for ResumeError<Input> {}
