//! Files: locks on them, and moving data between descriptors within the kernel.
//!
//! A lock on a file that somebody has is waited for on a thread of the blocking pool: the kernel tells nobody when it is free. `splice` is done in pieces
//! that do not wait, with waits for the side that is not ready in between.
//!
//! `sendfile` has no flag that says "do not wait", nor has what it is made of in the kernel: to a stream socket, `splice` heeds the socket's own mode
//! only. To change that for a moment (see `mode.rs`) would disturb everybody who reads from the socket meanwhile. So a file is sent to such a socket by
//! `pread` and `send`, through a buffer, and to a pipe by `splice`; all else goes to the blocking pool.

use std::ffi::{c_int, c_long, c_uint, c_ulong, c_void};
use std::io;
use std::mem::MaybeUninit;
use std::ptr;

use corun::hooking::Interest;
use libc::{off_t, size_t, ssize_t};

use crate::descriptors::is_standard_output;
use crate::errno::{Errno, counted, error, numbered, would_block};
use crate::mode::{self, is_nonblocking};
use crate::sockets::{self, socket_type, transmit};
use crate::symbol::hooks;
use crate::wait::{block_until, is_ready, socket_deadline};

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

    fn fcntl(fd: c_int, command: c_int, argument: c_long) -> c_int |real, parks| {
        let tries = match command {
            libc::F_GETFL => return mode::flags(fd),
            // SAFETY: as above.
            libc::F_SETFL => return mode::undisturbed(fd, || unsafe { real(fd, command, argument) }),
            libc::F_SETLKW if parks => libc::F_SETLK,
            libc::F_OFD_SETLKW if parks => libc::F_OFD_SETLK,
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

    fn fcntl64(fd: c_int, command: c_int, argument: c_long) -> c_int |_real, _parks| {
        // SAFETY: the same call, where `off_t` has 64 bits.
        unsafe { fcntl(fd, command, argument) }
    }

    /// Never waits, but may change the mode: see `mode.rs`.
    fn ioctl(fd: c_int, request: c_ulong, argument: *mut c_void) -> c_int |real, _parks| {
        // SAFETY: as above.
        let call = || unsafe { real(fd, request, argument) };
        if request == libc::FIONBIO { mode::undisturbed(fd, call) } else { call() }
    }

    fn sendfile(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t |real| {
        let errno = Errno::save();
        if count == 0 || is_nonblocking(to) || is_standard_output(to) {
            // SAFETY: as above.
            return unsafe { real(to, from, offset, count) };
        }
        errno.count(match (kind(from), kind(to)) {
            (libc::S_IFREG, libc::S_IFSOCK) if socket_type(to) == libc::SOCK_STREAM => {
                // SAFETY: as above.
                unsafe { send_file(to, from, offset, count) }
            }
            (libc::S_IFREG, libc::S_IFIFO) => {
                // SAFETY: as above.
                counted(unsafe { splice(from, offset, to, ptr::null_mut(), count, 0) })
            }
            // SAFETY: as above.
            _ => crate::offload(move || counted(unsafe { real(to, from, offset, count) })),
        })
    }

    fn sendfile64(to: c_int, from: c_int, offset: *mut off_t, count: size_t) -> ssize_t |_real| {
        // SAFETY: as for `fcntl64`.
        unsafe { sendfile(to, from, offset, count) }
    }

    fn splice(
        from: c_int, from_offset: *mut off_t, to: c_int, to_offset: *mut off_t, count: size_t, flags: c_uint,
    ) -> ssize_t |real| {
        let errno = Errno::save();
        if flags & libc::SPLICE_F_NONBLOCK != 0 || is_standard_output(to) {
            // SAFETY: as above.
            return unsafe { real(from, from_offset, to, to_offset, count, flags) };
        }
        errno.count(move_between(from, to, || {
            // SAFETY: as above.
            counted(unsafe { real(from, from_offset, to, to_offset, count, flags | libc::SPLICE_F_NONBLOCK) })
        }))
    }
}

/// What the descriptor is: a file, a socket, ...; 0 if it is none.
fn kind(fd: c_int) -> libc::mode_t {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: written if the call succeeds, and only then read.
    unsafe {
        if libc::fstat(fd, status.as_mut_ptr()) != 0 {
            return 0;
        }
        status.assume_init().st_mode & libc::S_IFMT
    }
}

/// `sendfile` from a file to a stream socket that block.
///
/// # Safety
/// As for `sendfile`.
unsafe fn send_file(
    to: c_int,
    from: c_int,
    offset: *mut off_t,
    count: size_t,
) -> io::Result<usize> {
    /// What is sent at once. Larger ones are out of the cache by the time that they are sent.
    const PIECE: usize = 1 << 17;
    let send = sockets::real::send.get();
    // SAFETY: no pointers; and as the caller promises.
    let start = unsafe {
        match offset.as_ref() {
            Some(&start) => start,
            None => match libc::lseek(from, 0, libc::SEEK_CUR) {
                -1 => return Err(io::Error::last_os_error()),
                start => start,
            },
        }
    };
    let mut buffer = Vec::<u8>::new();
    if buffer.try_reserve_exact(count.min(PIECE)).is_err() {
        return error(libc::ENOMEM);
    }
    let mut sent = 0;
    let mut failed = None;
    while sent < count {
        let wanted = (count - sent).min(PIECE);
        let (data, place) = (buffer.as_mut_ptr(), start + sent as off_t);
        // SAFETY: the buffer has room for a piece. The hook, which waits for the disk elsewhere.
        let got = counted(unsafe { crate::descriptors::pread(from, data.cast(), wanted, place) });
        let result = got.and_then(|size| {
            if size == 0 {
                return Ok((0, 0));
            }
            // Who has sent something is told of that, without a signal.
            let quiet = if sent == 0 { 0 } else { libc::MSG_NOSIGNAL };
            // SAFETY: so much has been read; the part from `done` on.
            let piece = transmit(to, size, quiet, |done, flags| unsafe {
                send(to, data.byte_add(done).cast(), size - done, flags)
            });
            piece.map(|piece| (size, piece))
        });
        match result {
            Ok((size, piece)) => {
                sent += piece;
                if size == 0 || piece < size {
                    break;
                }
            }
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    if let Some(failed) = failed.filter(|_| sent == 0) {
        return Err(failed);
    }
    let end = start + sent as off_t;
    // SAFETY: as above.
    unsafe {
        match offset.as_mut() {
            Some(offset) => *offset = end,
            None => _ = libc::lseek(from, end, libc::SEEK_SET),
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
