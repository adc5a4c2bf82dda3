//! Sockets: connecting, accepting, receiving and sending.
//!
//! Each call is tried first, in the form that does not wait. `send` in blocking mode goes on until all is sent, or its time is over, or an error
//! comes, and then tells of what was sent, if anything was. `recv` does so only with `MSG_WAITALL`.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem;
use std::ptr;
use std::time::{Duration, Instant};

use corun::hooking::{self, Interest};
use libc::{
    MSG_DONTWAIT, SO_RCVTIMEO, SO_SNDTIMEO, iovec, msghdr, size_t, sockaddr, socklen_t, ssize_t,
    timespec,
};

use crate::errno::{Errno, counted, error, numbered, would_block};
use crate::mode::{self, is_nonblocking};
use crate::symbol::hooks;
use crate::wait::{self, block, block_until, deadline, is_ready, socket_deadline, until};

hooks! {
    fn connect(fd: c_int, address: *const sockaddr, length: socklen_t) -> c_int |real, parks| {
        // SAFETY: as for the call itself, here and below.
        let call = || unsafe { real(fd, address, length) };
        if !parks {
            return on_thread(fd, SO_SNDTIMEO, &[libc::EINPROGRESS, libc::EALREADY, libc::EAGAIN], call);
        }
        let errno = Errno::save();
        // To connect datagrams is to note an address: that waits for nothing.
        if is_nonblocking(fd) || socket_type(fd) == libc::SOCK_DGRAM {
            return call();
        }
        let begun = mode::nonblocking(fd, || numbered(call()));
        errno.number(match begun {
            // By this call, or by another one that a thread would wait for, too.
            Err(failed) if matches!(failed.raw_os_error(), Some(libc::EINPROGRESS | libc::EALREADY)) => finish_connect(fd),
            // A local socket whose listener has no room: nothing tells when it has.
            Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {
                // SAFETY: as above.
                crate::offload(move || numbered(unsafe { real(fd, address, length) }))
            }
            result => result,
        })
    }

    fn accept(fd: c_int, address: *mut sockaddr, length: *mut socklen_t) -> c_int |real, parks| {
        // SAFETY: as for the call itself.
        accept_any(parks, fd, || unsafe { real(fd, address, length) })
    }

    fn accept4(fd: c_int, address: *mut sockaddr, length: *mut socklen_t, flags: c_int) -> c_int |real, parks| {
        // SAFETY: as for the call itself.
        accept_any(parks, fd, || unsafe { real(fd, address, length, flags) })
    }

    fn recv(fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself; the part of the buffer from `from` on.
        errno.count(receive(fd, size, flags, |from, flags| unsafe {
            real(fd, buffer.byte_add(from), size - from, flags)
        }))
    }

    fn recvfrom(
        fd: c_int, buffer: *mut c_void, size: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t,
    ) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as above.
        errno.count(receive(fd, size, flags, |from, flags| unsafe {
            real(fd, buffer.byte_add(from), size - from, flags, address, length)
        }))
    }

    fn recvmsg(fd: c_int, message: *mut msghdr, flags: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.count(unsafe { receive_message(fd, message, flags, real) })
    }

    fn recvmmsg(
        fd: c_int, messages: *mut libc::mmsghdr, count: libc::c_uint, flags: c_int, timeout: *mut timespec,
    ) -> c_int |_real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe { receive_messages(fd, messages, count, flags, timeout) })
    }

    fn send(fd: c_int, buffer: *const c_void, size: size_t, flags: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself; the part of the buffer from `from` on.
        errno.count(transmit(fd, size, flags, |from, flags| unsafe {
            real(fd, buffer.byte_add(from), size - from, flags)
        }))
    }

    fn sendto(
        fd: c_int, buffer: *const c_void, size: size_t, flags: c_int, address: *const sockaddr, length: socklen_t,
    ) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as above.
        errno.count(transmit(fd, size, flags, |from, flags| unsafe {
            real(fd, buffer.byte_add(from), size - from, flags, address, length)
        }))
    }

    fn sendmsg(fd: c_int, message: *const msghdr, flags: c_int) -> ssize_t |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.count(unsafe { send_message(fd, message, flags, real) })
    }

    fn sendmmsg(fd: c_int, messages: *mut libc::mmsghdr, count: libc::c_uint, flags: c_int) -> c_int |_real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe { send_messages(fd, messages, count, flags) })
    }

    fn __recv_chk(fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int) -> ssize_t |real| {
        // SAFETY: as for the call itself; the real one ends the program if the buffer is too small.
        unsafe {
            if size > room { real(fd, buffer, size, room, flags) } else { recv(fd, buffer, size, flags) }
        }
    }

    fn __recvfrom_chk(
        fd: c_int, buffer: *mut c_void, size: size_t, room: size_t, flags: c_int, address: *mut sockaddr, length: *mut socklen_t,
    ) -> ssize_t |real| {
        // SAFETY: as above.
        unsafe {
            if size > room {
                real(fd, buffer, size, room, flags, address, length)
            } else {
                recvfrom(fd, buffer, size, flags, address, length)
            }
        }
    }
}

/// Waits until the connection is made or refused.
fn finish_connect(fd: c_int) -> io::Result<c_int> {
    let limit = socket_deadline(fd, SO_SNDTIMEO);
    let connected = until(fd, Interest::Write, limit, || {
        if !is_ready(fd, Interest::Write) {
            return error(libc::EAGAIN);
        }
        let mut code: c_int = 0;
        let mut length = size_of::<c_int>() as socklen_t;
        // SAFETY: the buffer is as long as it says.
        numbered(unsafe {
            libc::getsockopt(
                fd,
                libc::SOL_SOCKET,
                libc::SO_ERROR,
                (&raw mut code).cast(),
                &raw mut length,
            )
        })?;
        if code != 0 {
            return error(code);
        }
        Ok(0)
    })?;
    // A thread whose time is over is told that the connection is still being made.
    connected.map_or_else(|| error(libc::EINPROGRESS), Ok)
}

/// A call of a plain thread, which fails by one of these numbers if it would block. See `mode.rs`.
fn on_thread(fd: c_int, limit: c_int, blocked: &[c_int], real: impl Fn() -> c_int) -> c_int {
    if !crate::is_installed() {
        return real();
    }
    let start = Instant::now();
    loop {
        let result = real();
        let code = crate::errno::get();
        if result >= 0 || !blocked.contains(&code) || !mode::was_disturbed(fd, limit, start) {
            if result < 0 {
                crate::errno::set(code);
            }
            return result;
        }
    }
}

/// `real` accepts on the descriptor.
fn accept_any(parks: bool, fd: c_int, real: impl Fn() -> c_int) -> c_int {
    let errno = Errno::save();
    if !parks {
        let accepted = on_thread(fd, SO_RCVTIMEO, &[libc::EAGAIN], real);
        return if accepted < 0 {
            accepted
        } else {
            errno.number(Ok(accepted))
        };
    }
    if is_nonblocking(fd) {
        return real();
    }
    errno.number(block(fd, Interest::Read, SO_RCVTIMEO, || {
        if !is_ready(fd, Interest::Read) {
            return error(libc::EAGAIN);
        }
        mode::nonblocking(fd, || numbered(real()))
    }))
}

/// `attempt` is given how much of the buffer is full, and the flags.
pub(crate) fn receive(
    fd: c_int,
    size: size_t,
    flags: c_int,
    mut attempt: impl FnMut(size_t, c_int) -> ssize_t,
) -> io::Result<usize> {
    if flags & (MSG_DONTWAIT | libc::MSG_ERRQUEUE) != 0 {
        return counted(attempt(0, flags));
    }
    let now = flags | MSG_DONTWAIT;
    if flags & libc::MSG_WAITALL == 0 {
        return block(fd, Interest::Read, SO_RCVTIMEO, || counted(attempt(0, now)));
    }
    receive_all(fd, size, flags, |from| counted(attempt(from, now)))
}

/// `MSG_WAITALL`: until the buffer is full, and if something comes in between, what has come before. A datagram is always all.
fn receive_all(
    fd: c_int,
    size: size_t,
    flags: c_int,
    mut attempt: impl FnMut(usize) -> io::Result<usize>,
) -> io::Result<usize> {
    let nonblocking = is_nonblocking(fd);
    let stream = socket_type(fd) == libc::SOCK_STREAM;
    let limit = socket_deadline(fd, SO_RCVTIMEO);
    let mut full = 0;
    loop {
        let result = match attempt(full) {
            Err(failed) if failed.kind() == io::ErrorKind::WouldBlock && !nonblocking => {
                block_until(fd, Interest::Read, limit, || attempt(full))
            }
            result => result,
        };
        match result {
            Ok(0) => return Ok(full),
            // What is only looked at cannot be looked at from some place on.
            Ok(count) if !stream || nonblocking || flags & libc::MSG_PEEK != 0 => {
                return Ok(full + count);
            }
            Ok(count) if full + count >= size => return Ok(size),
            Ok(count) => full += count,
            Err(_) if full != 0 => return Ok(full),
            Err(failed) => return Err(failed),
        }
    }
}

/// `attempt` is given how much has been sent, and the flags.
pub(crate) fn transmit(
    fd: c_int,
    size: size_t,
    flags: c_int,
    mut attempt: impl FnMut(size_t, c_int) -> ssize_t,
) -> io::Result<usize> {
    if flags & MSG_DONTWAIT != 0 {
        return counted(attempt(0, flags));
    }
    let first = counted(attempt(0, flags | MSG_DONTWAIT));
    match first {
        Ok(count) if count >= size => {
            hooking::safepoint();
            return first;
        }
        Ok(_) => {}
        Err(ref failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
        Err(_) => return first,
    }
    if is_nonblocking(fd) {
        return first;
    }
    let limit = socket_deadline(fd, SO_SNDTIMEO);
    let mut sent = first.unwrap_or(0);
    while sent < size {
        // Who has sent something is told of that, and of the broken connection by the next call, without a signal now.
        let flags = flags | MSG_DONTWAIT | if sent == 0 { 0 } else { libc::MSG_NOSIGNAL };
        match block_until(fd, Interest::Write, limit, || counted(attempt(sent, flags))) {
            Ok(count) => sent += count,
            Err(_) if sent != 0 => break,
            Err(failed) => return Err(failed),
        }
    }
    Ok(sent)
}

pub(crate) fn socket_type(fd: c_int) -> c_int {
    let mut kind: c_int = 0;
    let mut length = size_of::<c_int>() as socklen_t;
    // SAFETY: the buffer is as long as it says. It stays 0 for what is no socket.
    unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut length,
        )
    };
    kind
}

/// The vectors without the first `skip` bytes.
///
/// # Safety
/// `count` vectors at `vectors`.
pub(crate) unsafe fn rest_of(vectors: *const iovec, count: usize, mut skip: usize) -> Vec<iovec> {
    let mut rest = Vec::with_capacity(count);
    for index in 0..count {
        // SAFETY: as the caller promises; what is added lies within the vector.
        let vector = unsafe { *vectors.add(index) };
        let skipped = skip.min(vector.iov_len);
        skip -= skipped;
        if vector.iov_len > skipped {
            rest.push(iovec {
                // SAFETY: as above.
                iov_base: unsafe { vector.iov_base.byte_add(skipped) },
                iov_len: vector.iov_len - skipped,
            });
        }
    }
    rest
}

/// How many bytes the vectors hold.
///
/// # Safety
/// `count` vectors at `vectors`.
pub(crate) unsafe fn total(vectors: *const iovec, count: usize) -> usize {
    (0..count)
        // SAFETY: as the caller promises.
        .map(|index| unsafe { (*vectors.add(index)).iov_len })
        .fold(0, usize::saturating_add)
}

/// # Safety
/// As for `recvmsg`.
pub(crate) unsafe fn receive_message(
    fd: c_int,
    message: *mut msghdr,
    flags: c_int,
    real: unsafe extern "C" fn(c_int, *mut msghdr, c_int) -> ssize_t,
) -> io::Result<usize> {
    // SAFETY: as the caller promises, here and below. The fields that the kernel writes to are put back before each attempt.
    unsafe {
        let before = *message;
        let (vectors, count) = (before.msg_iov, before.msg_iovlen);
        let whole = total(vectors, count);
        receive(fd, whole, flags, |from, flags| {
            if from == 0 {
                *message = before;
                return real(fd, message, flags);
            }
            // What comes after the first part is data alone.
            let mut rest = rest_of(vectors, count, from);
            let mut more: msghdr = mem::zeroed();
            more.msg_iov = rest.as_mut_ptr();
            more.msg_iovlen = rest.len() as _;
            real(fd, &raw mut more, flags)
        })
    }
}

/// # Safety
/// As for `sendmsg`.
pub(crate) unsafe fn send_message(
    fd: c_int,
    message: *const msghdr,
    flags: c_int,
    real: unsafe extern "C" fn(c_int, *const msghdr, c_int) -> ssize_t,
) -> io::Result<usize> {
    // SAFETY: as the caller promises, here and below.
    unsafe {
        let whole = *message;
        let (vectors, count) = (whole.msg_iov, whole.msg_iovlen);
        transmit(fd, total(vectors, count), flags, |from, flags| {
            if from == 0 {
                return real(fd, message, flags);
            }
            // Descriptors and the like went with the first byte.
            let mut rest = rest_of(vectors, count, from);
            let mut more = msghdr {
                msg_iov: rest.as_mut_ptr(),
                msg_iovlen: rest.len() as _,
                msg_control: ptr::null_mut(),
                msg_controllen: 0,
                ..whole
            };
            real(fd, &raw mut more, flags)
        })
    }
}

/// # Safety
/// As for `recvmmsg`.
unsafe fn receive_messages(
    fd: c_int,
    messages: *mut libc::mmsghdr,
    count: libc::c_uint,
    flags: c_int,
    timeout: *const timespec,
) -> io::Result<c_int> {
    // SAFETY: as the caller promises, here and below.
    let limit = match unsafe { timeout.as_ref() } {
        None => None,
        Some(time) => deadline(duration(time)?),
    };
    let one = real::recvmsg.get();
    for index in 0..count {
        // Once there is one, the rest may be asked for only as far as it is there.
        let only_now = flags & MSG_DONTWAIT != 0 || index > 0 && flags & libc::MSG_WAITFORONE != 0;
        let flags = flags & !libc::MSG_WAITFORONE;
        // SAFETY: as above.
        let result = unsafe {
            let message = &raw mut (*messages.add(index as usize)).msg_hdr;
            if only_now {
                receive_message(fd, message, flags | MSG_DONTWAIT, one)
            } else if limit.is_some() {
                let before = *message;
                let attempt = || {
                    *message = before;
                    counted(one(fd, message, flags | MSG_DONTWAIT))
                };
                match attempt() {
                    result if would_block(&result) && !is_nonblocking(fd) => {
                        block_until(fd, Interest::Read, limit, attempt)
                    }
                    result => result,
                }
            } else {
                receive_message(fd, message, flags, one)
            }
        };
        match result {
            // SAFETY: as above.
            Ok(size) => unsafe { (*messages.add(index as usize)).msg_len = size as libc::c_uint },
            Err(failed) if index == 0 => return Err(failed),
            Err(_) => return Ok(index as c_int),
        }
    }
    Ok(count as c_int)
}

/// # Safety
/// As for `sendmmsg`.
unsafe fn send_messages(
    fd: c_int,
    messages: *mut libc::mmsghdr,
    count: libc::c_uint,
    flags: c_int,
) -> io::Result<c_int> {
    let one = real::sendmsg.get();
    for index in 0..count {
        // SAFETY: as the caller promises.
        let result = unsafe {
            let message = messages.add(index as usize);
            let result = send_message(fd, &raw const (*message).msg_hdr, flags, one);
            result.map(|size| (*message).msg_len = size as libc::c_uint)
        };
        match result {
            Ok(()) => {}
            Err(failed) if index == 0 => return Err(failed),
            Err(_) => return Ok(index as c_int),
        }
    }
    Ok(count as c_int)
}

/// A time as the C library has it.
///
/// # Errors
/// `EINVAL` for one that is none.
pub(crate) fn duration(time: &timespec) -> io::Result<Duration> {
    match (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => error(libc::EINVAL),
    }
}

/// A socket that is shut down wakes its waiters by itself; one that is closed does not.
pub(crate) fn retire(fd: c_int) {
    if crate::is_installed() {
        wait::retire(fd);
    }
}

/// `readv` on a socket.
///
/// # Safety
/// As for `readv`.
pub(crate) unsafe fn receive_vectors(
    fd: c_int,
    vectors: *const iovec,
    count: usize,
) -> io::Result<usize> {
    // SAFETY: a message of vectors alone.
    unsafe {
        let mut message: msghdr = mem::zeroed();
        message.msg_iov = vectors.cast_mut();
        message.msg_iovlen = count as _;
        receive_message(fd, &raw mut message, 0, real::recvmsg.get())
    }
}

/// `writev` on a socket.
///
/// # Safety
/// As for `writev`.
pub(crate) unsafe fn send_vectors(
    fd: c_int,
    vectors: *const iovec,
    count: usize,
) -> io::Result<usize> {
    // SAFETY: as above.
    unsafe {
        let mut message: msghdr = mem::zeroed();
        message.msg_iov = vectors.cast_mut();
        message.msg_iovlen = count as _;
        send_message(fd, &raw const message, 0, real::sendmsg.get())
    }
}
