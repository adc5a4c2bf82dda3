//! Waiting for descriptors on a plain thread.

use std::io;
use std::time::Instant;

use crate::platform::bell::Bell;
use crate::reactor::{BorrowedDescriptor, Direction};

/// Waits until one of the descriptors may be ready (`true`), or the deadline has passed or the bell has rung (`false`).
pub(crate) fn wait(
    descriptors: &[BorrowedDescriptor<'_>],
    direction: Direction,
    deadline: Option<Instant>,
    bell: Option<&Bell>,
) -> io::Result<bool> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    loop {
        let timeout = deadline.map(|deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Many years; the loop looks at the clock again.
            Timespec {
                tv_sec: left.as_secs().min(1 << 40) as i64,
                tv_nsec: i64::from(left.subsec_nanos()),
            }
        });
        let wanted = descriptors
            .iter()
            .map(|descriptor| PollFd::new(descriptor, flags(direction)));
        let bell = bell.map(Bell::descriptor);
        let bell = bell.as_ref().map(|bell| PollFd::new(bell, PollFlags::IN));
        let mut all: Vec<_> = wanted.chain(bell).collect();
        match poll(&mut all, timeout.as_ref()) {
            Ok(0) if deadline.is_some_and(|deadline| Instant::now() < deadline) => {}
            Ok(_) => {
                let mut ready = all[..descriptors.len()].iter().map(PollFd::revents);
                return Ok(ready.any(|events| !events.is_empty()));
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Is the descriptor ready (or broken, so that an operation would fail at once)?
pub(crate) fn is_ready(
    descriptor: BorrowedDescriptor<'_>,
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

fn flags(direction: Direction) -> rustix::event::PollFlags {
    match direction {
        Direction::Read => rustix::event::PollFlags::IN,
        Direction::Write => rustix::event::PollFlags::OUT,
    }
}
