//! `sync.h`.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use corun::sync::{Condvar, Mutex, Semaphore, TryAcquireError};

use crate::call::{Patience, call, required, write};
use crate::failure::{Failure, Outcome};
use crate::status::{self, Status};
use crate::table::{self, Kind, Object};

/// `corun_mutex`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_mutex {
    _private: [u8; 0],
}

/// `corun_semaphore`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_semaphore {
    _private: [u8; 0],
}

/// `corun_wait_group`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_wait_group {
    _private: [u8; 0],
}

const MOST: usize = 1 << 60;

struct Permits(Semaphore);

impl Object for Permits {
    const KIND: Kind = Kind::Semaphore;
    const NAME: &'static str = "semaphore";
}

/// A lock without a guard, which others may unlock: a semaphore of one permit.
struct Lock {
    permit: Semaphore,
    held: AtomicBool,
}

impl Object for Lock {
    const KIND: Kind = Kind::Mutex;
    const NAME: &'static str = "mutex";
}

struct Group {
    left: Mutex<usize>,
    none_left: Condvar,
}

impl Object for Group {
    const KIND: Kind = Kind::WaitGroup;
    const NAME: &'static str = "wait group";
}

fn acquire(semaphore: &Semaphore, patience: Patience) -> Outcome {
    match semaphore.try_acquire() {
        Ok(permit) => {
            permit.forget();
            return Ok(());
        }
        Err(TryAcquireError::Closed) => return Err(Failure::ordinary(status::ERR_CLOSED)),
        Err(TryAcquireError::NoPermits) => {}
    }
    match patience.within(|| semaphore.acquire())? {
        Ok(permit) => permit.forget(),
        Err(_) => return Err(Failure::ordinary(status::ERR_CLOSED)),
    }
    Ok(())
}

fn timed(outcome: Outcome) -> Outcome {
    outcome.map_err(|failure| match failure.status {
        status::ERR_WOULD_BLOCK => Failure::ordinary(status::ERR_TIMEDOUT),
        _ => failure,
    })
}

fn lock(mutex: *mut corun_mutex, patience: Patience) -> Outcome {
    let lock = table::visit::<Lock, _>(mutex)?;
    acquire(&lock.permit, patience)?;
    // Relaxed: the permit orders what the lock protects.
    lock.held.store(true, Ordering::Relaxed);
    Ok(())
}

/// Makes a mutex.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_mutex_create(mutex: *mut *mut corun_mutex) -> Status {
    call(|| {
        required(mutex)?;
        let handle = table::insert(Lock {
            permit: Semaphore::new(1),
            held: AtomicBool::new(false),
        })?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(mutex, handle) }
    })
}

/// Locks.
#[unsafe(no_mangle)]
pub extern "C" fn corun_mutex_lock(mutex: *mut corun_mutex) -> Status {
    call(|| lock(mutex, Patience::Endless))
}

/// Locks, waiting for so long.
#[unsafe(no_mangle)]
pub extern "C" fn corun_mutex_lock_timeout(mutex: *mut corun_mutex, timeout: i64) -> Status {
    call(|| timed(lock(mutex, Patience::of(timeout))))
}

/// Locks without waiting.
#[unsafe(no_mangle)]
pub extern "C" fn corun_mutex_try_lock(mutex: *mut corun_mutex) -> Status {
    call(|| lock(mutex, Patience::None))
}

/// Unlocks.
#[unsafe(no_mangle)]
pub extern "C" fn corun_mutex_unlock(mutex: *mut corun_mutex) -> Status {
    call(|| {
        let lock = table::visit::<Lock, _>(mutex)?;
        if !lock.held.swap(false, Ordering::Relaxed) {
            return Err(Failure::state("nobody holds the mutex"));
        }
        lock.permit.add_permits(1);
        Ok(())
    })
}

/// Gives up a mutex.
#[unsafe(no_mangle)]
pub extern "C" fn corun_mutex_release(mutex: *mut corun_mutex) -> Status {
    call(|| table::release::<Lock, _>(mutex).map(drop))
}

/// Makes a semaphore.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_semaphore_create(
    permits: usize,
    semaphore: *mut *mut corun_semaphore,
) -> Status {
    call(|| {
        required(semaphore)?;
        if permits > MOST {
            return Err(Failure::invalid("more than 2^60 permits"));
        }
        let handle = table::insert(Permits(Semaphore::new(permits)))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(semaphore, handle) }
    })
}

fn acquire_one(semaphore: *mut corun_semaphore, patience: Patience) -> Outcome {
    acquire(&table::visit::<Permits, _>(semaphore)?.0, patience)
}

/// Takes a permit.
#[unsafe(no_mangle)]
pub extern "C" fn corun_semaphore_acquire(semaphore: *mut corun_semaphore) -> Status {
    call(|| acquire_one(semaphore, Patience::Endless))
}

/// Takes a permit, waiting for so long.
#[unsafe(no_mangle)]
pub extern "C" fn corun_semaphore_acquire_timeout(
    semaphore: *mut corun_semaphore,
    timeout: i64,
) -> Status {
    call(|| timed(acquire_one(semaphore, Patience::of(timeout))))
}

/// Takes a permit without waiting.
#[unsafe(no_mangle)]
pub extern "C" fn corun_semaphore_try_acquire(semaphore: *mut corun_semaphore) -> Status {
    call(|| acquire_one(semaphore, Patience::None))
}

/// Adds permits.
#[unsafe(no_mangle)]
pub extern "C" fn corun_semaphore_post(semaphore: *mut corun_semaphore, permits: usize) -> Status {
    call(|| {
        let semaphore = table::visit::<Permits, _>(semaphore)?;
        let room = MOST.saturating_sub(semaphore.0.available_permits());
        if permits > room {
            return Err(Failure::invalid("more than 2^60 permits"));
        }
        semaphore.0.add_permits(permits);
        Ok(())
    })
}

/// Gives up a semaphore.
#[unsafe(no_mangle)]
pub extern "C" fn corun_semaphore_release(semaphore: *mut corun_semaphore) -> Status {
    call(|| table::release::<Permits, _>(semaphore).map(drop))
}

/// Makes a wait group.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_wait_group_create(group: *mut *mut corun_wait_group) -> Status {
    call(|| {
        required(group)?;
        let handle = table::insert(Group {
            left: Mutex::new(0),
            none_left: Condvar::new(),
        })?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(group, handle) }
    })
}

/// There is more to do.
#[unsafe(no_mangle)]
pub extern "C" fn corun_wait_group_add(group: *mut corun_wait_group, count: usize) -> Status {
    call(|| {
        let group = table::visit::<Group, _>(group)?;
        let mut left = group.left.lock().unwrap_or_else(PoisonError::into_inner);
        *left = left
            .checked_add(count)
            .ok_or_else(|| Failure::invalid("more to do than can be counted"))?;
        Ok(())
    })
}

/// One is done.
#[unsafe(no_mangle)]
pub extern "C" fn corun_wait_group_done(group: *mut corun_wait_group) -> Status {
    call(|| {
        let group = table::visit::<Group, _>(group)?;
        let mut left = group.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.checked_sub(1) {
            None => return Err(Failure::state("there is nothing left to do")),
            Some(0) => {
                *left = 0;
                group.none_left.notify_all();
            }
            Some(rest) => *left = rest,
        }
        Ok(())
    })
}

fn wait(group: *mut corun_wait_group, patience: Patience) -> Outcome {
    let group = table::visit::<Group, _>(group)?;
    let is_done = || *group.left.lock().unwrap_or_else(PoisonError::into_inner) == 0;
    if is_done() {
        return Ok(());
    }
    patience.within(|| {
        let mut left = group.left.lock().unwrap_or_else(PoisonError::into_inner);
        while *left != 0 {
            left = group
                .none_left
                .wait(left)
                .unwrap_or_else(PoisonError::into_inner);
        }
    })
}

/// Waits until nothing is left to do.
#[unsafe(no_mangle)]
pub extern "C" fn corun_wait_group_wait(group: *mut corun_wait_group) -> Status {
    call(|| wait(group, Patience::Endless))
}

/// Waits until nothing is left to do, for so long.
#[unsafe(no_mangle)]
pub extern "C" fn corun_wait_group_wait_timeout(
    group: *mut corun_wait_group,
    timeout: i64,
) -> Status {
    call(|| timed(wait(group, Patience::of(timeout))))
}

/// Gives up a wait group.
#[unsafe(no_mangle)]
pub extern "C" fn corun_wait_group_release(group: *mut corun_wait_group) -> Status {
    call(|| table::release::<Group, _>(group).map(drop))
}
