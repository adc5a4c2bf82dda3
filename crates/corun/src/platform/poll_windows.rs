//! Waiting for sockets on a plain thread.

use std::io;
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::time::Instant;

use crate::platform::bell::Bell;
use crate::reactor::{BorrowedDescriptor, Direction};

/// WSAPOLLFD.
#[repr(C)]
struct PollFd {
    socket: RawSocket,
    events: i16,
    revents: i16,
}

const POLLRDNORM: i16 = 0x0100;
const POLLWRNORM: i16 = 0x0010;

#[link(name = "ws2_32")]
unsafe extern "system" {
    fn WSAPoll(array: *mut PollFd, count: u32, milliseconds: i32) -> i32;
    fn WSAGetLastError() -> i32;
}

/// Waits until one of the sockets may be ready (`true`), or the deadline has passed or the bell has rung (`false`).
pub(crate) fn wait(
    sockets: &[BorrowedDescriptor<'_>],
    direction: Direction,
    deadline: Option<Instant>,
    bell: Option<&Bell>,
) -> io::Result<bool> {
    let entry = |socket: &BorrowedDescriptor<'_>, events| PollFd {
        socket: socket.as_raw_socket(),
        events,
        revents: 0,
    };
    let events = match direction {
        Direction::Read => POLLRDNORM,
        Direction::Write => POLLWRNORM,
    };
    let bell = bell.map(Bell::descriptor);
    let bell = bell.as_ref().map(|bell| entry(bell, POLLRDNORM));
    let mut all: Vec<_> = sockets
        .iter()
        .map(|socket| entry(socket, events))
        .chain(bell)
        .collect();
    loop {
        let milliseconds = deadline.map_or(-1, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Rounded up; the loop looks at the clock again.
            i32::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX)
        });
        // SAFETY: an array of as many entries, of sockets that are open during the call.
        let ready = unsafe { WSAPoll(all.as_mut_ptr(), all.len() as u32, milliseconds) };
        match ready {
            0 if deadline.is_none_or(|deadline| Instant::now() < deadline) => {}
            0.. => return Ok(all[..sockets.len()].iter().any(|entry| entry.revents != 0)),
            // SAFETY: no preconditions.
            _ => return Err(io::Error::from_raw_os_error(unsafe { WSAGetLastError() })),
        }
    }
}
