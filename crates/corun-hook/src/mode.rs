//! Non-blocking mode for one call, for those that have no flag for it: `accept` and `connect`.
//!
//! # Invariants
//! - The mode is that of the open socket, of which there may be many descriptors. So it is changed for the call only, some microseconds during which
//!   the call cannot block, under a lock that belongs to the socket: its stripe is chosen by the socket's inode, which `dup` does not change,
//!   and not by the number of the descriptor. Two moments of one socket never overlap, so that none puts back what another one had set.
//! - Whoever finds `O_NONBLOCK` set asks again under that lock ([`is_nonblocking`]): it may be somebody's moment, on another thread. Who finds it
//!   clear need not ask. The program itself asks and sets by `fcntl` and `ioctl(FIONBIO)`, which are hooked for that alone, so that it neither
//!   sees a moment and keeps what it saw, nor sets a mode that the end of the moment takes back.
//! - A plain thread's `accept` or `connect` that begins in a moment finds that it would block, although its program has not asked for that. It does not hand
//!   that on, but asks here, and tries again: see [`was_disturbed`]. Nothing else that may be done to a listener, or to a socket that is not yet connected,
//!   blocks; so no other call of a thread is concerned.
//!
//! Other processes that share a listener, and go through no hooks of this one, may still see a moment.
//!
//! # Rejected
//! - To leave the mode changed and to tell the program another one. What the program hands on, by `exec`, would be in the wrong mode for good.
//! - `poll`, then `accept` on a thread of the blocking pool. A connection wakes all who wait on copies of a listener, and one gets it: as many threads as
//!   there are others would be stuck in the call, beyond the reach of `close`.
//! - io_uring, which has `IORING_ACCEPT_DONTWAIT`: new kernels only, and forbidden in many containers.
//! - This mode for `sendfile`, too. Its socket is connected, and others read from it at the same time, all of whose calls would see the moment: see
//!   `files.rs` for what is done instead.
//!
//! Tests: below, where a moment is as long as one likes; `sockets` (threads and coroutines side by side), `socket_modes`.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use crate::spin::{Spin, holds_any};
use crate::{errno, files, wait};

static STRIPES: [Spin<()>; 64] = [const { Spin::new(()) }; 64];

/// The lock of a socket. `None`: it is something else, whose mode is never changed here.
fn stripe(fd: RawFd) -> Option<&'static Spin<()>> {
    let before = errno::get();
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: written if the call succeeds, and only then read.
    let status = unsafe {
        if libc::fstat(fd, status.as_mut_ptr()) != 0 {
            errno::set(before);
            return None;
        }
        status.assume_init()
    };
    (status.st_mode & libc::S_IFMT == libc::S_IFSOCK)
        .then(|| &STRIPES[status.st_ino as usize % STRIPES.len()])
}

fn get(fd: RawFd) -> c_int {
    // SAFETY: no pointers. What is no descriptor has no mode, and the call that follows will say so.
    unsafe { files::real::fcntl.get()(fd, libc::F_GETFL, 0) }
}

fn set(fd: RawFd, flags: c_int) {
    // SAFETY: no pointers.
    unsafe { files::real::fcntl.get()(fd, libc::F_SETFL, flags.into()) };
}

/// Runs `f` while the blocking socket is in non-blocking mode.
pub(crate) fn nonblocking<R>(fd: RawFd, f: impl FnOnce() -> R) -> R {
    let Some(stripe) = stripe(fd) else {
        // The call fails at once, as this is no socket.
        return f();
    };
    stripe.with(|()| {
        let flags = get(fd);
        if flags < 0 || flags & libc::O_NONBLOCK != 0 {
            return f();
        }
        set(fd, flags | libc::O_NONBLOCK);
        let result = f();
        let errno = errno::get();
        set(fd, flags);
        errno::set(errno);
        result
    })
}

/// Runs `f`, which changes the mode for the program, when nobody else has changed it for a moment.
pub(crate) fn undisturbed<R>(fd: RawFd, f: impl FnOnce() -> R) -> R {
    // A signal handler in the middle of such a moment must not wait for its end.
    match stripe(fd) {
        Some(stripe) if crate::is_installed() && !holds_any() => stripe.with(|()| f()),
        _ => f(),
    }
}

/// The flags of an open file, as `fcntl(F_GETFL)` gives them, without what is set for a moment only.
pub(crate) fn flags(fd: RawFd) -> c_int {
    let flags = get(fd);
    if flags < 0 || flags & libc::O_NONBLOCK == 0 {
        return flags;
    }
    undisturbed(fd, || get(fd))
}

/// Has the program put the descriptor into non-blocking mode?
pub(crate) fn is_nonblocking(fd: RawFd) -> bool {
    let flags = flags(fd);
    flags >= 0 && flags & libc::O_NONBLOCK != 0
}

/// A plain thread's call, which began at `start`, says that it would block: because of somebody's moment, rather than because the program has asked
/// for that by the mode, or by the socket's own time limit (the option `limit`)?
#[cold]
pub(crate) fn was_disturbed(fd: RawFd, limit: c_int, start: Instant) -> bool {
    /// The kernel counts time limits in ticks, of up to 10 ms, and may end one too early.
    const TICKS: Duration = Duration::from_millis(20);
    !is_nonblocking(fd)
        && wait::socket_limit(fd, limit).is_none_or(|limit| start.elapsed() + TICKS < limit)
}

pub(crate) fn hold() {
    STRIPES.iter().for_each(Spin::hold);
}

/// # Safety
/// After `hold`.
pub(crate) unsafe fn free() {
    // SAFETY: as the caller promises.
    STRIPES.iter().for_each(|stripe| unsafe { stripe.free() });
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
    use std::sync::mpsc::{RecvTimeoutError, channel};
    use std::thread;

    fn kernel_says_nonblocking(socket: &impl AsRawFd) -> bool {
        get(socket.as_raw_fd()) & libc::O_NONBLOCK != 0
    }

    /// What a plain thread's `call` gives that begins in the middle of a moment of `socket`, and must not end in it. `then` is done after.
    fn in_the_middle<R: Send + 'static>(
        socket: &impl AsRawFd,
        call: impl FnOnce() -> R + Send + 'static,
        then: impl FnOnce(),
    ) -> R {
        // SAFETY: nothing runs in coroutines here.
        unsafe { crate::install() };
        let (tell, told) = channel();
        nonblocking(socket.as_raw_fd(), || {
            assert!(kernel_says_nonblocking(socket));
            thread::spawn(move || tell.send(call()).unwrap());
            let early = told.recv_timeout(Duration::from_millis(100));
            assert!(matches!(early, Err(RecvTimeoutError::Timeout)));
        });
        then();
        told.recv_timeout(Duration::from_secs(60)).unwrap()
    }

    #[test]
    fn a_thread_accepts_what_comes_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        for limit in [None, Some(60)] {
            let same = listener.try_clone().unwrap();
            let seconds = libc::timeval {
                tv_sec: limit.unwrap_or(0),
                tv_usec: 0,
            };
            // SAFETY: the option is as long as it says.
            let set = unsafe {
                libc::setsockopt(
                    same.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_RCVTIMEO,
                    (&raw const seconds).cast(),
                    size_of_val(&seconds) as u32,
                )
            };
            assert_eq!(set, 0);
            let mut client = None;
            let accepted = in_the_middle(
                &listener,
                move || same.accept(),
                || client = Some(TcpStream::connect(address).unwrap()),
            );
            assert_eq!(
                accepted.unwrap().1,
                client.unwrap().local_addr().unwrap(),
                "with a limit of {limit:?} s"
            );
        }
    }

    #[test]
    fn a_thread_connects_after_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        // SAFETY: no pointers; a new descriptor, or none, which is found out below.
        let socket =
            unsafe { OwnedFd::from_raw_fd(libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0)) };
        let same = socket.try_clone().unwrap();
        let connect = move || {
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: port.to_be(),
                sin_addr: libc::in_addr {
                    s_addr: u32::from_ne_bytes([127, 0, 0, 1]),
                },
                sin_zero: [0; 8],
            };
            // SAFETY: an address of the length that it says.
            let result = unsafe {
                libc::connect(
                    same.as_raw_fd(),
                    (&raw const address).cast(),
                    size_of_val(&address) as u32,
                )
            };
            if result == 0 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        };
        in_the_middle(&socket, connect, || ()).unwrap();
        assert_eq!(
            listener.accept().unwrap().1,
            TcpStream::from(socket).local_addr().unwrap()
        );
    }

    #[test]
    fn the_program_does_not_see_it_and_loses_nothing_by_it() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let same = listener.try_clone().unwrap();
        // SAFETY: no pointers.
        let flags = move || unsafe { libc::fcntl(same.as_raw_fd(), libc::F_GETFL) };
        assert_eq!(in_the_middle(&listener, flags, || ()) & libc::O_NONBLOCK, 0);
        let same = listener.try_clone().unwrap();
        // By `ioctl`, as std does it.
        in_the_middle(&listener, move || same.set_nonblocking(true), || ()).unwrap();
        assert!(kernel_says_nonblocking(&listener));
        listener.set_nonblocking(false).unwrap();
        let fd = listener.as_raw_fd();
        let by_hand =
            // SAFETY: no pointers.
            move || unsafe { libc::fcntl(fd, libc::F_SETFL, libc::O_RDWR | libc::O_NONBLOCK) };
        assert_eq!(in_the_middle(&listener, by_hand, || ()), 0);
        assert!(kernel_says_nonblocking(&listener));
        assert_eq!(
            listener.accept().unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }
}
