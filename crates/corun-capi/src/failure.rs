//! Errors on their way to the caller, and the last one of each coroutine.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::io;

use crate::status::{self, Status};

/// Why a call fails. Small, since it is what nearly every function may return.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What happens all the time, and needs no words.
    Ordinary(Status),
    /// With a message for `corun_last_error_message`.
    Worded(Box<Words>),
}

#[derive(Debug)]
pub(crate) struct Words {
    status: Status,
    os: i32,
    message: Cow<'static, str>,
}

/// What an exported function comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    #[cold]
    pub(crate) fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::Worded(Box::new(Words {
            status,
            os: 0,
            message: message.into(),
        }))
    }

    pub(crate) const fn ordinary(status: Status) -> Failure {
        Failure::Ordinary(status)
    }

    #[cold]
    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(status::ERR_INVALID, message)
    }

    #[cold]
    pub(crate) fn state(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(status::ERR_STATE, message)
    }

    #[cold]
    pub(crate) fn cancelled() -> Failure {
        Failure::new(status::ERR_CANCELLED, "the caller was cancelled")
    }

    pub(crate) fn status(&self) -> Status {
        match self {
            Failure::Ordinary(status) => *status,
            Failure::Worded(words) => words.status,
        }
    }

    /// The same words for another status.
    pub(crate) fn with_status(mut self, status: Status) -> Failure {
        match &mut self {
            Failure::Ordinary(old) => *old = status,
            Failure::Worded(words) => words.status = status,
        }
        self
    }

    /// A wait without any time is out of time.
    pub(crate) fn timed(self) -> Failure {
        match self.status() {
            status::ERR_WOULD_BLOCK => Failure::ordinary(status::ERR_TIMEDOUT),
            _ => self,
        }
    }

    /// Keeps the failure for the caller to ask about.
    #[inline]
    pub(crate) fn record(self) -> Status {
        match self {
            Failure::Ordinary(status) => status,
            Failure::Worded(words) => keep(*words),
        }
    }
}

#[cold]
#[inline(never)]
fn keep(words: Words) -> Status {
    // While a coroutine's locals are destroyed nobody can ask.
    let _ = LAST.try_with(|last| {
        *last.borrow_mut() = Last {
            status: words.status,
            os: words.os,
            message: c_string(&words.message),
        };
    });
    words.status
}

impl From<io::Error> for Failure {
    #[cold]
    fn from(error: io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::InvalidInput => status::ERR_INVALID,
            io::ErrorKind::OutOfMemory => status::ERR_NOMEM,
            io::ErrorKind::TimedOut => status::ERR_TIMEDOUT,
            _ if error.raw_os_error().is_some() => status::ERR_SYSTEM,
            _ => status::ERR_SHUTDOWN,
        };
        Failure::Worded(Box::new(Words {
            status,
            os: error.raw_os_error().unwrap_or(0),
            message: error.to_string().into(),
        }))
    }
}

struct Last {
    status: Status,
    os: i32,
    message: CString,
}

corun::coroutine_local! {
    static LAST: RefCell<Last> = RefCell::new(Last { status: status::OK, os: 0, message: CString::default() });
}

/// The text, as far as its first NUL.
pub(crate) fn c_string(text: &str) -> CString {
    let end = text.find('\0').unwrap_or(text.len());
    CString::new(&text[..end]).unwrap_or_default()
}

/// What was wrong in the last call here that failed.
#[unsafe(no_mangle)]
pub extern "C" fn corun_last_error_message() -> *const c_char {
    // The string stays where it is until the next failure here replaces it.
    let message = LAST.try_with(|last| last.borrow().message.as_ptr());
    message.unwrap_or(CStr::as_ptr(c""))
}

/// The status of the last call here that failed.
#[unsafe(no_mangle)]
pub extern "C" fn corun_last_error_status() -> Status {
    LAST.try_with(|last| last.borrow().status)
        .unwrap_or(status::OK)
}

/// The errno of the last system call here that failed.
#[unsafe(no_mangle)]
pub extern "C" fn corun_last_error_os() -> i32 {
    LAST.try_with(|last| last.borrow().os).unwrap_or(0)
}

/// The message, for the library's own use.
pub(crate) fn last_message() -> String {
    let message = LAST.try_with(|last| last.borrow().message.to_string_lossy().into_owned());
    message.unwrap_or_default()
}
