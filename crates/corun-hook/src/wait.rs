//! Waiting for descriptors that belong to the program.
//!
//! # Nothing is remembered of a descriptor
//! What mode a descriptor is in, what its time limits are and what kind of thing it is, the kernel knows, and is asked, once a call has found that
//! it would have to wait. So descriptors that were made before the hooks were installed, by others, by `dup`, by another process or by a
//! library that calls the kernel itself need no attention, and `fcntl`, `ioctl(FIONBIO)`, `setsockopt` and the `dup` family are hooked only so far as they
//! block or close something, or meet what `mode.rs` does. Rejected: a table of shadow flags. Each way to make, copy or change a descriptor that escapes it (and glibc's own stdio
//! escapes every hook) makes it lie.
//!
//! The kernel's own flag `O_NONBLOCK` of a blocking descriptor stays clear, as it is shared with other processes. `MSG_DONTWAIT` and
//! `RWF_NOWAIT` say the same for one call. Only `connect` and `accept` have nothing like it: see `mode.rs`.
//!
//! # Watches
//! A descriptor is in the reactor while somebody waits for it, and no longer. The table says who does, for `close`, which has them give up
//! first: they fail with `EBADF`, the number is free at once, and the peer learns of the close.

use std::collections::BTreeMap;
use std::ffi::{c_int, c_short};
use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use corun::hooking::{self, Interest, Watch};

use crate::errno::{error, would_block};
use crate::mode::is_nonblocking;
use crate::polling;
use crate::spin::{Spin, holds_any};

type Watches = BTreeMap<RawFd, Arc<Watch>>;

static STRIPES: [Spin<Watches>; 64] = [const { Spin::new(BTreeMap::new()) }; 64];

/// How many uses there are, so that `close` costs nothing while nobody waits.
static USES: AtomicUsize = AtomicUsize::new(0);

fn stripe(fd: RawFd) -> &'static Spin<Watches> {
    &STRIPES[fd as usize % STRIPES.len()]
}

/// A use of a descriptor's watch.
struct Use {
    fd: RawFd,
    watch: Option<Arc<Watch>>,
}

impl Use {
    /// # Errors
    /// If the reactor does not take it.
    fn new(fd: RawFd, interest: Interest) -> io::Result<Use> {
        USES.fetch_add(1, Ordering::SeqCst);
        let mut registered = Ok(());
        let watch = stripe(fd).with(|watches| {
            let watch = watches
                .entry(fd)
                .or_insert_with(|| Arc::new(Watch::new(fd)));
            // Under the lock: whoever closes the descriptor finds it registered, or not yet in use.
            registered = watch.register(interest);
            Arc::clone(watch)
        });
        let place = Use {
            fd,
            watch: Some(watch),
        };
        registered.map(|()| place)
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let watch = self.watch.take();
        // All under the lock: whoever waits next registers the descriptor anew, and must not find it registered.
        stripe(self.fd).with(|watches| {
            let is_last = watches.get(&self.fd).is_some_and(|known| {
                watch
                    .as_ref()
                    .is_some_and(|watch| Arc::ptr_eq(known, watch))
                    && Arc::strong_count(known) == 2
            });
            if is_last {
                watches.remove(&self.fd);
            }
            drop(watch);
        });
        USES.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Has all give up who wait for a descriptor that is about to be closed.
pub(crate) fn retire(fd: RawFd) {
    if fd < 0 || USES.load(Ordering::SeqCst) == 0 || holds_any() {
        return;
    }
    stripe(fd).with(|watches| {
        if watches.contains_key(&fd)
            && crate::fork::is_this_process()
            && let Some(watch) = watches.remove(&fd)
        {
            watch.retire();
        }
    });
}

/// As `retire`, for all from `first` to `last`.
pub(crate) fn retire_range(first: u32, last: u32) {
    if USES.load(Ordering::SeqCst) == 0 || holds_any() || !crate::fork::is_this_process() {
        return;
    }
    for stripe in &STRIPES {
        stripe.with(|watches| {
            watches.retain(|&fd, watch| {
                let closes = u32::try_from(fd).is_ok_and(|fd| (first..=last).contains(&fd));
                if closes {
                    watch.retire();
                }
                !closes
            });
        });
    }
}

/// Keeps all from the tables while the process forks.
pub(crate) fn hold() {
    STRIPES.iter().for_each(Spin::hold);
}

/// After a fork. In the child nobody waits: those who did are not there, and their stacks are left alone.
///
/// # Safety
/// After `hold`.
pub(crate) unsafe fn free(in_child: bool) {
    for stripe in &STRIPES {
        // SAFETY: as the caller promises.
        unsafe {
            if in_child {
                USES.store(0, Ordering::Relaxed);
                std::mem::forget(std::mem::take(stripe.held()));
            }
            stripe.free();
        }
    }
}

/// When a time that begins now is over; never, if it is too long to be told.
pub(crate) fn deadline(time: Duration) -> Option<Instant> {
    corun::time::now().checked_add(time)
}

/// What is left of a time limit, rounded up to milliseconds, as `poll` has it.
pub(crate) fn left_in_millis(deadline: Option<Instant>) -> c_int {
    let Some(deadline) = deadline else {
        return -1;
    };
    let left = deadline.saturating_duration_since(corun::time::now());
    let millis = left.as_nanos().div_ceil(1_000_000);
    c_int::try_from(millis).unwrap_or(c_int::MAX)
}

/// Is the descriptor ready for this, or in an error that the call will report?
pub(crate) fn is_ready(fd: RawFd, interest: Interest) -> bool {
    let mut wanted = [libc::pollfd {
        fd,
        events: events(interest),
        revents: 0,
    }];
    let poll = polling::real::poll.get();
    // SAFETY: one entry. An error (of memory) is left to the call that follows.
    unsafe { poll(wanted.as_mut_ptr(), 1, 0) != 0 }
}

fn events(interest: Interest) -> c_short {
    match interest {
        Interest::Read => libc::POLLIN,
        Interest::Write => libc::POLLOUT,
    }
}

/// Runs `operation` whenever the descriptor is ready, until it gives something other than `WouldBlock`. `None`: the time was over first.
///
/// # Errors
/// Those of `operation`; `EBADF` if the descriptor was closed meanwhile.
pub(crate) fn until<T>(
    fd: RawFd,
    interest: Interest,
    deadline: Option<Instant>,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<Option<T>> {
    let watched = match Use::new(fd, interest) {
        Ok(place) => {
            let watch = place.watch.as_ref().expect("until it is dropped");
            watch.wait(interest, deadline, &mut operation)?
        }
        Err(_) => return on_thread(fd, interest, deadline, operation),
    };
    match watched {
        Some(result) => Ok(Some(result)),
        // The worker may have been too busy to look: the deadline alone must not make an operation fail.
        None => match operation() {
            result if would_block(&result) => Ok(None),
            result => result.map(Some),
        },
    }
}

/// The same without the reactor: it has no room, does not know this kind of descriptor, or the program's own sockets of corun are registered there.
fn on_thread<T>(
    fd: RawFd,
    interest: Interest,
    deadline: Option<Instant>,
    mut operation: impl FnMut() -> io::Result<T>,
) -> io::Result<Option<T>> {
    let poll = polling::real::poll.get();
    loop {
        let left = left_in_millis(deadline);
        let ready = hooking::offload(move || {
            let mut wanted = [libc::pollfd {
                fd,
                events: events(interest),
                revents: 0,
            }];
            // SAFETY: one entry.
            unsafe { poll(wanted.as_mut_ptr(), 1, left) }
        })?;
        let result = operation();
        if !would_block(&result) {
            return result.map(Some);
        }
        if ready == 0 && left_in_millis(deadline) == 0 {
            return Ok(None);
        }
    }
}

/// A call that would block the thread, with a form `attempt` that fails with `WouldBlock` instead: as the thread would see it.
///
/// `limit` is the option of sockets (`SO_RCVTIMEO` or `SO_SNDTIMEO`) that limits the time.
pub(crate) fn block<T>(
    fd: RawFd,
    interest: Interest,
    limit: c_int,
    mut attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    let result = attempt();
    if !would_block(&result) {
        hooking::safepoint();
        return result;
    }
    if is_nonblocking(fd) {
        return result;
    }
    block_until(fd, interest, socket_deadline(fd, limit), attempt)
}

/// The same, for one that has just failed with `WouldBlock`, and may wait.
pub(crate) fn block_until<T>(
    fd: RawFd,
    interest: Interest,
    deadline: Option<Instant>,
    attempt: impl FnMut() -> io::Result<T>,
) -> io::Result<T> {
    match until(fd, interest, deadline, attempt)? {
        Some(value) => Ok(value),
        None => error(libc::EAGAIN),
    }
}

/// When a wait on a socket that begins now is over. What is no socket has no limits.
pub(crate) fn socket_deadline(fd: RawFd, limit: c_int) -> Option<Instant> {
    deadline(socket_limit(fd, limit)?)
}

/// How long a wait on a socket may take, by one of its options.
pub(crate) fn socket_limit(fd: RawFd, limit: c_int) -> Option<Duration> {
    let mut time = libc::timeval {
        tv_sec: 0,
        tv_usec: 0,
    };
    let mut length = size_of::<libc::timeval>() as libc::socklen_t;
    // SAFETY: the buffer is as long as it says.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            limit,
            (&raw mut time).cast(),
            &raw mut length,
        )
    };
    let time = Duration::new(
        u64::try_from(time.tv_sec).unwrap_or(0),
        u32::try_from(time.tv_usec).unwrap_or(0) * 1000,
    );
    // Zero is for ever.
    if result != 0 || time.is_zero() {
        return None;
    }
    Some(time)
}
