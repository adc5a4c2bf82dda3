//! Strings: counted, never changed.

use std::io::Write;
use std::sync::Arc;

use super::references::{Text, release_text};

/// Reads a string, and gives up the caller's reference to it.
///
/// # Safety
/// `text` is null, or a reference that the caller owns; it is used up.
pub unsafe fn consume<R>(text: Text, read: impl FnOnce(&str) -> R) -> R {
    // SAFETY: the caller's reference keeps it alive until it is released.
    let result = read(unsafe { text.as_ref() }.map_or("", String::as_str));
    // SAFETY: as the caller promises.
    unsafe { release_text(text) };
    result
}

pub fn make(text: String) -> Text {
    if text.is_empty() {
        return std::ptr::null();
    }
    Arc::into_raw(Arc::new(text))
}

/// # Safety
/// As [`consume`], for both.
pub unsafe extern "C" fn join(left: Text, right: Text) -> Text {
    // SAFETY: as the caller promises.
    let joined = unsafe { consume(left, |left| consume(right, |right| [left, right].concat())) };
    make(joined)
}

/// Below, at or above 0, as the first comes before the second, is the same, or comes after it.
///
/// # Safety
/// As [`consume`], for both.
pub unsafe extern "C" fn compare(left: Text, right: Text) -> i64 {
    // SAFETY: as the caller promises.
    unsafe { consume(left, |left| consume(right, |right| left.cmp(right) as i64)) }
}

/// In bytes.
///
/// # Safety
/// As [`consume`].
pub unsafe extern "C" fn length(text: Text) -> i64 {
    // SAFETY: as the caller promises.
    unsafe { consume(text, |text| text.len() as i64) }
}

pub extern "C" fn of_int(number: i64) -> Text {
    make(number.to_string())
}

pub extern "C" fn of_bool(value: i64) -> Text {
    make((value != 0).to_string())
}

/// Prints one line, whole, whoever else prints.
///
/// # Safety
/// As [`consume`].
pub unsafe extern "C" fn print(text: Text) {
    // SAFETY: as the caller promises.
    unsafe {
        consume(text, |text| {
            // Nobody may be left to read it, as with any program in a pipe.
            let _ = std::io::stdout().write_all([text, "\n"].concat().as_bytes());
        });
    }
}
