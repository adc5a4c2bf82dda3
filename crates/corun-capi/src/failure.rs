//! Errors on their way to the caller, and the last one of each coroutine.

use std::borrow::Cow;
use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::io;

use crate::status::{self, Status};

/// Why a call fails.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: Status,
    os: i32,
    /// Empty for what is ordinary, and leaves no message.
    message: Cow<'static, str>,
}

/// What an exported function comes to.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl Failure {
    /// With a message for `corun_last_error_message`.
    pub(crate) fn new(status: Status, message: impl Into<Cow<'static, str>>) -> Failure {
        Failure {
            status,
            os: 0,
            message: message.into(),
        }
    }

    /// For what happens all the time, and needs no words.
    pub(crate) const fn ordinary(status: Status) -> Failure {
        Failure {
            status,
            os: 0,
            message: Cow::Borrowed(""),
        }
    }

    pub(crate) fn invalid(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(status::ERR_INVALID, message)
    }

    pub(crate) fn state(message: impl Into<Cow<'static, str>>) -> Failure {
        Failure::new(status::ERR_STATE, message)
    }

    pub(crate) fn cancelled() -> Failure {
        Failure::new(status::ERR_CANCELLED, "the caller was cancelled")
    }

    /// Keeps the failure for the caller to ask about.
    pub(crate) fn record(self) -> Status {
        let status = self.status;
        if !self.message.is_empty() {
            // While a coroutine's locals are destroyed nobody can ask.
            let _ = LAST.try_with(|last| {
                *last.borrow_mut() = Last {
                    status,
                    os: self.os,
                    message: c_string(&self.message),
                };
            });
        }
        status
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        let status = match error.kind() {
            io::ErrorKind::InvalidInput => status::ERR_INVALID,
            io::ErrorKind::OutOfMemory => status::ERR_NOMEM,
            io::ErrorKind::TimedOut => status::ERR_TIMEDOUT,
            _ if error.raw_os_error().is_some() => status::ERR_SYSTEM,
            _ => status::ERR_SHUTDOWN,
        };
        Failure {
            status,
            os: error.raw_os_error().unwrap_or(0),
            message: error.to_string().into(),
        }
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
