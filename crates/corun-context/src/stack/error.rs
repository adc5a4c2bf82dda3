//! Why there is no stack.

use core::fmt;
use std::io;

use super::{MAX_SIZE, MIN_SIZE};

/// There is no stack to be had; what failed, and what can be done about it, is in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StackError {
    cause: Cause,
    /// The usable size asked for.
    size: usize,
    errno: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Size,
    Map,
    #[cfg_attr(
        windows,
        allow(dead_code, reason = "guards are part of a reservation there")
    )]
    Guard,
}

impl StackError {
    pub(super) fn size(size: usize) -> StackError {
        StackError {
            cause: Cause::Size,
            size,
            errno: 0,
        }
    }

    pub(super) fn map(size: usize, errno: i32) -> StackError {
        StackError {
            cause: Cause::Map,
            size,
            errno,
        }
    }

    #[cfg_attr(windows, allow(dead_code, reason = "as above"))]
    pub(super) fn guard(size: usize, errno: i32) -> StackError {
        StackError {
            cause: Cause::Guard,
            size,
            errno,
        }
    }

    /// The size that was asked for, in bytes.
    pub fn requested_size(&self) -> usize {
        self.size
    }

    /// Whether the size asked for is outside of [`MIN_SIZE`] to [`MAX_SIZE`], so that trying again is pointless.
    pub fn is_invalid_size(&self) -> bool {
        self.cause == Cause::Size
    }

    /// The error number of the system call that failed, if one did.
    pub fn raw_os_error(&self) -> Option<i32> {
        (self.errno != 0).then_some(self.errno)
    }
}

impl fmt::Display for StackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, system) = (self.size, io::Error::from_raw_os_error(self.errno));
        match self.cause {
            Cause::Size => write!(
                f,
                "a stack of {size} bytes is out of range: ask for {MIN_SIZE} to {MAX_SIZE} bytes"
            ),
            Cause::Map => write!(
                f,
                "no address space for a stack of {size} bytes ({system}): run fewer coroutines at once, use smaller stacks, \
                 or raise the limit of address space (ulimit -v, vm.overcommit_memory)"
            ),
            Cause::Guard => write!(
                f,
                "no guard for a stack of {size} bytes ({system}): raise vm.max_map_count, use Linux 6.13 or later, whose \
                 guards need no mapping of their own, or run fewer coroutines at once"
            ),
        }
    }
}

impl core::error::Error for StackError {}

impl From<StackError> for io::Error {
    fn from(error: StackError) -> io::Error {
        let kind = if error.is_invalid_size() {
            io::ErrorKind::InvalidInput
        } else {
            io::ErrorKind::OutOfMemory
        };
        io::Error::new(kind, error)
    }
}
