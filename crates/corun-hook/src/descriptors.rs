//! `read` and `write` and their like, on whatever a descriptor is; and what closes one.
//!
//! | the descriptor is | how |
//! |---|---|
//! | a socket | as `recv` and `send` |
//! | a pipe, a regular file whose pages are in memory, and what else knows `RWF_NOWAIT` | by that, then as below |
//! | a pipe or similar that is not ready | the reactor |
//! | a regular file, a block device | the blocking pool |
//! | a terminal and what else does not know `RWF_NOWAIT` | asked whether it is ready, then called; written in pieces of `PIPE_BUF`, which is what readiness promises |
//!
//! Descriptors 1 and 2 are never waited for when they are written: std's `stdout` and `stderr` hold a lock meanwhile that knows
//! threads only, so that a second coroutine of the worker would be let in. The write blocks the worker instead.

use std::ffi::{c_int, c_uint, c_void};
use std::io;
use std::mem::MaybeUninit;

use corun::hooking::{self, Interest};
use libc::{iovec, off_t, size_t, ssize_t};

use crate::errno::{Errno, counted, error, would_block};
use crate::mode::is_nonblocking;
use crate::sockets::{self, receive, rest_of, retire, total, transmit};
use crate::symbol::hooks;
use crate::wait::{block_until, is_ready};

/// The position of the descriptor itself.
const HERE: off_t = -1;

hooks! {
    fn read(fd: c_int, buffer: *mut c_void, size: size_t) -> ssize_t |real| {
        let errno = Errno::save();
        if size == 0 {
            // SAFETY: as for the call itself.
            return unsafe { real(fd, buffer, size) };
        }
        let recv = sockets::real::recv.get();
        // SAFETY: as above.
        let received = receive(fd, size, 0, |_, flags| unsafe { recv(fd, buffer, size, flags) });
        errno.count(match received {
            Err(failed) if is_no_socket(&failed) => {
                let vector = iovec { iov_base: buffer, iov_len: size };
                // SAFETY: as above.
                unsafe { read_file(fd, &[vector], HERE, move || real(fd, buffer, size)) }
            }
            result => result,
        })
    }

    fn readv(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        let number = usize::try_from(count).unwrap_or(0);
        // SAFETY: as for the call itself. It finds what is wrong with the arguments, too.
        unsafe {
            if number == 0 || number > libc::UIO_MAXIOV as usize || total(vectors, number) == 0 {
                return real(fd, vectors, count);
            }
            let received = sockets::receive_vectors(fd, vectors, number);
            errno.count(match received {
                Err(failed) if is_no_socket(&failed) => {
                    read_file(fd, std::slice::from_raw_parts(vectors, number), HERE, move || real(fd, vectors, count))
                }
                result => result,
            })
        }
    }

    fn pread(fd: c_int, buffer: *mut c_void, size: size_t, offset: off_t) -> ssize_t |real| {
        let errno = Errno::save();
        let vector = iovec { iov_base: buffer, iov_len: size };
        if offset < 0 {
            // SAFETY: as for the call itself, which says so.
            return unsafe { real(fd, buffer, size, offset) };
        }
        // SAFETY: as above.
        errno.count(unsafe { read_file(fd, &[vector], offset, move || real(fd, buffer, size, offset)) })
    }

    fn pread64(fd: c_int, buffer: *mut c_void, size: size_t, offset: off_t) -> ssize_t |_real| {
        // SAFETY: the same call, where `off_t` has 64 bits.
        unsafe { pread(fd, buffer, size, offset) }
    }

    fn preadv(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t |real| {
        let errno = Errno::save();
        let number = usize::try_from(count).unwrap_or(0);
        // SAFETY: as for the call itself.
        unsafe {
            if number == 0 || number > libc::UIO_MAXIOV as usize || offset < 0 {
                return real(fd, vectors, count, offset);
            }
            let slice = std::slice::from_raw_parts(vectors, number);
            errno.count(read_file(fd, slice, offset, move || real(fd, vectors, count, offset)))
        }
    }

    fn preadv64(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t |_real| {
        // SAFETY: as above.
        unsafe { preadv(fd, vectors, count, offset) }
    }

    fn write(fd: c_int, buffer: *const c_void, size: size_t) -> ssize_t |real| {
        let errno = Errno::save();
        if size == 0 || is_standard_output(fd) {
            // SAFETY: as for the call itself.
            return unsafe { real(fd, buffer, size) };
        }
        let send = sockets::real::send.get();
        // SAFETY: as above; the part of the buffer from `from` on.
        let sent = transmit(fd, size, 0, |from, flags| unsafe {
            send(fd, buffer.byte_add(from), size - from, flags)
        });
        errno.count(match sent {
            Err(failed) if is_no_socket(&failed) => {
                let vector = iovec { iov_base: buffer.cast_mut(), iov_len: size };
                // SAFETY: as above.
                unsafe { write_file(fd, &[vector], HERE, move || real(fd, buffer, size)) }
            }
            result => result,
        })
    }

    fn writev(fd: c_int, vectors: *const iovec, count: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        let number = usize::try_from(count).unwrap_or(0);
        // SAFETY: as for the call itself.
        unsafe {
            if number == 0 || number > libc::UIO_MAXIOV as usize || is_standard_output(fd) || total(vectors, number) == 0 {
                return real(fd, vectors, count);
            }
            let sent = sockets::send_vectors(fd, vectors, number);
            errno.count(match sent {
                Err(failed) if is_no_socket(&failed) => {
                    write_file(fd, std::slice::from_raw_parts(vectors, number), HERE, move || real(fd, vectors, count))
                }
                result => result,
            })
        }
    }

    fn pwrite(fd: c_int, buffer: *const c_void, size: size_t, offset: off_t) -> ssize_t |real| {
        let errno = Errno::save();
        let vector = iovec { iov_base: buffer.cast_mut(), iov_len: size };
        if offset < 0 {
            // SAFETY: as for the call itself, which says so.
            return unsafe { real(fd, buffer, size, offset) };
        }
        // SAFETY: as above.
        errno.count(unsafe { write_file(fd, &[vector], offset, move || real(fd, buffer, size, offset)) })
    }

    fn pwrite64(fd: c_int, buffer: *const c_void, size: size_t, offset: off_t) -> ssize_t |_real| {
        // SAFETY: the same call, where `off_t` has 64 bits.
        unsafe { pwrite(fd, buffer, size, offset) }
    }

    fn pwritev(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t |real| {
        let errno = Errno::save();
        let number = usize::try_from(count).unwrap_or(0);
        // SAFETY: as for the call itself.
        unsafe {
            if number == 0 || number > libc::UIO_MAXIOV as usize || offset < 0 {
                return real(fd, vectors, count, offset);
            }
            let slice = std::slice::from_raw_parts(vectors, number);
            errno.count(write_file(fd, slice, offset, move || real(fd, vectors, count, offset)))
        }
    }

    fn pwritev64(fd: c_int, vectors: *const iovec, count: c_int, offset: off_t) -> ssize_t |_real| {
        // SAFETY: as above.
        unsafe { pwritev(fd, vectors, count, offset) }
    }

    fn close(fd: c_int) -> c_int |real, _parks| {
        retire(fd);
        // SAFETY: as for the call itself.
        unsafe { real(fd) }
    }

    fn close_range(first: c_uint, last: c_uint, flags: c_int) -> c_int |real, _parks| {
        const CLOEXEC: c_int = 4;
        if crate::is_installed() && flags & CLOEXEC == 0 {
            crate::wait::retire_range(first, last);
        }
        // SAFETY: as above.
        unsafe { real(first, last, flags) }
    }

    fn dup2(from: c_int, to: c_int) -> c_int |real, _parks| {
        if from != to {
            retire(to);
        }
        // SAFETY: as above.
        unsafe { real(from, to) }
    }

    fn dup3(from: c_int, to: c_int, flags: c_int) -> c_int |real, _parks| {
        if from != to {
            retire(to);
        }
        // SAFETY: as above.
        unsafe { real(from, to, flags) }
    }

    fn __read_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t) -> ssize_t |real| {
        // SAFETY: as for the call itself; the real one ends the program if the buffer is too small.
        unsafe {
            if size > room { real(fd, buffer, size, room) } else { read(fd, buffer, size) }
        }
    }

    fn __pread_chk(fd: c_int, buffer: *mut c_void, size: size_t, offset: off_t, room: size_t) -> ssize_t |real| {
        // SAFETY: as above.
        unsafe {
            if size > room { real(fd, buffer, size, offset, room) } else { pread(fd, buffer, size, offset) }
        }
    }

    fn __pread64_chk(fd: c_int, buffer: *mut c_void, size: size_t, offset: off_t, room: size_t) -> ssize_t |real| {
        // SAFETY: as above.
        unsafe {
            if size > room { real(fd, buffer, size, offset, room) } else { pread(fd, buffer, size, offset) }
        }
    }
}

fn is_no_socket(failed: &io::Error) -> bool {
    failed.raw_os_error() == Some(libc::ENOTSOCK)
}

pub(crate) fn is_standard_output(fd: c_int) -> bool {
    fd == libc::STDOUT_FILENO || fd == libc::STDERR_FILENO
}

/// What a descriptor is, if it is no socket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is always ready, and may take its time nevertheless.
    Disk,
    /// It may be waited for.
    Other,
}

fn kind(fd: c_int) -> Kind {
    let mut status = MaybeUninit::<libc::stat>::uninit();
    // SAFETY: it is written if the call succeeds, and only then read.
    let mode = unsafe {
        if libc::fstat(fd, status.as_mut_ptr()) != 0 {
            return Kind::Other;
        }
        status.assume_init().st_mode
    };
    match mode & libc::S_IFMT {
        libc::S_IFREG | libc::S_IFBLK | libc::S_IFDIR => Kind::Disk,
        _ => Kind::Other,
    }
}

/// The call is not known for this descriptor, as opposed to one that would wait.
fn knows_no_nowait(failed: &io::Error) -> bool {
    matches!(
        failed.raw_os_error(),
        Some(libc::EOPNOTSUPP | libc::ENOSYS | libc::EINVAL)
    )
}

/// Reads from what is no socket. `real` is the call itself.
///
/// # Safety
/// As for `preadv`.
unsafe fn read_file(
    fd: c_int,
    vectors: &[iovec],
    offset: off_t,
    real: impl Fn() -> ssize_t + Copy,
) -> io::Result<usize> {
    let nowait = || {
        // SAFETY: as the caller promises.
        counted(unsafe {
            libc::preadv2(
                fd,
                vectors.as_ptr(),
                vectors.len() as c_int,
                offset,
                libc::RWF_NOWAIT,
            )
        })
    };
    let first = nowait();
    match &first {
        Ok(count) => {
            hooking::safepoint();
            // SAFETY: these are vectors.
            let whole = unsafe { total(vectors.as_ptr(), vectors.len()) };
            // Only what is no file may stop short: see below.
            if *count == 0 || *count >= whole || kind(fd) == Kind::Other {
                return first;
            }
            // SAFETY: as the caller promises, with what is left of the buffers.
            return unsafe { read_rest(fd, vectors, offset, *count) };
        }
        Err(failed) if would_block(&first) || knows_no_nowait(failed) => {}
        Err(_) => return first,
    }
    if kind(fd) == Kind::Disk {
        return crate::offload(move || counted(real()));
    }
    if is_nonblocking(fd) {
        return counted(real());
    }
    if would_block(&first) {
        return block_until(fd, Interest::Read, None, nowait);
    }
    let attempt = || {
        if is_ready(fd, Interest::Read) {
            counted(real())
        } else {
            error(libc::EAGAIN)
        }
    };
    match attempt() {
        result if would_block(&result) => block_until(fd, Interest::Read, None, attempt),
        result => result,
    }
}

/// Some of what was asked for lay in memory. A thread would have got the rest as well, unless the file ends there.
///
/// # Safety
/// As for `read_file`; `count` bytes have been read.
unsafe fn read_rest(
    fd: c_int,
    vectors: &[iovec],
    offset: off_t,
    count: usize,
) -> io::Result<usize> {
    let from = if offset == HERE {
        HERE
    } else {
        offset + count as off_t
    };
    // SAFETY: no pointers but those to the result.
    let at_end = unsafe {
        let position = if offset == HERE {
            libc::lseek(fd, 0, libc::SEEK_CUR)
        } else {
            from
        };
        let mut status = MaybeUninit::<libc::stat>::uninit();
        libc::fstat(fd, status.as_mut_ptr()) == 0 && position >= status.assume_init().st_size
    };
    if at_end {
        return Ok(count);
    }
    // SAFETY: these are vectors.
    let rest = Vectors(unsafe { rest_of(vectors.as_ptr(), vectors.len(), count) });
    let more = crate::offload(move || {
        let rest = rest;
        // SAFETY: as the caller promises.
        counted(unsafe { libc::preadv2(fd, rest.0.as_ptr(), rest.0.len() as c_int, from, 0) })
    });
    Ok(count + more.unwrap_or(0))
}

/// To take to another thread, where the call's arguments may be used for as long as its caller waits.
struct Vectors(Vec<iovec>);

// SAFETY: plain addresses.
unsafe impl Send for Vectors {}

/// Writes to what is no socket.
///
/// # Safety
/// As for `pwritev`.
unsafe fn write_file(
    fd: c_int,
    vectors: &[iovec],
    offset: off_t,
    real: impl Fn() -> ssize_t + Copy,
) -> io::Result<usize> {
    // SAFETY: these are vectors.
    let whole = unsafe { total(vectors.as_ptr(), vectors.len()) };
    let nowait = |sent: usize| {
        // SAFETY: as the caller promises.
        counted(unsafe {
            if sent == 0 {
                libc::pwritev2(
                    fd,
                    vectors.as_ptr(),
                    vectors.len() as c_int,
                    offset,
                    libc::RWF_NOWAIT,
                )
            } else {
                let rest = rest_of(vectors.as_ptr(), vectors.len(), sent);
                libc::pwritev2(
                    fd,
                    rest.as_ptr(),
                    rest.len() as c_int,
                    offset,
                    libc::RWF_NOWAIT,
                )
            }
        })
    };
    let disk = kind(fd) == Kind::Disk;
    if disk {
        // What does not fit into memory at once would have to be undone, or told as short.
        return crate::offload(move || counted(real()));
    }
    let mut sent = 0;
    match nowait(0) {
        Ok(count) if count >= whole => {
            hooking::safepoint();
            return Ok(count);
        }
        Ok(count) => sent = count,
        Err(failed) if knows_no_nowait(&failed) => {
            if is_nonblocking(fd) {
                return counted(real());
            }
            // SAFETY: as the caller promises.
            return unsafe { write_piecewise(fd, vectors, whole) };
        }
        Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
        Err(failed) => return Err(failed),
    }
    if is_nonblocking(fd) {
        return if sent == 0 {
            error(libc::EAGAIN)
        } else {
            Ok(sent)
        };
    }
    while sent < whole {
        match block_until(fd, Interest::Write, None, || nowait(sent)) {
            Ok(count) => sent += count,
            Err(_) if sent != 0 => break,
            Err(failed) => return Err(failed),
        }
    }
    Ok(sent)
}

/// # Safety
/// As for `write_file`.
unsafe fn write_piecewise(fd: c_int, vectors: &[iovec], whole: usize) -> io::Result<usize> {
    let write = real::write.get();
    let mut sent = 0;
    while sent < whole {
        // SAFETY: as the caller promises.
        let Some(next) = (unsafe { rest_of(vectors.as_ptr(), vectors.len(), sent) })
            .into_iter()
            .next()
        else {
            break;
        };
        let attempt = || {
            if is_ready(fd, Interest::Write) {
                // SAFETY: the beginning of what is left.
                counted(unsafe { write(fd, next.iov_base, next.iov_len.min(libc::PIPE_BUF)) })
            } else {
                error(libc::EAGAIN)
            }
        };
        let result = match attempt() {
            result if would_block(&result) => block_until(fd, Interest::Write, None, attempt),
            result => result,
        };
        match result {
            Ok(count) => sent += count,
            Err(_) if sent != 0 => break,
            Err(failed) => return Err(failed),
        }
    }
    Ok(sent)
}
