//! Waiting for one of several descriptors: `poll`, `select`, `epoll_wait` and their like.
//!
//! All are tried without waiting first, and again after each event, so that what is reported is always the kernel's own answer. One
//! descriptor in one direction is waited for as `read` would, and so is an epoll instance, which is readable when it has something to tell. Several
//! are put into an epoll instance for the time of the call. A signal mask can be exchanged for a whole thread only, so calls that bring one are made on
//! a thread of the blocking pool, where they are interrupted as ever.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_short};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Instant;

use corun::hooking::{self, Interest};
use libc::{epoll_event, fd_set, nfds_t, pollfd, sigset_t, timespec, timeval};

use crate::errno::{Errno, error, numbered};
use crate::sleeping;
use crate::sockets::duration;
use crate::symbol::hooks;
use crate::wait::{deadline, left_in_millis, until};

hooks! {
    fn poll(fds: *mut pollfd, count: nfds_t, timeout: c_int) -> c_int |_real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe { poll_until(fds, count, || Ok(from_millis(timeout))) })
    }

    fn ppoll(fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe {
            if mask.is_null() {
                poll_until(fds, count, || from_timespec(timeout))
            } else {
                crate::offload(move || numbered(real(fds, count, timeout, mask)))
            }
        })
    }

    fn select(count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *mut timeval) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe {
            let limit = match timeout.as_ref() {
                None => Ok(Limit::Never),
                Some(time) => from_timespec(&timespec {
                    tv_sec: time.tv_sec,
                    tv_nsec: time.tv_usec * 1000,
                }),
            };
            limit.and_then(|limit| {
                let result = select_until(count, [read, write, except], limit, |sets| {
                    let mut now = timeval { tv_sec: 0, tv_usec: 0 };
                    real(count, sets[0], sets[1], sets[2], &raw mut now)
                });
                // Linux tells what is left of the time.
                if let (Limit::At(end), Some(time)) = (limit, timeout.as_mut()) {
                    let left = end.saturating_duration_since(corun::time::now());
                    time.tv_sec = left.as_secs() as _;
                    time.tv_usec = left.subsec_micros().into();
                }
                result
            })
        })
    }

    fn pselect(
        count: c_int, read: *mut fd_set, write: *mut fd_set, except: *mut fd_set, timeout: *const timespec, mask: *const sigset_t,
    ) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(unsafe {
            if mask.is_null() {
                from_timespec(timeout).and_then(|limit| {
                    select_until(count, [read, write, except], limit, |sets| {
                        let now = timespec { tv_sec: 0, tv_nsec: 0 };
                        real(count, sets[0], sets[1], sets[2], &raw const now, ptr::null())
                    })
                })
            } else {
                crate::offload(move || numbered(real(count, read, write, except, timeout, mask)))
            }
        })
    }

    fn epoll_wait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout: c_int) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        errno.number(epoll_until(epoll, || Ok(from_millis(timeout)), || unsafe {
            real(epoll, events, count, 0)
        }))
    }

    fn epoll_pwait(epoll: c_int, events: *mut epoll_event, count: c_int, timeout: c_int, mask: *const sigset_t) -> c_int |real| {
        let errno = Errno::save();
        errno.number(if mask.is_null() {
            // SAFETY: as for the call itself.
            epoll_until(epoll, || Ok(from_millis(timeout)), || unsafe {
                real(epoll, events, count, 0, mask)
            })
        } else {
            // SAFETY: as above.
            crate::offload(move || numbered(unsafe { real(epoll, events, count, timeout, mask) }))
        })
    }

    fn epoll_pwait2(
        epoll: c_int, events: *mut epoll_event, count: c_int, timeout: *const timespec, mask: *const sigset_t,
    ) -> c_int |real| {
        let errno = Errno::save();
        errno.number(if mask.is_null() {
            let now = timespec { tv_sec: 0, tv_nsec: 0 };
            // SAFETY: as for the call itself.
            epoll_until(epoll, || unsafe { from_timespec(timeout) }, || unsafe {
                real(epoll, events, count, &raw const now, mask)
            })
        } else {
            // SAFETY: as above.
            crate::offload(move || numbered(unsafe { real(epoll, events, count, timeout, mask) }))
        })
    }

    fn __poll_chk(fds: *mut pollfd, count: nfds_t, timeout: c_int, room: libc::size_t) -> c_int |real| {
        // SAFETY: as for the call itself; the real one ends the program if there is less room.
        unsafe {
            if (room / size_of::<pollfd>()) < count as usize {
                real(fds, count, timeout, room)
            } else {
                poll(fds, count, timeout)
            }
        }
    }

    fn __ppoll_chk(
        fds: *mut pollfd, count: nfds_t, timeout: *const timespec, mask: *const sigset_t, room: libc::size_t,
    ) -> c_int |real| {
        // SAFETY: as above.
        unsafe {
            if (room / size_of::<pollfd>()) < count as usize {
                real(fds, count, timeout, mask, room)
            } else {
                ppoll(fds, count, timeout, mask)
            }
        }
    }
}

/// When a call returns if nothing happens.
#[derive(Clone, Copy)]
enum Limit {
    AtOnce,
    At(Instant),
    Never,
}

impl Limit {
    fn deadline(self) -> Option<Instant> {
        match self {
            Limit::AtOnce => Some(corun::time::now()),
            Limit::At(deadline) => Some(deadline),
            Limit::Never => None,
        }
    }
}

fn from_millis(millis: c_int) -> Limit {
    match u64::try_from(millis) {
        Err(_) => Limit::Never,
        Ok(0) => Limit::AtOnce,
        Ok(millis) => {
            deadline(std::time::Duration::from_millis(millis)).map_or(Limit::Never, Limit::At)
        }
    }
}

/// # Safety
/// Null or a time.
unsafe fn from_timespec(time: *const timespec) -> io::Result<Limit> {
    // SAFETY: as the caller promises.
    let Some(time) = (unsafe { time.as_ref() }) else {
        return Ok(Limit::Never);
    };
    let time = duration(time)?;
    if time.is_zero() {
        return Ok(Limit::AtOnce);
    }
    Ok(deadline(time).map_or(Limit::Never, Limit::At))
}

/// A count that is zero means that nothing has happened yet.
fn some(result: c_int) -> io::Result<c_int> {
    match numbered(result) {
        Ok(0) => error(libc::EAGAIN),
        result => result,
    }
}

/// # Safety
/// As for `poll`.
unsafe fn poll_until(
    fds: *mut pollfd,
    count: nfds_t,
    limit: impl Fn() -> io::Result<Limit>,
) -> io::Result<c_int> {
    let real = real::poll.get();
    // SAFETY: as the caller promises, here and below.
    let mut attempt = move || some(unsafe { real(fds, count, 0) });
    let limit = match attempt() {
        Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => limit()?,
        result => {
            hooking::safepoint();
            return result;
        }
    };
    if matches!(limit, Limit::AtOnce) {
        hooking::safepoint();
        return Ok(0);
    }
    let mut wanted = BTreeMap::<c_int, c_short>::new();
    for index in 0..count as usize {
        // SAFETY: as above.
        let pollfd { fd, events, .. } = unsafe { *fds.add(index) };
        if fd >= 0 {
            *wanted.entry(fd).or_default() |= events;
        }
    }
    wait_for_any(&wanted, limit.deadline(), &mut attempt)
}

/// Runs `attempt` whenever one of the descriptors may be ready, until it has something to tell. No descriptor at all is a way to sleep.
fn wait_for_any(
    wanted: &BTreeMap<c_int, c_short>,
    limit: Option<Instant>,
    attempt: &mut dyn FnMut() -> io::Result<c_int>,
) -> io::Result<c_int> {
    const WRITES: c_short = libc::POLLOUT | libc::POLLWRNORM | libc::POLLWRBAND;
    let mut each = wanted.iter();
    let told = match (each.next(), each.next()) {
        (None, _) => {
            sleeping::until(limit);
            return Ok(0);
        }
        (Some((&fd, &events)), None) if events & WRITES == 0 => {
            until(fd, Interest::Read, limit, attempt)?
        }
        (Some((&fd, &events)), None) if events & !WRITES == 0 => {
            until(fd, Interest::Write, limit, attempt)?
        }
        _ => match gather(wanted) {
            Ok(all) => {
                let told = until(all.as_raw_fd(), Interest::Read, limit, attempt);
                close(all);
                told?
            }
            Err(_) => return on_thread(wanted, limit, attempt),
        },
    };
    Ok(told.unwrap_or(0))
}

/// An epoll instance with all of them.
fn gather(wanted: &BTreeMap<c_int, c_short>) -> io::Result<OwnedFd> {
    // SAFETY: a new descriptor, which nobody else has.
    let all = unsafe { OwnedFd::from_raw_fd(numbered(libc::epoll_create1(libc::EPOLL_CLOEXEC))?) };
    for (&fd, &events) in wanted {
        // The flags have the same values in both.
        let mut event = epoll_event {
            events: events as u16 as u32,
            u64: 0,
        };
        // SAFETY: the event is read.
        let added = numbered(unsafe {
            libc::epoll_ctl(all.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &raw mut event)
        });
        match added {
            // A file: it is always ready for what it is ever ready for, and then we are not here.
            Err(failed) if failed.raw_os_error() == Some(libc::EPERM) => {}
            Err(failed) => {
                close(all);
                return Err(failed);
            }
            Ok(_) => {}
        }
    }
    Ok(all)
}

/// Nobody waits for it any more, so that no hook need look.
fn close(all: OwnedFd) {
    hooking::own(|| drop(all));
}

/// There is no descriptor left for an epoll instance.
fn on_thread(
    wanted: &BTreeMap<c_int, c_short>,
    limit: Option<Instant>,
    attempt: &mut dyn FnMut() -> io::Result<c_int>,
) -> io::Result<c_int> {
    let real = real::poll.get();
    let mut all: Vec<_> = wanted
        .iter()
        .map(|(&fd, &events)| pollfd {
            fd,
            events,
            revents: 0,
        })
        .collect();
    loop {
        let left = left_in_millis(limit);
        // SAFETY: as many as there are.
        let ready =
            hooking::offload(|| unsafe { real(all.as_mut_ptr(), all.len() as nfds_t, left) })?;
        match attempt() {
            Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
            result => return result,
        }
        if ready == 0 && left_in_millis(limit) == 0 {
            return Ok(0);
        }
    }
}

/// # Safety
/// As for `select`; `real` is that, without waiting.
unsafe fn select_until(
    count: c_int,
    sets: [*mut fd_set; 3],
    limit: Limit,
    real: impl Fn([*mut fd_set; 3]) -> c_int,
) -> io::Result<c_int> {
    const EVENTS: [c_short; 3] = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];
    // A set is as large as its highest descriptor, which may be smaller or larger than the type.
    let words = usize::try_from(count).unwrap_or(0).div_ceil(64);
    let mut asked: [Vec<u64>; 3] = [const { Vec::new() }; 3];
    let mut wanted = BTreeMap::<c_int, c_short>::new();
    for (index, &set) in sets.iter().enumerate() {
        if set.is_null() {
            continue;
        }
        // SAFETY: as the caller promises: `count` bits, in whole words.
        asked[index] = unsafe { std::slice::from_raw_parts(set.cast::<u64>(), words) }.to_vec();
        for fd in 0..count {
            if asked[index][fd as usize / 64] >> (fd % 64) & 1 != 0 {
                *wanted.entry(fd).or_default() |= EVENTS[index];
            }
        }
    }
    let mut attempt = || {
        for (set, asked) in sets.iter().zip(&asked) {
            if !set.is_null() {
                // SAFETY: as above.
                unsafe { ptr::copy_nonoverlapping(asked.as_ptr(), set.cast::<u64>(), words) };
            }
        }
        some(real(sets))
    };
    match attempt() {
        Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
        result => {
            hooking::safepoint();
            return result;
        }
    }
    if matches!(limit, Limit::AtOnce) {
        hooking::safepoint();
        return Ok(0);
    }
    wait_for_any(&wanted, limit.deadline(), &mut attempt)
}

fn epoll_until(
    epoll: c_int,
    limit: impl Fn() -> io::Result<Limit>,
    real: impl Fn() -> c_int,
) -> io::Result<c_int> {
    match some(real()) {
        Err(failed) if failed.kind() == io::ErrorKind::WouldBlock => {}
        result => {
            hooking::safepoint();
            return result;
        }
    }
    let limit = limit()?;
    if matches!(limit, Limit::AtOnce) {
        hooking::safepoint();
        return Ok(0);
    }
    let told = until(epoll, Interest::Read, limit.deadline(), || some(real()))?;
    Ok(told.unwrap_or(0))
}
