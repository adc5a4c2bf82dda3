//! The ways in which a program fails. Each notes with the task why; the caller returns the status 1.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use super::references::Text;
use super::text::consume;
use crate::abi::{
    CANCELLED, CLOSED, Handle, OK, corun_check_cancelled, corun_future_error,
    corun_last_error_message, corun_status_name, corun_task_fail,
};

/// What a program does wrong by itself.
#[derive(Clone, Copy)]
pub enum Mistake {
    DivisionByZero,
    DivisionOverflow,
    ClosedReceive,
    ClosedSend,
    ClosedTwice,
    AssertionFailed,
}

const MISTAKES: [&CStr; 6] = [
    c"division by zero",
    c"the quotient does not fit an int",
    c"receive from a closed channel",
    c"send on a closed channel",
    c"close of a closed channel",
    c"assertion failed",
];

pub extern "C" fn fail_by_mistake(mistake: i64) {
    // SAFETY: the message is a string that ends with a 0.
    unsafe { corun_task_fail(1, MISTAKES[mistake as usize].as_ptr()) };
}

/// # Safety
/// The message is null, or a reference that the caller owns; it is used up.
pub unsafe extern "C" fn fail(message: Text) {
    // SAFETY: as the caller promises.
    unsafe { consume(message, fail_with) };
}

pub fn fail_with(message: &str) {
    let message = CString::new(message.replace('\0', "\u{fffd}")).unwrap_or_default();
    // SAFETY: as in `fail_by_mistake`.
    unsafe { corun_task_fail(1, message.as_ptr()) };
}

/// A call of the ABI has failed in a way that is no mistake of the program's; a cancellation is no failure.
pub extern "C" fn fail_by_status(status: i64) {
    let status = status as i32;
    if status == CANCELLED {
        return;
    }
    if status == CLOSED {
        return fail_by_mistake(Mistake::ClosedSend as i64);
    }
    // SAFETY: both return strings that end with a 0.
    let (name, message) = unsafe {
        (
            text_of(corun_status_name(status)),
            text_of(corun_last_error_message()),
        )
    };
    fail_with(&format!("{name}: {message}"));
}

/// What was awaited has failed: so does who awaited it, for the same reason.
pub extern "C" fn fail_by_await(status: i64, future: Handle) {
    let (mut code, mut message) = (0, ptr::null());
    // SAFETY: any handle may be passed; both places are to be written.
    if unsafe { corun_future_error(future, &raw mut code, &raw mut message) } == OK {
        // SAFETY: the message is valid until the future is released, which the caller does later.
        unsafe { corun_task_fail(code, message) };
        return;
    }
    // SAFETY: a question.
    if status as i32 == CANCELLED && unsafe { corun_check_cancelled() } == OK {
        return fail_with("await of a cancelled future");
    }
    fail_by_status(status);
}

/// # Safety
/// A string that ends with a 0, or null.
pub unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }
        .to_string_lossy()
        .into_owned()
}
