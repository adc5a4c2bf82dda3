//! Waiting for one descriptor on a plain thread.

use std::io;
use std::time::Instant;

use crate::reactor::Direction;

/// Waits until the descriptor may be ready (`true`) or the deadline has passed (`false`).
#[cfg(unix)]
pub(crate) fn wait(
    descriptor: std::os::fd::RawFd,
    direction: Direction,
    deadline: Option<Instant>,
) -> io::Result<bool> {
    use rustix::event::{PollFd, Timespec, poll};

    // SAFETY: the caller's socket is open during the call.
    let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(descriptor) };
    let wanted = flags(direction);
    loop {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Many years; the loop looks at the clock again.
            Timespec {
                tv_sec: left.as_secs().min(1 << 40) as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        match poll(&mut [PollFd::new(&descriptor, wanted)], timeout.as_ref()) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(ready) => return Ok(ready != 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Is the descriptor ready (or broken, so that an operation would fail at once)?
#[cfg(unix)]
pub(crate) fn is_ready(
    descriptor: std::os::fd::BorrowedFd<'_>,
    direction: Direction,
) -> io::Result<bool> {
    use rustix::event::{PollFd, Timespec, poll};

    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    loop {
        match poll(
            &mut [PollFd::new(&descriptor, flags(direction))],
            Some(&at_once),
        ) {
            Ok(ready) => return Ok(ready != 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(unix)]
fn flags(direction: Direction) -> rustix::event::PollFlags {
    match direction {
        Direction::Read => rustix::event::PollFlags::IN,
        Direction::Write => rustix::event::PollFlags::OUT,
    }
}
