//! The three descriptors that a process is born with, as they are: shared with others, in blocking mode, and perhaps closed.

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};

use super::slow::Slow;

/// The process is ending: what is still to be written is written in place.
static ENDING: AtomicBool = AtomicBool::new(false);

pub(super) fn write_in_place_from_now_on() {
    ENDING.store(true, Ordering::Relaxed);
}

/// One of the three. Nothing is kept of it between operations: somebody may put something else in its place (`dup2`), which a registration with a
/// reactor would not notice.
#[derive(Clone, Copy)]
pub(super) enum Standard {
    Input,
    Output,
    Error,
}

impl Standard {
    pub(super) fn descriptor(self) -> BorrowedFd<'static> {
        match self {
            Standard::Input => rustix::stdio::stdin(),
            Standard::Output => rustix::stdio::stdout(),
            Standard::Error => rustix::stdio::stderr(),
        }
    }
}

/// One that was closed by the parent has nothing to read, and takes all, as in std.
fn unless_closed<T>(result: io::Result<T>, closed: T) -> io::Result<T> {
    match result {
        Err(error) if error.raw_os_error() == Some(libc::EBADF) => Ok(closed),
        result => result,
    }
}

impl Read for Standard {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = Slow::new().read(self.descriptor(), buf);
        unless_closed(read, 0)
    }
}

impl Write for Standard {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let written = if ENDING.load(Ordering::Relaxed) {
            Ok(rustix::io::write(self.descriptor(), buf)?)
        } else {
            Slow::of_standard(self.descriptor()).write(self.descriptor(), buf)
        };
        unless_closed(written, buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
