//! Mutexes of pthreads.
//!
//! A coroutine tries, and stands in our queue if the mutex is locked; a thread waits as ever. Whoever unlocks does so by the real function, and then
//! wakes the first coroutine. That need not get the mutex: it tries again.
//!
//! # Owners
//! A mutex that is recursive or checks for errors knows its owner by its thread, and would let in each coroutine of the worker that has it. So
//! there is a table of which coroutine has it, and how often. Robust mutexes and those with priorities know more of threads than can be made
//! up for: they block the worker, as without the hooks.
//!
//! # A release that cannot be seen
//! `pthread_cond_wait` of a plain thread releases its mutex within glibc. A coroutine that waits for a mutex therefore looks again, first after
//! [`SHORTEST`], later at intervals up to [`LONGEST`].
//!
//! The kind of a mutex is read out of it. Where it is was laid down with the ABI; that it is there is checked at the start ([`is_known`]), and if not,
//! none of this is done.

use std::collections::BTreeMap;
use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use corun::hooking;
use libc::{clockid_t, pthread_mutex_t, timespec};

use crate::errno::Errno;
use crate::queue::{self, ANY, End};
use crate::sleeping::read;
use crate::sockets::duration;
use crate::spin::Spin;
use crate::symbol::hooks;
use crate::wait::deadline;

pub(crate) const SHORTEST: Duration = Duration::from_millis(10);
pub(crate) const LONGEST: Duration = Duration::from_secs(1);

hooks! {
    fn pthread_mutex_lock(mutex: *mut pthread_mutex_t) -> c_int |real, parks| {
        // SAFETY: as for the call itself.
        unsafe { lock_as(mutex, parks, None, || real(mutex)) }
    }

    fn pthread_mutex_timedlock(mutex: *mut pthread_mutex_t, end: *const timespec) -> c_int |real, parks| {
        // SAFETY: as above.
        unsafe {
            match at(libc::CLOCK_REALTIME, end) {
                Some(limit) if parks => lock_as(mutex, parks, limit, || real(mutex, end)),
                _ => lock_as(mutex, false, None, || real(mutex, end)),
            }
        }
    }

    fn pthread_mutex_clocklock(mutex: *mut pthread_mutex_t, clock: clockid_t, end: *const timespec) -> c_int |real, parks| {
        // SAFETY: as above.
        unsafe {
            match at(clock, end) {
                Some(limit) if parks => lock_as(mutex, parks, limit, || real(mutex, clock, end)),
                _ => lock_as(mutex, false, None, || real(mutex, clock, end)),
            }
        }
    }

    fn pthread_mutex_trylock(mutex: *mut pthread_mutex_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        unsafe {
            match owner_matters(mutex) {
                Some(me) => try_owned(mutex, me, || real(mutex)),
                None => real(mutex),
            }
        }
    }

    fn pthread_mutex_unlock(mutex: *mut pthread_mutex_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        unsafe {
            if let Some(me) = owner_matters(mutex)
                && !give_up(mutex, me)
            {
                return libc::EPERM;
            }
            let result = real(mutex);
            if crate::is_installed() {
                queue::wake(mutex.addr(), 1, ANY);
            }
            result
        }
    }
}

/// What a mutex is to us.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It does not know who has it.
    Plain,
    /// It does, by the thread.
    Owned,
    /// It is bound to threads in more ways.
    Strange,
}

/// # Safety
/// A mutex.
unsafe fn raw_kind(mutex: *const pthread_mutex_t) -> c_int {
    // SAFETY: the fifth word of every mutex of glibc's, on all machines of 64 bits.
    unsafe { mutex.cast::<c_int>().add(4).read_volatile() }
}

/// # Safety
/// A mutex.
unsafe fn kind(mutex: *const pthread_mutex_t) -> Kind {
    /// Robust, inheriting a priority, protected by one.
    const STRANGE: c_int = 16 | 32 | 64;
    // SAFETY: as the caller promises.
    match unsafe { raw_kind(mutex) } {
        kind if kind & STRANGE != 0 => Kind::Strange,
        kind if matches!(
            kind & 3,
            libc::PTHREAD_MUTEX_RECURSIVE | libc::PTHREAD_MUTEX_ERRORCHECK
        ) =>
        {
            Kind::Owned
        }
        _ => Kind::Plain,
    }
}

/// Are mutexes of this C library as we think?
pub(crate) fn is_known() -> bool {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    *KNOWN.get_or_init(|| {
        let kinds = [
            libc::PTHREAD_MUTEX_NORMAL,
            libc::PTHREAD_MUTEX_RECURSIVE,
            libc::PTHREAD_MUTEX_ERRORCHECK,
        ];
        kinds.into_iter().all(|kind| {
            let mut attributes = MaybeUninit::uninit();
            let mut mutex = MaybeUninit::uninit();
            // SAFETY: both are made before they are used, and nothing else uses them.
            unsafe {
                libc::pthread_mutexattr_init(attributes.as_mut_ptr());
                libc::pthread_mutexattr_settype(attributes.as_mut_ptr(), kind);
                libc::pthread_mutex_init(mutex.as_mut_ptr(), attributes.as_ptr());
                let found = raw_kind(mutex.as_ptr());
                libc::pthread_mutex_destroy(mutex.as_mut_ptr());
                libc::pthread_mutexattr_destroy(attributes.as_mut_ptr());
                found & 3 == kind
            }
        })
    })
}

/// Which coroutine has a mutex that counts its owner's locks, and how often.
static OWNERS: Spin<BTreeMap<usize, (u64, usize)>> = Spin::new(BTreeMap::new());

/// The calling coroutine, if there is one and the mutex must not be left to tell it from others of its worker.
///
/// # Safety
/// A mutex.
unsafe fn owner_matters(mutex: *const pthread_mutex_t) -> Option<u64> {
    if !crate::is_installed() {
        return None;
    }
    let me = hooking::coroutine();
    // SAFETY: as the caller promises.
    (me != 0 && is_known() && unsafe { kind(mutex) } == Kind::Owned).then_some(me)
}

/// # Safety
/// A mutex that counts its owner's locks.
unsafe fn try_owned(mutex: *const pthread_mutex_t, me: u64, real: impl FnOnce() -> c_int) -> c_int {
    OWNERS.with(|owners| {
        if owners.get(&mutex.addr()).is_some_and(|owner| owner.0 != me) {
            return libc::EBUSY;
        }
        let result = real();
        if result == 0 {
            owners.entry(mutex.addr()).or_insert((me, 0)).1 += 1;
        }
        result
    })
}

/// Counts an unlocking. Returns false if another coroutine has the mutex.
///
/// # Safety
/// A mutex that counts its owner's locks.
unsafe fn give_up(mutex: *const pthread_mutex_t, me: u64) -> bool {
    OWNERS.with(|owners| {
        let Some((owner, count)) = owners.get_mut(&mutex.addr()) else {
            return true;
        };
        if *owner != me {
            return false;
        }
        *count -= 1;
        if *count == 0 {
            owners.remove(&mutex.addr());
        }
        true
    })
}

/// Locks. `real` is the call itself, for whoever is not parked.
///
/// # Safety
/// As for `pthread_mutex_lock`.
unsafe fn lock_as(
    mutex: *mut pthread_mutex_t,
    parks: bool,
    limit: Option<Instant>,
    real: impl FnOnce() -> c_int,
) -> c_int {
    // SAFETY: as the caller promises, here and below.
    let owner = unsafe { owner_matters(mutex) };
    if let Some(me) = owner {
        let mine =
            OWNERS.with(|owners| owners.get(&mutex.addr()).is_some_and(|owner| owner.0 == me));
        if mine {
            // Once more, or an error: in no case a wait.
            let result = real();
            if result == 0 {
                OWNERS.with(|owners| {
                    if let Some(owner) = owners.get_mut(&mutex.addr()) {
                        owner.1 += 1;
                    }
                });
            }
            return result;
        }
    }
    // SAFETY: as above.
    if !parks || !is_known() || unsafe { kind(mutex) } == Kind::Strange {
        let result = real();
        if result == 0
            && let Some(me) = owner
        {
            OWNERS.with(|owners| owners.insert(mutex.addr(), (me, 1)));
        }
        return result;
    }
    // SAFETY: as above.
    unsafe { lock_until(mutex, limit) }
}

/// Locks, in a coroutine that may be parked.
///
/// # Safety
/// As for `pthread_mutex_lock`.
pub(crate) unsafe fn lock_until(mutex: *mut pthread_mutex_t, limit: Option<Instant>) -> c_int {
    let errno = Errno::save();
    // SAFETY: as the caller promises.
    let result = obtain(mutex.addr(), limit, || unsafe {
        pthread_mutex_trylock(mutex)
    });
    errno.number(Ok(0));
    result
}

/// Tries until it gives something other than `EBUSY`, whenever somebody wakes those who wait at the address, and at times.
pub(crate) fn obtain(
    address: usize,
    limit: Option<Instant>,
    mut attempt: impl FnMut() -> c_int,
) -> c_int {
    let mut result = attempt();
    let mut interval = SHORTEST;
    while result == libc::EBUSY {
        let again = corun::time::now() + interval;
        interval = (interval * 2).min(LONGEST);
        let first = limit.map_or(again, |limit| limit.min(again));
        let end = queue::wait(address, ANY, Some(first), || {
            result = attempt();
            result == libc::EBUSY
        });
        match end {
            End::NoNeed => {}
            _ => result = attempt(),
        }
        if result == libc::EBUSY && limit.is_some_and(|limit| limit <= corun::time::now()) {
            return libc::ETIMEDOUT;
        }
    }
    result
}

/// The moment of the runtime's clock that a moment of the system's is. `None`: the arguments are for the real function to refuse.
///
/// # Safety
/// Null or a time.
pub(crate) unsafe fn at(clock: clockid_t, end: *const timespec) -> Option<Option<Instant>> {
    // SAFETY: as the caller promises.
    let end = duration(unsafe { end.as_ref() }?).ok()?;
    matches!(clock, libc::CLOCK_REALTIME | libc::CLOCK_MONOTONIC)
        .then(|| deadline(end.saturating_sub(read(clock))))
}

pub(crate) fn hold() {
    OWNERS.hold();
}

/// # Safety
/// After `hold`.
pub(crate) unsafe fn free(in_child: bool) {
    // SAFETY: as the caller promises.
    unsafe {
        if in_child {
            // There is one thread, which is no coroutine: the mutexes themselves know as much as there is to know.
            OWNERS.held().clear();
        }
        OWNERS.free();
    }
}
