//! Non-blocking mode for one call, for those that have no flag for it: `accept`, `connect`, `sendfile`.
//!
//! The mode is that of the open socket, which other threads and processes may share. So it is changed for the call only, some microseconds
//! during which the call cannot block, under a lock that keeps our own uses apart. Somebody else's `accept` that begins in that time finds no
//! connection where he would have waited for one; those of this process that come through the hooks try again. Rejected: to leave the
//! mode changed and to tell the program another one. What the program hands on, by `exec`, would be in the wrong mode for good.

use std::os::fd::RawFd;

use crate::spin::Spin;

static STRIPES: [Spin<()>; 64] = [const { Spin::new(()) }; 64];

fn stripe(fd: RawFd) -> &'static Spin<()> {
    &STRIPES[fd as usize % STRIPES.len()]
}

/// Runs `f` while the blocking descriptor is in non-blocking mode.
pub(crate) fn nonblocking<R>(fd: RawFd, f: impl FnOnce() -> R) -> R {
    stripe(fd).with(|()| {
        // SAFETY: no pointers. An error means that there is no such descriptor, and `f` will find that too.
        unsafe {
            let flags = libc::fcntl(fd, libc::F_GETFL);
            libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK);
            let result = f();
            let errno = crate::errno::get();
            libc::fcntl(fd, libc::F_SETFL, flags);
            crate::errno::set(errno);
            result
        }
    })
}

/// Is the descriptor in blocking mode, and was somebody else's just now?
pub(crate) fn is_blocking_after_all(fd: RawFd) -> bool {
    fd >= 0 && stripe(fd).with(|()| !crate::wait::is_nonblocking(fd))
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
