//! Where there is no io_uring, the pool does it all.

/// What a worker has for its ring.
#[derive(Default)]
pub(crate) struct PerWorker(());

#[cfg(unix)]
mod refusals {
    use std::io::{self, IoSlice, IoSliceMut};
    use std::os::fd::BorrowedFd;

    #[derive(Clone, Copy)]
    pub(in crate::io) enum Place {
        Position,
        #[allow(dead_code, reason = "nobody looks")]
        Offset(u64),
    }

    pub(in crate::io) fn read(
        _: BorrowedFd<'_>,
        _: &mut [IoSliceMut<'_>],
        _: Place,
    ) -> Option<io::Result<usize>> {
        None
    }

    pub(in crate::io) fn write(
        _: BorrowedFd<'_>,
        _: &[IoSlice<'_>],
        _: Place,
    ) -> Option<io::Result<usize>> {
        None
    }

    pub(in crate::io) fn sync(_: BorrowedFd<'_>, _: bool) -> Option<io::Result<()>> {
        None
    }
}

#[cfg(unix)]
pub(super) use refusals::{Place, read, sync, write};
