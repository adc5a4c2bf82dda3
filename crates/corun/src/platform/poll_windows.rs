//! Waiting for sockets on a plain thread.

use std::io;
use std::os::windows::io::{AsRawSocket, RawSocket};
use std::time::{Duration, Instant};

use crate::platform::bell::Bell;
use crate::reactor::{BorrowedDescriptor, Direction};

/// WSAPOLLFD.
#[repr(C)]
struct PollFd {
    socket: RawSocket,
    events: i16,
    revents: i16,
}

/// So long one call waits at the most: then the operation is tried again. `WSAPoll` is known to miss things: failed connects before Windows 10,
/// version 2004; under Wine, now and then, that the socket was shut down here.
const LONGEST: Duration = Duration::from_millis(50);

const POLLRDNORM: i16 = 0x0100;
const POLLWRNORM: i16 = 0x0010;

#[link(name = "ws2_32")]
unsafe extern "system" {
    fn WSAPoll(array: *mut PollFd, count: u32, milliseconds: i32) -> i32;
    fn WSAGetLastError() -> i32;
}

/// Waits until one of the sockets may be ready, or nobody can tell (`true`), or the deadline has passed or the bell has rung (`false`).
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
    let left = deadline.map_or(LONGEST, |deadline| {
        deadline
            .saturating_duration_since(Instant::now())
            .min(LONGEST)
    });
    // Rounded up.
    let milliseconds = left.as_nanos().div_ceil(1_000_000) as i32;
    // SAFETY: an array of as many entries, of sockets that are open during the call.
    let ready = unsafe { WSAPoll(all.as_mut_ptr(), all.len() as u32, milliseconds) };
    match ready {
        0 => Ok(deadline.is_none_or(|deadline| Instant::now() < deadline)),
        1.. => Ok(all[..sockets.len()].iter().any(|entry| entry.revents != 0)),
        // SAFETY: no preconditions.
        _ => Err(io::Error::from_raw_os_error(unsafe { WSAGetLastError() })),
    }
}
