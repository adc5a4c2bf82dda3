//! Sleeping, and giving way.
//!
//! Sleeps go by the clock of the runtime, so that tests may stop it, and are never interrupted: a signal is handled by whatever thread gets
//! it, which is not the coroutine's business.

use std::ffi::{c_int, c_uint};
use std::time::{Duration, Instant};

use corun::hooking::{self, Waiter};
use libc::{clockid_t, timespec};

use crate::errno::Errno;
use crate::sockets::duration;
use crate::symbol::hooks;
use crate::wait::deadline;

hooks! {
    fn sleep(seconds: c_uint) -> c_uint |_real| {
        let errno = Errno::save();
        during(Duration::from_secs(seconds.into()));
        errno.number(Ok(0));
        0
    }

    fn usleep(micros: c_uint) -> c_int |_real| {
        let errno = Errno::save();
        during(Duration::from_micros(micros.into()));
        errno.number(Ok(0))
    }

    fn nanosleep(time: *const timespec, left: *mut timespec) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        match unsafe { time.as_ref() }.map(duration) {
            Some(Ok(time)) => {
                during(time);
                errno.number(Ok(0))
            }
            // SAFETY: as above. It says what is wrong.
            _ => unsafe { real(time, left) },
        }
    }

    fn clock_nanosleep(clock: clockid_t, flags: c_int, time: *const timespec, left: *mut timespec) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as for the call itself.
        let wanted = unsafe { time.as_ref() }.and_then(|time| duration(time).ok());
        let (Some(wanted), libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC | libc::CLOCK_BOOTTIME) = (wanted, clock) else {
            // SAFETY: as above. It says what is wrong, or the clock counts processor time, of which there is none to wait for.
            return unsafe { real(clock, flags, time, left) };
        };
        during(if flags & libc::TIMER_ABSTIME == 0 { wanted } else { wanted.saturating_sub(read(clock)) });
        errno.number(Ok(0))
    }

    fn sched_yield() -> c_int |_real| {
        let errno = Errno::save();
        hooking::yield_now();
        errno.number(Ok(0))
    }
}

/// What a clock of the system says.
pub(crate) fn read(clock: clockid_t) -> Duration {
    let mut now = timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the time is written.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    duration(&now).unwrap_or_default()
}

fn during(time: Duration) {
    if time.is_zero() {
        hooking::yield_now();
    } else {
        until(deadline(time));
    }
}

/// Sleeps until then; `None`: for ever.
pub(crate) fn until(deadline: Option<Instant>) {
    Waiter::new().wait(deadline);
}
