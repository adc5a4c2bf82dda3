//! `future.h`: futures. Promises are in `promise.rs`, and what is made of several futures in `combine.rs`.

use std::ffi::c_char;
use std::mem::ManuallyDrop;
use std::ptr;
use std::sync::Arc;

use corun::__private::safepoint;
use corun::future::{Rejected, State};

use crate::call::{Patience, call, required, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::promised::{self, Promised, Seen, Why};
use crate::status::{self, Status};
use crate::table::{self, Counts, Kind, Object, Visit};
use crate::task::Task;
use crate::value::Pointer;

/// `corun_future`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_future {
    _private: [u8; 0],
}

/// `corun_future_callback`.
pub type FutureCallback =
    Option<unsafe extern "C-unwind" fn(data: Pointer, status: Status, value: Pointer, code: i32)>;

/// `corun_future_state_t`.
pub const STATES: [&str; 4] = ["PENDING", "RESOLVED", "REJECTED", "CANCELLED"];

/// What the handle of a future refers to: a future, or the task whose result it is, to be cancelled with it. One word, so that it lies in its slot.
pub(crate) union Eventual {
    future: ManuallyDrop<Promised>,
    /// The address of a task, from an `Arc`, and 1.
    task: *const Task,
}

const OF_TASK: usize = 1;
const _: () = assert!(size_of::<Eventual>() == 8 && size_of::<Promised>() == 8);
const _: () = assert!(align_of::<Task>() > OF_TASK);

// SAFETY: it is a `Promised` or an `Arc<Task>`, which both are.
unsafe impl Send for Eventual {}
// SAFETY: as above.
unsafe impl Sync for Eventual {}

impl Object for Eventual {
    const KIND: Kind = Kind::Future;
    const NAME: &'static str = "future";
    const COUNTS: Counts = Counts::MOST;
}

impl Eventual {
    pub(crate) fn new(future: Promised) -> Eventual {
        let future = ManuallyDrop::new(future);
        Eventual { future }
    }

    pub(crate) fn of_task(task: Arc<Task>) -> Eventual {
        let task = Arc::into_raw(task).map_addr(|address| address | OF_TASK);
        Eventual { task }
    }

    /// The address in it, if it is a task's.
    fn tagged(&self) -> Option<*const Task> {
        // SAFETY: both are a pointer; that of a future is one to a block with words in it, and so even.
        let task = unsafe { self.task };
        (task.addr() & OF_TASK != 0).then(|| task.map_addr(|address| address & !OF_TASK))
    }

    fn task(&self) -> Option<&Task> {
        // SAFETY: the reference of the `Arc` keeps it.
        self.tagged().map(|task| unsafe { &*task })
    }

    pub(crate) fn future(&self) -> &Promised {
        match self.task() {
            Some(task) => &task.future,
            // SAFETY: so it is no task.
            None => unsafe { &self.future },
        }
    }
}

impl Drop for Eventual {
    fn drop(&mut self) {
        match self.tagged() {
            // SAFETY: made by `Arc::into_raw`.
            Some(task) => drop(unsafe { Arc::from_raw(task) }),
            // SAFETY: it is no task, and dropped once.
            None => unsafe { ManuallyDrop::drop(&mut self.future) },
        }
    }
}

pub(crate) fn visit(future: *mut corun_future) -> Outcome<Visit<Eventual>> {
    table::visit(future)
}

/// Waits for what comes of it.
pub(crate) fn settled(future: &Promised, patience: Patience) -> Outcome<Seen<'_>> {
    match patience {
        Patience::None => {
            safepoint();
            let outcome = future.get();
            outcome.ok_or(Failure::ordinary(status::ERR_WOULD_BLOCK))
        }
        Patience::For(time) if !future.is_complete() => future
            .wait_timeout(time)
            .ok_or(Failure::ordinary(status::ERR_TIMEDOUT)),
        // Gives way, if it is time, where it need not wait.
        _ => Ok(future.wait()),
    }
}

/// Waits for the result.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_await(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    // SAFETY: the same contract.
    unsafe { corun_future_await_timeout(future, -1, value) }
}

/// Waits for the result, for so long.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_await_timeout(
    future: *mut corun_future,
    timeout: i64,
    value: *mut Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let outcome = settled(eventual.future(), Patience::of(timeout));
        let outcome = outcome.map_err(|_| Failure::ordinary(status::ERR_TIMEDOUT))?;
        let seen = promised::seen(outcome)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(value, seen) };
        Ok(())
    })
}

/// Looks for the result.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_poll(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let seen = promised::seen(settled(eventual.future(), Patience::None)?)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(value, seen) };
        Ok(())
    })
}

/// Waits for the result and takes it.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_take(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    call(|| {
        required(value)?;
        let eventual = visit(future)?;
        let taken = match settled(eventual.future(), Patience::Endless)? {
            Ok(value) => value.take()?,
            Err(rejected) => return Err(promised::failure(rejected)),
        };
        // SAFETY: not NULL, and the caller's.
        unsafe { write(value, taken) }
    })
}

/// How far a future has come.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_state(future: *mut corun_future, state: *mut i32) -> Status {
    call(|| {
        safepoint();
        let eventual = visit(future)?;
        let now = match (eventual.future().state(), eventual.future().get()) {
            (State::Pending, None) => 0,
            (_, Some(Err(rejected))) => match promised::rejection(rejected) {
                status::ERR_CANCELLED => 3,
                _ => 2,
            },
            _ => 1,
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(state, now) }
    })
}

/// The code and message of a rejection.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_error(
    future: *mut corun_future,
    code: *mut i32,
    message: *mut *const c_char,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        // SAFETY: the contract of this function.
        unsafe { error(eventual.future(), code, message) }
    })
}

/// # Safety
/// Both are NULL, or the caller's to write to.
pub(crate) unsafe fn error(
    future: &Promised,
    code: *mut i32,
    message: *mut *const c_char,
) -> Outcome {
    let refusal = match future.get() {
        Some(Err(Rejected::Error(refusal))) if refusal.why != Why::Cancelled => refusal,
        _ => return Err(Failure::state("it was not rejected, and has not failed")),
    };
    let text = refusal
        .message
        .as_ref()
        .map_or(c"".as_ptr(), |text| text.as_ptr());
    // SAFETY: promised by the caller.
    unsafe {
        write_if(code, refusal.code);
        write_if(message, text);
    }
    Ok(())
}

/// Cancels a future.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_cancel(future: *mut corun_future) -> Status {
    call(|| {
        let eventual = visit(future)?;
        match eventual.task() {
            Some(task) => task.cancel(),
            None => {
                eventual.future().cancel();
            }
        }
        Ok(())
    })
}

/// What a callback is told.
pub(crate) fn told(outcome: Seen<'_>) -> (Status, Pointer, i32) {
    match outcome {
        Ok(value) => match value.get() {
            Ok(value) => (status::OK, value, 0),
            Err(failure) => (failure.status(), ptr::null_mut(), 0),
        },
        Err(rejected) => {
            let code = match rejected {
                Rejected::Error(refusal) => refusal.code,
                _ => 0,
            };
            (promised::rejection(rejected), ptr::null_mut(), code)
        }
    }
}

/// Has a function called when the future is complete.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_on_complete(
    future: *mut corun_future,
    callback: FutureCallback,
    data: Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let callback = callback.ok_or_else(|| Failure::invalid("the callback is NULL"))?;
        let data = crate::value::Data(data);
        eventual.future().on_complete(move |outcome| {
            let (status, value, code) = told(outcome);
            // SAFETY: the user has handed it over to be called so.
            unsafe { callback(data.get(), status, value, code) };
        });
        Ok(())
    })
}

/// The number of a future.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_id(future: *mut corun_future, id: *mut u64) -> Status {
    call(|| {
        let number = visit(future)?.future().address() as u64;
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(id, number) }
    })
}

/// Makes another reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_retain(future: *mut corun_future) -> Status {
    call(|| table::retain::<Eventual, _>(future))
}

/// Gives up a reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_release(future: *mut corun_future) -> Status {
    call(|| table::release::<Eventual, _>(future).map(drop))
}
