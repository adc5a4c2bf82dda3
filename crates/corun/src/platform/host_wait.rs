//! One descriptor for a host loop to wait on, which stands for a reactor and its worker's earliest timer.
//!
//! On Linux it is an epoll instance that holds the reactor's own and a timerfd. Elsewhere it is the reactor's descriptor alone, and the
//! host has to mind `LocalRuntime::next_deadline`. On Windows there is none.

use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::time::Instant;

use crate::reactor::Reactor;

#[cfg(target_os = "linux")]
pub(crate) struct HostWait {
    both: rustix::fd::OwnedFd,
    timer: rustix::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl HostWait {
    pub(crate) fn new(reactor: &Reactor) -> io::Result<HostWait> {
        use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};

        let both = epoll::create(CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK,
        )?;
        epoll::add(
            &both,
            reactor.as_fd(),
            EventData::new_u64(0),
            EventFlags::IN,
        )?;
        epoll::add(&both, &timer, EventData::new_u64(1), EventFlags::IN)?;
        Ok(HostWait { both, timer })
    }

    pub(crate) fn as_fd<'a>(&'a self, _: &'a Reactor) -> BorrowedFd<'a> {
        std::os::fd::AsFd::as_fd(&self.both)
    }

    /// Makes the descriptor readable at `deadline`; a deadline that has passed, at once.
    pub(crate) fn set_deadline(&self, deadline: Option<Instant>) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};

        let zero = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        let value = deadline.map_or(zero, |deadline| {
            let left = deadline.saturating_duration_since(Instant::now());
            // Zero would disarm the timer.
            let nanoseconds = left.subsec_nanos().max(u32::from(left.is_zero()));
            Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: nanoseconds.into(),
            }
        });
        let spec = Itimerspec {
            it_interval: zero,
            it_value: value,
        };
        // It fails for a wrong argument only.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &spec);
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) struct HostWait;

#[cfg(not(target_os = "linux"))]
impl HostWait {
    pub(crate) fn new(_: &Reactor) -> io::Result<HostWait> {
        Ok(HostWait)
    }

    #[cfg(unix)]
    pub(crate) fn as_fd<'a>(&'a self, reactor: &'a Reactor) -> BorrowedFd<'a> {
        reactor.as_fd()
    }

    pub(crate) fn set_deadline(&self, _: Option<Instant>) {}
}
