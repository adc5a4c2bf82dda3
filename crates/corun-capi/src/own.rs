//! `task.h`: what a task asks for itself, and how it waits.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use corun::__private::{foreign, set_foreign};

use crate::call::{Patience, call, duration, required, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::status::{self, Status};
use crate::table;
use crate::task::{Reference, Task, corun_task};
use crate::value::{Call, Function, Pointer};

/// While it lives, the task is what the coroutine runs: the function of the task. Its address is the word that the coroutine keeps for this library, which
/// costs no more than it does to find the coroutine (a local of the coroutine's would take two blocks of memory).
pub(crate) struct Running<'a>(PhantomData<&'a Task>);

impl Running<'_> {
    pub(crate) fn enter(task: &Arc<Task>) -> Running<'_> {
        set_foreign(Arc::as_ptr(task).cast());
        Running(PhantomData)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        set_foreign(ptr::null());
    }
}

/// The calling task.
pub(crate) fn current<'a>() -> Option<&'a Task> {
    // SAFETY: it is kept by the body that runs, which is one of the caller's callers; references do not leave the caller's frames.
    unsafe { foreign().cast::<Task>().as_ref() }
}

pub(crate) fn flags_of_current() -> u32 {
    current().map_or(0, |task| task.flags)
}

/// The task has been told that it, or something that it is inside of, was cancelled.
pub(crate) fn notice_cancellation() {
    if let Some(task) = current() {
        task.noticed.store(true, Ordering::Relaxed);
    }
}

fn required_task<'a>() -> Outcome<&'a Task> {
    current().ok_or_else(|| Failure::new(status::ERR_CONTEXT, "the caller is no task"))
}

/// The calling task.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_current(task: *mut *mut corun_task) -> Status {
    call(|| {
        required(task)?;
        let current = required_task()?;
        // SAFETY: `enter` was given an `Arc`, which the body still has.
        let current = unsafe {
            Arc::increment_strong_count(current);
            Arc::from_raw(current)
        };
        let handle = table::insert(Reference(current))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(task, handle) }
    })
}

/// Notes that the calling task has failed.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_fail(code: i32, message: *const c_char) -> Status {
    call(|| {
        // SAFETY: the contract of this function.
        let message: Option<CString> = unsafe { copied(message) };
        drop(required_task()?.failure.replace((code, message)));
        Ok(())
    })
}

/// A copy of a string of whatever encoding.
///
/// # Safety
/// NULL, or a string that ends with a NUL.
pub(crate) unsafe fn copied(text: *const c_char) -> Option<CString> {
    // SAFETY: promised by the caller.
    (!text.is_null()).then(|| unsafe { std::ffi::CStr::from_ptr(text) }.to_owned())
}

/// Waits.
#[unsafe(no_mangle)]
pub extern "C" fn corun_sleep(time: i64) -> Status {
    call(|| {
        match Patience::of(time) {
            Patience::None => corun::yield_now(),
            Patience::For(time) => corun::sleep(time),
            Patience::Endless => return Err(Failure::invalid("a sleep for ever: use corun_park")),
        }
        Ok(())
    })
}

/// Waits to be unparked.
#[unsafe(no_mangle)]
pub extern "C" fn corun_park() -> Status {
    call(|| {
        corun::park();
        Ok(())
    })
}

/// Waits to be unparked, for so long.
#[unsafe(no_mangle)]
pub extern "C" fn corun_park_timeout(timeout: i64) -> Status {
    call(|| {
        let time = match Patience::of(timeout) {
            Patience::Endless => {
                corun::park();
                return Ok(());
            }
            Patience::For(time) => time,
            Patience::None => duration(0),
        };
        let began = Instant::now();
        corun::park_timeout(time);
        if began.elapsed() >= time {
            return Err(Failure::ordinary(status::ERR_TIMEDOUT));
        }
        Ok(())
    })
}

/// Was the caller cancelled?
#[unsafe(no_mangle)]
pub extern "C" fn corun_check_cancelled() -> Status {
    call(check)
}

/// Fails if the caller was cancelled.
pub(crate) fn check() -> Outcome {
    corun::check_cancelled().map_err(|_| {
        notice_cancellation();
        Failure::cancelled()
    })
}

/// Calls a function that is protected from cancellation.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_shield(
    function: Function,
    argument: Pointer,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let function = Call::new(function)?;
        let value = corun::shield(|| function.run(argument));
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(result, value) };
        Ok(())
    })
}

/// Calls a function that is cancelled when the time is over.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_timeout(
    timeout: i64,
    function: Function,
    argument: Pointer,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let function = Call::new(function)?;
        let time = match Patience::of(timeout) {
            Patience::Endless => {
                let value = function.run(argument);
                // SAFETY: NULL, or the caller's.
                unsafe { write_if(result, value) };
                return Ok(());
            }
            Patience::For(time) => time,
            Patience::None => duration(0),
        };
        let (value, is_over) = corun::timeout(time, || {
            let value = function.run(argument);
            // Asked in here, where the limit can be seen.
            (value, corun::check_cancelled().is_err())
        })
        .map_err(|_| Failure::ordinary(status::ERR_TIMEDOUT))?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(result, value) };
        // What was cancelled further out is over as well, and goes before.
        check()?;
        if is_over {
            return Err(Failure::ordinary(status::ERR_TIMEDOUT));
        }
        Ok(())
    })
}

/// Time.
#[unsafe(no_mangle)]
pub extern "C" fn corun_now() -> i64 {
    nanoseconds(Instant::now())
}

/// A point in time as `corun_now` tells it.
pub(crate) fn nanoseconds(time: Instant) -> i64 {
    static ZERO: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    let zero = *ZERO.get_or_init(|| time);
    let distance = |from: Instant, to: Instant| {
        i64::try_from(to.saturating_duration_since(from).as_nanos()).unwrap_or(i64::MAX)
    };
    distance(zero, time) - distance(time, zero)
}
