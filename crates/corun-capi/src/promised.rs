//! What futures of the C interface carry: a pointer with its destructor, or a code with a message.

use std::ffi::CString;
use std::mem;
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::future::{Promise, Rejected, SharedFuture, promise, promise_with_note};

use crate::failure::{Failure, Outcome};
use crate::status::{self, Status};
use crate::value::{Data, Destructor, Owned, Pointer};

/// The end to wait at.
pub(crate) type Promised = SharedFuture<Value, Box<Refusal>>;
/// The end to write at.
pub(crate) type Keeper = Promise<Value, Box<Refusal>>;
/// What has come of it, seen through a reference.
pub(crate) type Seen<'a> = Result<&'a Value, &'a Rejected<Box<Refusal>>>;

pub(crate) fn pair() -> (Keeper, Promised) {
    let (keeper, future) = promise();
    (keeper, future.shared())
}

/// A promise that keeps the destructor of its value.
pub(crate) fn pair_with(destructor: Destructor) -> (Keeper, Promised) {
    if destructor.is_none() {
        return pair();
    }
    let (keeper, future) = promise_with_note(address(destructor));
    (keeper, future.shared())
}

fn address(destructor: Destructor) -> usize {
    destructor.map_or(0, |function| function as usize)
}

/// A value that belongs to its future, until somebody takes it.
pub(crate) struct Value {
    value: Data,
    /// The address of the destructor, 0 for none, or [`TAKEN`].
    destructor: AtomicUsize,
}

const TAKEN: usize = 1;

impl Value {
    pub(crate) fn new(value: Pointer, destructor: Destructor) -> Value {
        Value {
            value: Data(value),
            destructor: AtomicUsize::new(address(destructor)),
        }
    }

    /// A value for a promise that may keep a destructor.
    pub(crate) fn of(keeper: &Keeper, value: Pointer) -> Value {
        Value {
            value: Data(value),
            destructor: AtomicUsize::new(keeper.note()),
        }
    }

    /// The value, which stays the future's.
    pub(crate) fn get(&self) -> Outcome<Pointer> {
        // Relaxed: the pointer never changes, and its use after somebody else has taken it is between the two of them.
        match self.destructor.load(Ordering::Relaxed) {
            TAKEN => Err(taken()),
            _ => Ok(self.value.0),
        }
    }

    /// The value, which is the caller's from now on.
    pub(crate) fn take(&self) -> Outcome<Pointer> {
        match self.destructor.swap(TAKEN, Ordering::Relaxed) {
            TAKEN => Err(taken()),
            _ => Ok(self.value.0),
        }
    }
}

fn taken() -> Failure {
    Failure::state("somebody has taken the value")
}

impl Drop for Value {
    fn drop(&mut self) {
        match *self.destructor.get_mut() {
            0 | TAKEN => {}
            address => {
                // SAFETY: it is the address of such a function: see `new`.
                let destructor = unsafe { mem::transmute::<usize, Destructor>(address) };
                drop(Owned::new(self.value.0, destructor));
            }
        }
    }
}

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// A promise was rejected.
    Rejected,
    /// A task has noted that it failed.
    Failed,
    /// A task was cancelled.
    Cancelled,
    /// A task had no stack.
    NotStarted,
}

/// What a future is rejected with.
pub(crate) struct Refusal {
    pub(crate) why: Why,
    pub(crate) code: i32,
    pub(crate) message: Option<CString>,
    /// What the function of the task has returned all the same.
    pub(crate) value: Value,
}

impl Refusal {
    pub(crate) fn of_promise(code: i32, message: Option<CString>) -> Box<Refusal> {
        Box::new(Refusal {
            why: Why::Rejected,
            code,
            message,
            value: Value::new(std::ptr::null_mut(), None),
        })
    }
}

/// The status of a future that was rejected.
pub(crate) fn rejection(rejected: &Rejected<Box<Refusal>>) -> Status {
    match rejected {
        Rejected::Abandoned => status::ERR_ABANDONED,
        Rejected::Cancelled => status::ERR_CANCELLED,
        Rejected::Error(refusal) => match refusal.why {
            Why::Rejected | Why::Failed => status::ERR_REJECTED,
            Why::Cancelled => status::ERR_CANCELLED,
            Why::NotStarted => status::ERR_NOMEM,
        },
    }
}

/// The same, in words.
pub(crate) fn failure(rejected: &Rejected<Box<Refusal>>) -> Failure {
    let status = rejection(rejected);
    let text = match rejected {
        Rejected::Abandoned => "the promise was released without a result".to_string(),
        Rejected::Cancelled => "the future was cancelled".to_string(),
        Rejected::Error(refusal) => match (&refusal.message, refusal.why) {
            (Some(message), _) => message.to_string_lossy().into_owned(),
            (None, Why::Cancelled) => "the task was cancelled".to_string(),
            (None, Why::NotStarted) => "there was no stack for the task".to_string(),
            (None, _) => format!("rejected with the code {}", refusal.code),
        },
    };
    Failure::new(status, text)
}

/// The value, which stays the future's.
pub(crate) fn seen(outcome: Seen<'_>) -> Outcome<Pointer> {
    match outcome {
        Ok(value) => value.get(),
        Err(rejected) => Err(failure(rejected)),
    }
}
