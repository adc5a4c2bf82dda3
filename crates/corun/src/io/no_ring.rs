//! Where there is no io_uring, the pool does it all.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::BorrowedFd;

#[derive(Clone, Copy)]
pub(super) enum Place {
    Position,
    #[allow(dead_code, reason = "nobody looks")]
    Offset(u64),
}

pub(super) fn read(
    _: BorrowedFd<'_>,
    _: &mut [IoSliceMut<'_>],
    _: Place,
) -> Option<io::Result<usize>> {
    None
}

pub(super) fn write(_: BorrowedFd<'_>, _: &[IoSlice<'_>], _: Place) -> Option<io::Result<usize>> {
    None
}

pub(super) fn sync(_: BorrowedFd<'_>, _: bool) -> Option<io::Result<()>> {
    None
}
