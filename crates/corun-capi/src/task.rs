//! `task.h`: tasks, as far as others see them. How they begin is in `launch.rs`, what runs in `body.rs`, what they do to themselves in `own.rs`.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use corun::__private::safepoint;
use corun::JoinHandle;
use corun::future::Rejected;

use crate::body::{self, Body, Work};
use crate::call::{Patience, call, required, write, write_if};
use crate::cell::{Reserved, Slot};
use crate::failure::{Failure, Outcome};
use crate::future::{self, Eventual, corun_future};
use crate::launch::{self, Place};
use crate::own;
use crate::promised::{self, Keeper, Promised, Why};
use crate::scheduler;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::value::{Owned, Pointer};

/// `corun_task`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_task {
    _private: [u8; 0],
}

/// `corun_task_state_t`.
pub const STATES: [&str; 7] = [
    "CREATED",
    "READY",
    "RUNNING",
    "WAITING",
    "COMPLETED",
    "FAILED",
    "CANCELLED",
];
const CREATED: i32 = 0;
const READY: i32 = 1;
const RUNNING: i32 = 2;
const WAITING: i32 = 3;
const COMPLETED: i32 = 4;
const FAILED: i32 = 5;
const CANCELLED: i32 = 6;

/// How a coroutine has ended.
#[cfg(feature = "events")]
pub(crate) fn ended(how: corun::State) -> u64 {
    let state = match how {
        corun::State::Failed => FAILED,
        corun::State::Cancelled => CANCELLED,
        _ => COMPLETED,
    };
    state as u64
}

/// What is known of a task for as long as anybody has to do with it.
pub(crate) struct Task {
    pub(crate) flags: u32,
    pub(crate) future: Promised,
    /// What is to run, until it does. For whoever has the right to it: the body, of which there is one, or, before that, who has taken `unstarted`.
    work: Reserved<Work>,
    /// Where it is to run, from `corun_task_create` until it is started or cancelled.
    unstarted: Slot<Box<Place>>,
    /// There from a moment after the start on.
    pub(crate) coroutine: OnceLock<JoinHandle<()>>,
    /// Somebody has cancelled it, perhaps before there was a coroutine.
    pub(crate) cancelled: AtomicBool,
    /// A call of its own has returned `CORUN_ERR_CANCELLED`.
    pub(crate) noticed: AtomicBool,
    pub(crate) failure: Slot<(i32, Option<CString>)>,
}

/// What a handle refers to.
pub(crate) struct Reference(pub(crate) Arc<Task>);

impl Object for Reference {
    const KIND: Kind = Kind::Task;
    const NAME: &'static str = "task";
}

impl Task {
    pub(crate) fn new(flags: u32, work: impl FnOnce(Keeper) -> Work) -> Task {
        let (keeper, future) = promised::pair();
        scheduler::count(scheduler::CREATED);
        Task {
            flags,
            future,
            work: Reserved::new(work(keeper)),
            unstarted: Slot::new(None),
            coroutine: OnceLock::new(),
            cancelled: AtomicBool::new(false),
            noticed: AtomicBool::new(false),
            failure: Slot::new(None),
        }
    }

    /// Leaves the start for later.
    pub(crate) fn postpone(&self, place: Place) {
        drop(self.unstarted.replace(Box::new(place)));
    }

    /// # Safety
    /// The caller has the right to it.
    pub(crate) unsafe fn take_work(&self) -> Option<Work> {
        // SAFETY: the same contract.
        unsafe { self.work.get().take() }
    }

    /// # Safety
    /// The caller has the right to the work.
    pub(crate) unsafe fn set_argument(&self, argument: Owned) {
        // SAFETY: the same contract.
        if let Some(work) = unsafe { self.work.get() } {
            work.argument = argument;
        }
    }

    /// Makes the coroutine.
    ///
    /// # Safety
    /// The caller has the right to the work, and gives it up.
    pub(crate) unsafe fn begin(self: &Arc<Task>, place: &Place) -> Outcome {
        // SAFETY: by the contract.
        let body = unsafe { Body::new(Arc::clone(self)) };
        let _ = self.coroutine.set(launch::spawn(place, self.flags, body)?);
        if self.cancelled.load(Ordering::SeqCst)
            && let Some(coroutine) = self.coroutine.get()
        {
            coroutine.cancel();
        }
        Ok(())
    }

    pub(crate) fn start(self: &Arc<Task>) -> Outcome {
        let Some(place) = self.unstarted.take() else {
            return Err(Failure::state("the task was started before, or cancelled"));
        };
        // SAFETY: who takes the place has the right.
        unsafe { self.begin(&place) }
    }

    fn is_unstarted(&self) -> bool {
        self.coroutine.get().is_none() && self.unstarted.look(|unstarted| unstarted.is_some())
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        match self.coroutine.get() {
            Some(coroutine) => coroutine.cancel(),
            None => {
                let unstarted = self.unstarted.take();
                if unstarted.is_some() {
                    // SAFETY: who takes the place has the right.
                    unsafe { body::give_up(self) };
                }
            }
        }
    }

    fn state(&self) -> i32 {
        if self.is_current() {
            return RUNNING;
        }
        match self.future.get() {
            Some(Ok(_)) => return COMPLETED,
            Some(Err(Rejected::Error(refusal))) if refusal.why != Why::Cancelled => return FAILED,
            Some(Err(_)) => return CANCELLED,
            None => {}
        }
        match self.coroutine.get() {
            None if self.is_unstarted() => CREATED,
            None => READY,
            Some(coroutine) => match coroutine.coroutine().state() {
                corun::State::Ready => READY,
                corun::State::Suspended => WAITING,
                // Or it has ended, and its result is on its way.
                _ => RUNNING,
            },
        }
    }

    pub(crate) fn is_current(&self) -> bool {
        own::current().is_some_and(|current| ptr::eq(current, self))
    }
}

/// Waits for a task's end and takes its result.
///
/// # Safety
/// `result` is NULL, or the caller's to write to.
pub(crate) unsafe fn join(task: &Task, patience: Patience, result: *mut Pointer) -> Outcome {
    if task.is_current() {
        return Err(Failure::new(
            status::ERR_DEADLOCK,
            "a task cannot join itself",
        ));
    }
    if task.is_unstarted() {
        return Err(Failure::state("the task was never started"));
    }
    let outcome = future::settled(&task.future, patience)?;
    let (value, failure) = match outcome {
        Ok(value) => (value, None),
        Err(rejected @ Rejected::Error(refusal)) => {
            let mut failure = promised::failure(rejected);
            if refusal.why == Why::Failed {
                failure = failure.with_status(status::ERR_FAILED);
            }
            (&refusal.value, Some(failure))
        }
        Err(rejected) => return Err(promised::failure(rejected)),
    };
    if !result.is_null() {
        let value = value.take()?;
        // SAFETY: promised by the caller.
        unsafe { write_if(result, value) };
    }
    failure.map_or(Ok(()), Err)
}

pub(crate) fn handle(task: Arc<Task>) -> Outcome<*mut corun_task> {
    table::insert(Reference(task))
}

pub(crate) fn visit(task: *mut corun_task) -> Outcome<Visit<Reference>> {
    table::visit(task)
}

/// Waits for the end of a task.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_join(task: *mut corun_task, result: *mut Pointer) -> Status {
    // SAFETY: the same contract.
    unsafe { corun_task_join_timeout(task, -1, result) }
}

/// Waits for the end of a task, for so long.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_join_timeout(
    task: *mut corun_task,
    timeout: i64,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let joined = visit(task)?;
        // SAFETY: the contract of this function.
        let outcome = unsafe { join(&joined.0, Patience::of(timeout), result) };
        let outcome = outcome.map_err(Failure::timed);
        let stays = outcome.as_ref().is_err_and(|failure| {
            let status = failure.status();
            [
                status::ERR_TIMEDOUT,
                status::ERR_DEADLOCK,
                status::ERR_STATE,
            ]
            .contains(&status)
        });
        if !stays {
            // Somebody else may have released it meanwhile.
            let _ = table::release::<Reference, _>(task);
        }
        outcome
    })
}

/// Makes another reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_task_retain(task: *mut corun_task) -> Status {
    call(|| table::retain::<Reference, _>(task))
}

/// Gives up a reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_task_release(task: *mut corun_task) -> Status {
    call(|| table::release::<Reference, _>(task).map(drop))
}

/// Cancels a task.
#[unsafe(no_mangle)]
pub extern "C" fn corun_task_cancel(task: *mut corun_task) -> Status {
    call(|| {
        visit(task)?.0.cancel();
        Ok(())
    })
}

/// Where a task is in its life.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_state(task: *mut corun_task, state: *mut i32) -> Status {
    call(|| {
        safepoint();
        let now = visit(task)?.0.state();
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(state, now) }
    })
}

/// The number of a task.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_id(task: *mut corun_task, id: *mut u64) -> Status {
    call(|| {
        let task = visit(task)?;
        let number = match task.0.coroutine.get() {
            Some(coroutine) => coroutine.coroutine().id().get().get(),
            None if task.0.is_current() => corun::current().id().get().get(),
            None => 0,
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(id, number) }
    })
}

/// The future of a task's result.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_future(
    task: *mut corun_task,
    future: *mut *mut corun_future,
) -> Status {
    call(|| {
        required(future)?;
        let task = Arc::clone(&visit(task)?.0);
        let handle = table::insert(Eventual::of_task(task))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(future, handle) }
    })
}

/// How a task has failed.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_error(
    task: *mut corun_task,
    code: *mut i32,
    message: *mut *const c_char,
) -> Status {
    call(|| {
        let task = visit(task)?;
        // SAFETY: the contract of this function.
        unsafe { future::error(&task.0.future, code, message) }
    })
}

/// Wakes a task.
#[unsafe(no_mangle)]
pub extern "C" fn corun_task_unpark(task: *mut corun_task) -> Status {
    call(|| match visit(task)?.0.coroutine.get() {
        Some(coroutine) => {
            coroutine.coroutine().unpark();
            Ok(())
        }
        None => Err(Failure::state("the task was not started")),
    })
}
