//! Descriptors that are in blocking mode, and have to stay so: files, and what was inherited, as standard input.
//!
//! Whether a descriptor is in non-blocking mode belongs to what it refers to, not to the process: it would be changed for the shell too, and for
//! every other process with the same terminal. For files the mode means nothing at all. So no operation here may run on a worker
//! that could block.
//!
//! - A plain thread makes the system call; inside of a time limit of corun's it waits before as a coroutine does.
//! - In a coroutine, a read of what the system has in memory is done at once, where the system can say so (`RWF_NOWAIT`).
//! - What is no file (a pipe, a terminal) is waited for in the reactor, where a wait can be cancelled and holds no thread.
//! - Then the system does it by itself (`ring.rs`), or a thread of the pool makes the call, into the buffer that the coroutine lends. For a file it waits
//!   for the disk; for the others it does not wait, unless another process was faster. Writes to what is no file are cut into pieces that fit if anything does.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::ManuallyDrop;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd};
use std::os::unix::fs::{FileExt, FileTypeExt};
use std::sync::OnceLock;

use super::ring::{self, Place};
use crate::blocking::offload;
use crate::cancel::limit::Limit;
use crate::platform::poll;
use crate::reactor::{Direction, Source};
use crate::scheduler::in_coroutine;

/// What a pipe takes without blocking, if it says that it takes anything: `PIPE_BUF`.
const PIECE: usize = 4096;

/// A descriptor, and what is known of it. Dropped before the descriptor is closed.
pub(crate) struct Slow {
    source: Source,
    kind: OnceLock<Kind>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Regular files, directories and block devices: always ready, as far as the system says.
    File,
    /// What has to be waited for: pipes, terminals, sockets, devices.
    Stream,
}

impl Kind {
    fn of(file_type: fs::FileType) -> Kind {
        if file_type.is_fifo() || file_type.is_char_device() || file_type.is_socket() {
            Kind::Stream
        } else {
            Kind::File
        }
    }
}

/// Borrows a descriptor as a file of std's, for its methods.
fn as_file<R>(descriptor: BorrowedFd<'_>, f: impl FnOnce(&fs::File) -> R) -> R {
    // SAFETY: it is not closed here.
    let file = ManuallyDrop::new(unsafe { fs::File::from_raw_fd(descriptor.as_raw_fd()) });
    f(&file)
}

impl Slow {
    pub(crate) const fn new() -> Slow {
        Slow {
            source: Source::new(),
            kind: OnceLock::new(),
        }
    }

    /// For a descriptor that was inherited, of which nothing is to be kept: asks at once what it is.
    pub(crate) fn of_standard(descriptor: BorrowedFd<'_>) -> Slow {
        let slow = Slow::new();
        if may_not_block()
            && let Ok(metadata) = as_file(descriptor, |file| file.metadata())
        {
            let _ = slow.kind.set(Kind::of(metadata.file_type()));
        }
        slow
    }

    pub(crate) fn kind(&self, descriptor: BorrowedFd<'_>) -> io::Result<Kind> {
        if let Some(kind) = self.kind.get() {
            return Ok(*kind);
        }
        // A file system on the network may have to ask.
        let kind = offload(|| as_file(descriptor, |file| file.metadata()))?.file_type();
        Ok(*self.kind.get_or_init(|| Kind::of(kind)))
    }

    pub(crate) fn read(&self, descriptor: BorrowedFd<'_>, buf: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(descriptor, &mut [IoSliceMut::new(buf)])
    }

    pub(crate) fn read_vectored(
        &self,
        descriptor: BorrowedFd<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        if may_not_block() {
            if let Some(count) = read_at_once(descriptor, bufs, u64::MAX) {
                return Ok(count);
            }
            self.wait(descriptor, Direction::Read)?;
        }
        Limit::check();
        if let Some(result) = ring::read(descriptor, bufs, Place::Position) {
            return result;
        }
        offload(|| {
            as_file(descriptor, |mut file| {
                io::Read::read_vectored(&mut file, bufs)
            })
        })
    }

    pub(crate) fn write(&self, descriptor: BorrowedFd<'_>, buf: &[u8]) -> io::Result<usize> {
        let piece = self.piece(descriptor, buf)?;
        Limit::check();
        if let Some(result) = ring::write(descriptor, &[IoSlice::new(piece)], Place::Position) {
            return result;
        }
        offload(|| as_file(descriptor, |mut file| io::Write::write(&mut file, piece)))
    }

    pub(crate) fn write_vectored(
        &self,
        descriptor: BorrowedFd<'_>,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        if may_not_block() && self.kind(descriptor)? == Kind::Stream {
            let first = bufs.iter().find(|buf| !buf.is_empty());
            return self.write(descriptor, first.map_or(&[], |buf| buf));
        }
        Limit::check();
        if let Some(result) = ring::write(descriptor, bufs, Place::Position) {
            return result;
        }
        offload(|| {
            as_file(descriptor, |mut file| {
                io::Write::write_vectored(&mut file, bufs)
            })
        })
    }

    pub(crate) fn read_at(
        descriptor: BorrowedFd<'_>,
        buf: &mut [u8],
        offset: u64,
    ) -> io::Result<usize> {
        let mut bufs = [IoSliceMut::new(buf)];
        if in_coroutine()
            && let Some(count) = read_at_once(descriptor, &mut bufs, offset)
        {
            return Ok(count);
        }
        Limit::check();
        if let Some(result) = ring::read(descriptor, &mut bufs, Place::Offset(offset)) {
            return result;
        }
        offload(|| as_file(descriptor, |file| file.read_at(buf, offset)))
    }

    pub(crate) fn write_at(
        descriptor: BorrowedFd<'_>,
        buf: &[u8],
        offset: u64,
    ) -> io::Result<usize> {
        Limit::check();
        if let Some(result) = ring::write(descriptor, &[IoSlice::new(buf)], Place::Offset(offset)) {
            return result;
        }
        offload(|| as_file(descriptor, |file| file.write_at(buf, offset)))
    }

    pub(crate) fn sync(descriptor: BorrowedFd<'_>, data_only: bool) -> io::Result<()> {
        Limit::check();
        if let Some(result) = ring::sync(descriptor, data_only) {
            return result;
        }
        offload(|| {
            as_file(descriptor, |file| {
                if data_only {
                    file.sync_data()
                } else {
                    file.sync_all()
                }
            })
        })
    }

    /// What may be written in one call, when the descriptor is ready for it.
    fn piece<'a>(&self, descriptor: BorrowedFd<'_>, buf: &'a [u8]) -> io::Result<&'a [u8]> {
        if !may_not_block() || self.kind(descriptor)? == Kind::File {
            return Ok(buf);
        }
        self.wait(descriptor, Direction::Write)?;
        Ok(&buf[..buf.len().min(PIECE)])
    }

    /// Waits until an operation would not block. What is always ready is so at once.
    fn wait(&self, descriptor: BorrowedFd<'_>, direction: Direction) -> io::Result<()> {
        let look = || {
            if poll::is_ready(descriptor, direction)? {
                Ok(())
            } else {
                Err(io::ErrorKind::WouldBlock.into())
            }
        };
        self.source
            .run_until(&descriptor, direction, None, |()| false, look)
    }
}

/// Is it a coroutine that asks, or a plain thread inside of a time limit?
fn may_not_block() -> bool {
    in_coroutine() || Limit::for_io(None).deadline().is_some()
}

/// Reads what is in memory. `None` if the system does not have it there, or cannot tell. Nothing is no answer either: kernels 5.9 and 5.10 gave
/// it where there was more to read.
#[cfg(target_os = "linux")]
fn read_at_once(
    descriptor: BorrowedFd<'_>,
    bufs: &mut [IoSliceMut<'_>],
    offset: u64,
) -> Option<usize> {
    use crate::scheduler::safepoint;
    use rustix::io::{ReadWriteFlags, preadv2};

    let count = preadv2(descriptor, bufs, offset, ReadWriteFlags::NOWAIT).ok()?;
    safepoint();
    (count != 0).then_some(count)
}

#[cfg(not(target_os = "linux"))]
fn read_at_once(_: BorrowedFd<'_>, _: &mut [IoSliceMut<'_>], _: u64) -> Option<usize> {
    None
}
