//! Condition variables, read-write locks, semaphores and barriers of pthreads, and joining threads.
//!
//! As with mutexes, coroutines stand in our queue and threads where they always did. A signal goes to a coroutine if one waits, else to a thread;
//! a broadcast goes to both. Semaphores may be posted by other processes, which wake nobody here, so their waiters look again at
//! times, as those of mutexes do. What is left (barriers, joining) waits on a thread of the blocking pool.

use std::ffi::{c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::OnceLock;
use std::time::Instant;

use libc::{
    clockid_t, pthread_barrier_t, pthread_cond_t, pthread_mutex_t, pthread_rwlock_t, pthread_t,
    sem_t, timespec,
};

use crate::errno::{self, Errno, error};
use crate::mutex::{at, is_known, lock_until, obtain, pthread_mutex_unlock};
use crate::queue::{self, ANY, End, Why};
use crate::symbol::hooks;
use crate::threads;

hooks! {
    fn pthread_cond_wait @ c"GLIBC_2.3.2" (condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t) -> c_int |real, parks| {
        // SAFETY: as for the call itself.
        unsafe {
            if parks && is_known() {
                wait(condition, mutex, None)
            } else {
                tell_of_release(mutex);
                real(condition, mutex)
            }
        }
    }

    fn pthread_cond_timedwait @ c"GLIBC_2.3.2" (
        condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t, end: *const timespec,
    ) -> c_int |real, parks| {
        // SAFETY: as above.
        unsafe {
            match clock_of(condition).and_then(|clock| at(clock, end)) {
                Some(limit) if parks && is_known() => wait(condition, mutex, limit),
                _ => {
                    tell_of_release(mutex);
                    real(condition, mutex, end)
                }
            }
        }
    }

    fn pthread_cond_clockwait(
        condition: *mut pthread_cond_t, mutex: *mut pthread_mutex_t, clock: clockid_t, end: *const timespec,
    ) -> c_int |real, parks| {
        // SAFETY: as above.
        unsafe {
            match at(clock, end) {
                Some(limit) if parks && is_known() => wait(condition, mutex, limit),
                _ => {
                    tell_of_release(mutex);
                    real(condition, mutex, clock, end)
                }
            }
        }
    }

    fn pthread_cond_signal @ c"GLIBC_2.3.2" (condition: *mut pthread_cond_t) -> c_int |real, _parks| {
        if crate::is_installed() && queue::wake(condition.addr(), 1, ANY) != 0 {
            return 0;
        }
        // SAFETY: as above.
        unsafe { real(condition) }
    }

    fn pthread_cond_broadcast @ c"GLIBC_2.3.2" (condition: *mut pthread_cond_t) -> c_int |real, _parks| {
        if crate::is_installed() {
            queue::wake(condition.addr(), usize::MAX, ANY);
        }
        // SAFETY: as above.
        unsafe { real(condition) }
    }

    fn pthread_rwlock_rdlock(lock: *mut pthread_rwlock_t) -> c_int |_real| {
        // SAFETY: as above.
        obtain_quietly(lock.addr(), None, || unsafe { real::pthread_rwlock_tryrdlock.get()(lock) })
    }

    fn pthread_rwlock_wrlock(lock: *mut pthread_rwlock_t) -> c_int |_real| {
        // SAFETY: as above.
        obtain_quietly(lock.addr(), None, || unsafe { real::pthread_rwlock_trywrlock.get()(lock) })
    }

    fn pthread_rwlock_timedrdlock(lock: *mut pthread_rwlock_t, end: *const timespec) -> c_int |real| {
        // SAFETY: as above.
        unsafe {
            match at(libc::CLOCK_REALTIME, end) {
                Some(limit) => obtain_quietly(lock.addr(), limit, || real::pthread_rwlock_tryrdlock.get()(lock)),
                None => real(lock, end),
            }
        }
    }

    fn pthread_rwlock_timedwrlock(lock: *mut pthread_rwlock_t, end: *const timespec) -> c_int |real| {
        // SAFETY: as above.
        unsafe {
            match at(libc::CLOCK_REALTIME, end) {
                Some(limit) => obtain_quietly(lock.addr(), limit, || real::pthread_rwlock_trywrlock.get()(lock)),
                None => real(lock, end),
            }
        }
    }

    fn pthread_rwlock_tryrdlock(lock: *mut pthread_rwlock_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        unsafe { real(lock) }
    }

    fn pthread_rwlock_trywrlock(lock: *mut pthread_rwlock_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        unsafe { real(lock) }
    }

    fn pthread_rwlock_unlock(lock: *mut pthread_rwlock_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        let result = unsafe { real(lock) };
        if crate::is_installed() {
            // Readers may go on together, and who they are the queue does not know.
            queue::wake(lock.addr(), usize::MAX, ANY);
        }
        result
    }

    fn sem_wait(semaphore: *mut sem_t) -> c_int |_real| {
        // SAFETY: as above.
        unsafe { take(semaphore, None) }
    }

    fn sem_timedwait(semaphore: *mut sem_t, end: *const timespec) -> c_int |real| {
        // SAFETY: as above.
        unsafe {
            match at(libc::CLOCK_REALTIME, end) {
                Some(limit) => take(semaphore, limit),
                None => real(semaphore, end),
            }
        }
    }

    fn sem_clockwait(semaphore: *mut sem_t, clock: clockid_t, end: *const timespec) -> c_int |real| {
        // SAFETY: as above.
        unsafe {
            match at(clock, end) {
                Some(limit) => take(semaphore, limit),
                None => real(semaphore, clock, end),
            }
        }
    }

    fn sem_trywait(semaphore: *mut sem_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        unsafe { real(semaphore) }
    }

    fn sem_post(semaphore: *mut sem_t) -> c_int |real, _parks| {
        // SAFETY: as above.
        let result = unsafe { real(semaphore) };
        if crate::is_installed() {
            queue::wake(semaphore.addr(), 1, ANY);
        }
        result
    }

    fn pthread_barrier_wait(barrier: *mut pthread_barrier_t) -> c_int |real| {
        let errno = Errno::save();
        // SAFETY: as above.
        let result = crate::offload(move || Ok(unsafe { real(barrier) }));
        errno.number(Ok(0));
        result.unwrap_or(libc::ENOMEM)
    }

    fn pthread_join(thread: pthread_t, value: *mut *mut c_void) -> c_int |real, parks| {
        // SAFETY: as above.
        if let Some(result) = unsafe { threads::join(thread, value) } {
            return result;
        }
        if !parks {
            // SAFETY: as above.
            return unsafe { real(thread, value) };
        }
        let errno = Errno::save();
        // SAFETY: as above.
        let result = crate::offload(move || Ok(unsafe { real(thread, value) }));
        errno.number(Ok(0));
        result.unwrap_or(libc::ENOMEM)
    }
}

/// Waits for a signal, without the mutex meanwhile.
///
/// # Safety
/// As for `pthread_cond_wait`.
unsafe fn wait(
    condition: *mut pthread_cond_t,
    mutex: *mut pthread_mutex_t,
    limit: Option<Instant>,
) -> c_int {
    let errno = Errno::save();
    let mut unlocked = 0;
    // Who is in the queue before the mutex is released misses no signal that is given after it.
    let end = queue::wait_after(condition.addr(), limit, || {
        // SAFETY: as the caller promises.
        unlocked = unsafe { pthread_mutex_unlock(mutex) };
        unlocked == 0
    });
    if unlocked == 0 {
        // SAFETY: as above.
        unlocked = unsafe { lock_until(mutex, None) };
    }
    errno.number(Ok(0));
    match end {
        _ if unlocked != 0 => unlocked,
        End::TimedOut => libc::ETIMEDOUT,
        _ => 0,
    }
}

/// A thread is about to release a mutex within glibc, where nobody is woken.
fn tell_of_release(mutex: *mut pthread_mutex_t) {
    if crate::is_installed() {
        queue::wake_because(mutex.addr(), 1, ANY, Why::LookAgain);
    }
}

/// The clock by which a condition variable counts, if we know where that stands.
///
/// # Safety
/// A condition variable.
unsafe fn clock_of(condition: *const pthread_cond_t) -> Option<clockid_t> {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    let known = *KNOWN.get_or_init(|| {
        [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC]
            .into_iter()
            .all(|clock| {
                let mut attributes = MaybeUninit::uninit();
                let mut condition = MaybeUninit::uninit();
                // SAFETY: both are made before they are used, and nothing else uses them.
                unsafe {
                    libc::pthread_condattr_init(attributes.as_mut_ptr());
                    libc::pthread_condattr_setclock(attributes.as_mut_ptr(), clock);
                    libc::pthread_cond_init(condition.as_mut_ptr(), attributes.as_ptr());
                    let found = raw_clock(condition.as_ptr());
                    libc::pthread_cond_destroy(condition.as_mut_ptr());
                    libc::pthread_condattr_destroy(attributes.as_mut_ptr());
                    found == clock
                }
            })
    });
    // SAFETY: as the caller promises.
    known.then(|| unsafe { raw_clock(condition) })
}

/// # Safety
/// A condition variable.
unsafe fn raw_clock(condition: *const pthread_cond_t) -> clockid_t {
    // SAFETY: the tenth word has the flags.
    let flags = unsafe { condition.cast::<u32>().add(9).read_volatile() };
    if flags & 2 == 0 {
        libc::CLOCK_REALTIME
    } else {
        libc::CLOCK_MONOTONIC
    }
}

fn obtain_quietly(address: usize, limit: Option<Instant>, attempt: impl FnMut() -> c_int) -> c_int {
    let errno = Errno::save();
    let result = obtain(address, limit, attempt);
    errno.number(Ok(0));
    result
}

/// # Safety
/// As for `sem_wait`.
unsafe fn take(semaphore: *mut sem_t, limit: Option<Instant>) -> c_int {
    let errno = Errno::save();
    let attempt = real::sem_trywait.get();
    let result = obtain(semaphore.addr(), limit, || {
        // SAFETY: as the caller promises.
        if unsafe { attempt(semaphore) } == 0 {
            return 0;
        }
        match errno::get() {
            libc::EAGAIN => libc::EBUSY,
            other => other,
        }
    });
    errno.number(if result == 0 { Ok(0) } else { error(result) })
}
