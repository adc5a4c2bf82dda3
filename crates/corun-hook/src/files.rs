//! Files: locks on them, and moving data between descriptors within the kernel.
//!
//! A lock on a file that somebody has is waited for on a thread of the blocking pool: the kernel tells nobody when it is free. `sendfile` and `splice` are
//! done in pieces that do not wait, with waits for the side that is not ready in between.

use std::ffi::{c_int, c_long, c_uint};
use std::io;

use corun::hooking::{self, Interest};
use libc::{off_t, size_t, ssize_t};

use crate::errno::{Errno, counted, error, numbered, would_block};
use crate::mode;
use crate::symbol::hooks;
use crate::wait::{block_until, is_nonblocking, is_ready, socket_deadline};

hooks! {
    fn flock(fd: c_int, operation: c_int) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself, here and below.
        let result = numbered(unsafe { real(fd, operation | libc::LOCK_NB) });
        errno.number(if would_block(&result) && operation & libc::LOCK_NB == 0 {
            // SAFETY: as above.
            crate::offload(move || numbered(unsafe { real(fd, operation) }))
        } else {
            result
        })
    }

    fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int |real| {
        let tries = match command {
            libc::F_SETLKW => libc::F_SETLK,
            libc::F_OFD_SETLKW => libc::F_OFD_SETLK,
            // SAFETY: as above.
            _ => return unsafe { real(fd, command, argument) },
        };
        let errno = Errno::save();
        // SAFETY: as above.
        let result = numbered(unsafe { real(fd, tries, argument) });
        let locked = matches!(&result, Err(failed) if matches!(failed.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)));
        errno.number(if locked {
            // SAFETY: as above.
            crate::offload(move || numbered(unsafe { real(fd, command, argument) }))
        } else {
            result
        })
    }

    fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int |_real| {
        // SAFETY: the same call, where `off_t` has 64 bits.
        unsafe { fcntl(fd, command, argument) }
    }

    fn sendfile(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t |real| {
        let errno = Errno::save();
        if is_nonblocking(to) {
            // SAFETY: as above.
            return unsafe { real(to, from, offset, count) };
        }
        // SAFETY: as above.
        errno.count(send_file(to, count, |count| unsafe { real(to, from, offset, count) }))
    }

    fn sendfile64(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t |_real| {
        // SAFETY: as for `fcntl64`.
        unsafe { sendfile(to, from, offset, count) }
    }

    fn splice(
        from: c_int, from_offset: *mut off_t, to: c_int, to_offset: *mut off_t, count: size_t, flags: c_uint,
    ) -> ssize_t |real| {
        let errno = Errno::save();
        if flags & libc::SPLICE_F_NONBLOCK != 0 {
            // SAFETY: as above.
            return unsafe { real(from, from_offset, to, to_offset, count, flags) };
        }
        errno.count(move_between(from, to, || {
            // SAFETY: as above.
            counted(unsafe { real(from, from_offset, to, to_offset, count, flags | libc::SPLICE_F_NONBLOCK) })
        }))
    }
}

fn send_file(to: c_int, count: size_t, real: impl Fn(size_t) -> ssize_t) -> io::Result<usize> {
    let attempt = |count| mode::nonblocking(to, || counted(real(count)));
    let limit = socket_deadline(to, libc::SO_SNDTIMEO);
    let mut sent = 0;
    while sent < count {
        let mut result = attempt(count - sent);
        if would_block(&result) {
            result = block_until(to, Interest::Write, limit, || attempt(count - sent));
        }
        match result {
            Ok(0) => break,
            Ok(more) => {
                sent += more;
                hooking::safepoint();
            }
            Err(_) if sent != 0 => break,
            Err(failed) => return Err(failed),
        }
    }
    Ok(sent)
}

/// Waits for one side after the other, as both have to be ready.
fn move_between(
    from: c_int,
    to: c_int,
    attempt: impl Fn() -> io::Result<usize>,
) -> io::Result<usize> {
    let sides = [
        (from, Interest::Read, libc::SO_RCVTIMEO),
        (to, Interest::Write, libc::SO_SNDTIMEO),
    ];
    loop {
        for (fd, interest, limit) in sides {
            let ready = || {
                if is_ready(fd, interest) {
                    Ok(())
                } else {
                    error(libc::EAGAIN)
                }
            };
            if ready().is_err() {
                if is_nonblocking(fd) {
                    return attempt();
                }
                block_until(fd, interest, socket_deadline(fd, limit), ready)?;
            }
        }
        let result = attempt();
        if !would_block(&result) {
            return result;
        }
        // Ready, but not for this: a pipe with room for some bytes and not for a page, say.
        corun::hooking::yield_now();
    }
}
