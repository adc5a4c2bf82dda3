//! The system calls behind the reactor on Linux: epoll, edge-triggered, and an eventfd to wake it.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};

use super::entry::{Entry, Ready};

/// How many events one system call fetches at the most: so few that what a dispatch touches is still in the cache when the coroutine
/// runs. With 1,024 a proxy of as many connections took a tenth more processor time.
const BATCH: usize = 64;

pub(crate) use std::os::fd::{
    AsRawFd as Socket, BorrowedFd as BorrowedDescriptor, RawFd as RawDescriptor,
};

/// Descriptors are reported at each change, and need not be armed.
pub(super) const ONE_SHOT: bool = false;

pub(super) struct Selector {
    epoll: OwnedFd,
    wake: OwnedFd,
    /// The kernel (or an emulator) has no `epoll_pwait2`, so that timeouts are rounded up to milliseconds.
    coarse: AtomicBool,
}

pub(super) struct Events(Vec<epoll::Event>);

// SAFETY: the pointers in events are plain data here.
unsafe impl Send for Events {}

impl Events {
    pub(super) fn new() -> Events {
        Events(Vec::with_capacity(BATCH))
    }

    /// The entry that an event names.
    #[inline]
    pub(super) fn entry(&self, index: usize) -> Option<*const Entry> {
        self.0
            .get(index)
            .map(|event| event.data.ptr().cast_const().cast())
    }

    /// The fetched events; null stands for a wake-up.
    #[inline]
    pub(super) fn iter(&self) -> impl Iterator<Item = (*const Entry, Ready)> {
        self.0.iter().map(|event| {
            (
                event.data.ptr().cast_const().cast::<Entry>(),
                ready(event.flags),
            )
        })
    }
}

#[inline]
fn ready(flags: epoll::EventFlags) -> Ready {
    use epoll::EventFlags as F;
    let failed = F::ERR | F::HUP;
    let mut ready = Ready::NONE;
    if flags.intersects(F::IN | F::RDHUP | F::PRI | failed) {
        ready |= Ready::READ;
    }
    if flags.intersects(F::OUT | failed) {
        ready |= Ready::WRITE;
    }
    if flags.intersects(F::RDHUP | F::PRI | failed) {
        ready |= Ready::UNUSUAL;
    }
    ready
}

impl Selector {
    pub(super) fn new() -> io::Result<Selector> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered: each write is one event, and nobody ever has to read the counter.
        epoll::add(
            &epoll,
            &wake,
            epoll::EventData::new_ptr(ptr::null_mut()),
            epoll::EventFlags::IN | epoll::EventFlags::ET,
        )?;
        Ok(Selector {
            epoll,
            wake,
            coarse: AtomicBool::new(false),
        })
    }

    /// Reports every change of the descriptor from now on, and its present state as the first one.
    pub(super) fn add(&self, descriptor: RawDescriptor, entry: *const Entry) -> io::Result<()> {
        use epoll::EventFlags as F;
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        let data = epoll::EventData::new_ptr(entry.cast_mut().cast());
        Ok(epoll::add(
            &self.epoll,
            descriptor,
            data,
            F::IN | F::OUT | F::RDHUP | F::PRI | F::ET,
        )?)
    }

    /// Nobody calls it: see [`ONE_SHOT`].
    pub(super) fn arm(&self, _: RawDescriptor, _: *const Entry, _: Ready) -> io::Result<()> {
        Ok(())
    }

    /// No later `wait` reports the descriptor.
    pub(super) fn delete(&self, descriptor: RawDescriptor) {
        // SAFETY: the caller's socket is open during the call.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        // It can only fail if somebody closed the descriptor behind our back, and then the kernel has forgotten it.
        let _ = epoll::delete(&self.epoll, descriptor);
    }

    /// Fetches events, waiting for the first until the timeout. Interruption by a signal handler is an error of that kind.
    #[inline]
    pub(super) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.0.clear();
        if !self.coarse.load(Ordering::Relaxed) {
            match self.wait_precisely(events, timeout) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => {
                    self.coarse.store(true, Ordering::Relaxed);
                }
                result => return result,
            }
        }
        let timeout = timeout.map(|timeout| self.timespec(timeout));
        epoll::wait(&self.epoll, spare_capacity(&mut events.0), timeout.as_ref())?;
        Ok(())
    }

    /// The same by `epoll_pwait2`, whose timeouts are in nanoseconds. rustix calls it too, but only in a build that cannot fall back.
    #[inline]
    fn wait_precisely(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        let timeout = timeout.map(|timeout| self.timespec(timeout));
        // SAFETY: the arguments are those of the system call: a buffer with room for BATCH events, a timeout that is null or
        // points to a kernel timespec (two 64-bit words, as rustix's is), and no signal mask.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                events.0.as_mut_ptr(),
                BATCH,
                timeout.as_ref().map_or(ptr::null(), ptr::from_ref),
                ptr::null::<libc::sigset_t>(),
                size_of::<libc::c_ulong>(),
            )
        };
        match usize::try_from(count) {
            Ok(count) => {
                // SAFETY: the kernel has filled in so many events, at most BATCH, which is the capacity.
                unsafe { events.0.set_len(count) };
                Ok(())
            }
            Err(_) => Err(io::Error::last_os_error()),
        }
    }

    fn timespec(&self, timeout: Duration) -> Timespec {
        let mut timeout = timeout;
        if self.coarse.load(Ordering::Relaxed) && !timeout.subsec_nanos().is_multiple_of(1_000_000)
        {
            let up = 1_000_000 - timeout.subsec_nanos() % 1_000_000;
            timeout = timeout.saturating_add(Duration::from_nanos(u64::from(up)));
        }
        // The caller looks at the clock after a wait, so that it does not matter that a wait of many years is cut short; the cap
        // keeps an old kernel's 32-bit count of milliseconds from overflowing.
        let most = if self.coarse.load(Ordering::Relaxed) {
            1 << 20
        } else {
            1 << 40
        };
        Timespec {
            tv_sec: timeout.as_secs().min(most) as i64,
            tv_nsec: i64::from(timeout.subsec_nanos()),
        }
    }

    /// Makes the wait that is under way, or else the next, return.
    pub(super) fn wake(&self) {
        // The counter overflows after 2^64 - 1 writes, so this fails only if the descriptor was closed by force.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.as_fd()
    }
}

/// The descriptor of a socket, as the selector wants it.
#[inline]
pub(super) fn raw<S: Socket>(socket: &S) -> RawDescriptor {
    socket.as_raw_fd()
}
