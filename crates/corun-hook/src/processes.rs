//! Waiting for child processes.
//!
//! A child that is named is waited for by a descriptor of its own (`pidfd_open`), without a thread. Any child, a group, or a child that stops or goes on
//! has none: that is waited for on a thread of the blocking pool. To the system the children are the process's, not the thread's.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use corun::hooking::Interest;
use libc::{WNOHANG, id_t, idtype_t, pid_t, rusage, siginfo_t};

use crate::errno::{Errno, error, numbered};
use crate::symbol::hooks;
use crate::wait::until;

hooks! {
    fn waitpid(child: pid_t, status: *mut c_int, options: c_int) -> pid_t |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(wait_for(child, options, move |options| unsafe { real(child, status, options) }))
    }

    fn wait4(child: pid_t, status: *mut c_int, options: c_int, usage: *mut rusage) -> pid_t |real| {
        let errno = Errno::save();
        // SAFETY: as above.
        errno.number(wait_for(child, options, move |options| unsafe { real(child, status, options, usage) }))
    }

    fn wait(status: *mut c_int) -> pid_t |_real| {
        // SAFETY: the same call.
        unsafe { waitpid(-1, status, 0) }
    }

    fn waitid(kind: idtype_t, id: id_t, info: *mut siginfo_t, options: c_int) -> c_int |real| {
        let errno = Errno::save();
        if options & WNOHANG != 0 {
            // SAFETY: as for the call itself.
            return unsafe { real(kind, id, info, options) };
        }
        let exits = options & (libc::WSTOPPED | libc::WCONTINUED) == 0;
        let pollable = match kind {
            libc::P_PID if exits => open(id as pid_t).ok().map(Handle::Own),
            libc::P_PIDFD if exits => Some(Handle::Callers(id as c_int)),
            _ => None,
        };
        let Some(handle) = pollable else {
            // SAFETY: as above.
            return errno.number(crate::offload(move || numbered(unsafe { real(kind, id, info, options) })));
        };
        let result = until_exit(handle, || {
            let mut exited: siginfo_t = blank();
            // SAFETY: as above; it is left to be waited for again.
            numbered(unsafe { real(kind, id, &raw mut exited, options | WNOHANG | libc::WNOWAIT) })?;
            // SAFETY: of a child, or zero.
            if unsafe { exited.si_pid() } == 0 {
                return error(libc::EAGAIN);
            }
            // SAFETY: as above. Somebody else may have been quicker, and then this says so.
            numbered(unsafe { real(kind, id, info, options | WNOHANG) })
        });
        errno.number(result)
    }
}

enum Handle {
    Own(OwnedFd),
    /// The caller's own descriptor.
    Callers(c_int),
}

impl Handle {
    fn number(&self) -> c_int {
        match self {
            Handle::Own(fd) => fd.as_raw_fd(),
            Handle::Callers(fd) => *fd,
        }
    }
}

fn blank() -> siginfo_t {
    // SAFETY: a plain structure of numbers.
    unsafe { std::mem::zeroed() }
}

fn open(child: pid_t) -> io::Result<OwnedFd> {
    // SAFETY: no pointers; a new descriptor, which nobody else has.
    unsafe {
        let fd = numbered(libc::syscall(libc::SYS_pidfd_open, child, 0) as c_int)?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// `call` is given the options.
fn wait_for(
    child: pid_t,
    options: c_int,
    call: impl Fn(c_int) -> pid_t + Copy,
) -> io::Result<pid_t> {
    if options & WNOHANG != 0 {
        return numbered(call(options));
    }
    let attempt = || match numbered(call(options | WNOHANG)) {
        Ok(0) => error(libc::EAGAIN),
        result => result,
    };
    match attempt() {
        Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
        result => return result,
    }
    if child > 0
        && options & (libc::WUNTRACED | libc::WCONTINUED) == 0
        && let Ok(fd) = open(child)
    {
        return until_exit(Handle::Own(fd), attempt);
    }
    crate::offload(move || numbered(call(options)))
}

fn until_exit(handle: Handle, attempt: impl FnMut() -> io::Result<c_int>) -> io::Result<c_int> {
    let ended = until(handle.number(), Interest::Read, None, attempt);
    corun::hooking::own(|| drop(handle));
    ended.map(|ended| ended.unwrap_or(-1))
}
