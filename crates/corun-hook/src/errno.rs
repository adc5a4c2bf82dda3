//! `errno` belongs to the thread. A call that parks lets other coroutines of the thread run, so it puts `errno` back as a call of the C library
//! leaves it: as it was before, or saying what failed.

use std::ffi::c_int;
use std::io;

use libc::ssize_t;

pub(crate) fn get() -> c_int {
    // SAFETY: always valid.
    unsafe { *libc::__errno_location() }
}

pub(crate) fn set(value: c_int) {
    // SAFETY: as above.
    unsafe { *libc::__errno_location() = value };
}

/// `errno` as the caller left it.
#[derive(Clone, Copy)]
pub(crate) struct Errno(c_int);

impl Errno {
    /// To be taken before anything else happens.
    pub(crate) fn save() -> Errno {
        Errno(get())
    }

    /// The result of a call that gives a count.
    pub(crate) fn count(self, result: io::Result<usize>) -> ssize_t {
        match result {
            Ok(count) => {
                set(self.0);
                count as ssize_t
            }
            Err(error) => fail(&error) as ssize_t,
        }
    }

    /// The result of a call that gives a number.
    pub(crate) fn number(self, result: io::Result<c_int>) -> c_int {
        match result {
            Ok(number) => {
                set(self.0);
                number
            }
            Err(error) => fail(&error),
        }
    }
}

fn fail(error: &io::Error) -> c_int {
    set(error.raw_os_error().unwrap_or(libc::EIO));
    -1
}

/// What a call of the C library has said by its result and `errno`.
pub(crate) fn counted(result: ssize_t) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

/// As `counted`, for calls that give a number.
pub(crate) fn numbered(result: c_int) -> io::Result<c_int> {
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(result)
}

pub(crate) fn error<T>(code: c_int) -> io::Result<T> {
    Err(io::Error::from_raw_os_error(code))
}

pub(crate) fn would_block<T>(result: &io::Result<T>) -> bool {
    matches!(result, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}
