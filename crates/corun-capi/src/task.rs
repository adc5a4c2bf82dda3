//! `task.h`: tasks, as far as others see them. What runs is in `body.rs`, what they do to themselves in `own.rs`.

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use corun::JoinHandle;
use corun::future::Rejected;
use corun::runtime::Handle;

use crate::body::{self, Body};
use crate::call::{Patience, call, required, sized, write, write_if};
use crate::cell::Slot;
use crate::failure::{Failure, Outcome};
use crate::future::{self, Eventual, corun_future};
use crate::own;
use crate::promised::{self, Keeper, Promised, Why};
use crate::registers;
use crate::runtime::{self, corun_runtime};
use crate::scheduler;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::value::{self, Call, Destructor, Function, Owned, Pointer};

/// `corun_task`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_task {
    _private: [u8; 0],
}

/// `corun_task_options`.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_task_options {
    pub size: u32,
    pub flags: u32,
    pub stack_size: u64,
    pub name: *const c_char,
    pub runtime: *mut corun_runtime,
    pub argument_destructor: Destructor,
    pub result_destructor: Destructor,
}

/// `CORUN_TASK_PINNED`.
pub const PINNED: u32 = 1;

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

/// What is known of a task for as long as anybody has to do with it.
pub(crate) struct Task {
    pub(crate) flags: u32,
    pub(crate) future: Promised,
    /// What is to run, until it is started.
    unstarted: Slot<(Launch, Keeper)>,
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

/// A task that is about to be made.
pub(crate) struct Launch {
    pub(crate) call: Call,
    pub(crate) argument: Owned,
    pub(crate) result_destructor: Destructor,
    pub(crate) runtime: Option<Handle>,
    pub(crate) name: Option<String>,
    stack_size: usize,
    pub(crate) flags: u32,
}

impl Launch {
    pub(crate) fn plain(call: Call, argument: Pointer) -> Launch {
        Launch {
            call,
            argument: Owned::new(argument, None),
            result_destructor: None,
            runtime: None,
            name: None,
            stack_size: 0,
            flags: 0,
        }
    }

    /// # Safety
    /// The options are NULL, or as the header says.
    unsafe fn new(
        function: Function,
        argument: Pointer,
        options: *const corun_task_options,
    ) -> Outcome<Launch> {
        // SAFETY: the structure begins with its size.
        let Some(options) = (unsafe { sized(options)? }) else {
            return Ok(Launch::plain(Call::new(function)?, argument));
        };
        // From here on errors call the destructor.
        let argument = Owned::new(argument, options.argument_destructor);
        if options.flags & !(PINNED | registers::SAVE_FP | registers::SAVE_CXX) != 0 {
            return Err(Failure::invalid(format!(
                "{:#x} are no flags of a task",
                options.flags
            )));
        }
        registers::ask_for(options.flags)?;
        let mut flags = options.flags;
        if flags & registers::SAVE_CXX != 0 {
            flags |= PINNED;
        }
        Ok(Launch {
            call: Call::new(function)?,
            argument,
            result_destructor: options.result_destructor,
            runtime: runtime::meant(options.runtime)?,
            // SAFETY: a string, or NULL.
            name: unsafe { value::text(options.name, "name of the task")? },
            stack_size: usize::try_from(options.stack_size)
                .map_err(|_| Failure::invalid("the stack is larger than any machine"))?,
            flags,
        })
    }

    /// Makes a task and starts it.
    pub(crate) fn start(self) -> Outcome<Arc<Task>> {
        let (task, keeper) = self.task();
        task.begin(self, keeper)?;
        Ok(task)
    }

    pub(crate) fn task(&self) -> (Arc<Task>, Keeper) {
        let (keeper, future) = promised::pair();
        scheduler::count(scheduler::CREATED);
        let task = Arc::new(Task {
            flags: self.flags,
            future,
            unstarted: Slot::new(None),
            coroutine: OnceLock::new(),
            cancelled: AtomicBool::new(false),
            noticed: AtomicBool::new(false),
            failure: Slot::new(None),
        });
        (task, keeper)
    }
}

impl Task {
    pub(crate) fn begin(self: &Arc<Task>, launch: Launch, keeper: Keeper) -> Outcome {
        let mut builder = corun::Builder::new();
        if let Some(name) = &launch.name {
            builder = builder.name(name.clone());
        }
        if launch.stack_size != 0 {
            builder = builder.stack_size(launch.stack_size);
        }
        let runtime = launch.runtime.clone();
        let body = Body::new(launch, keeper, Arc::clone(self));
        let coroutine = spawn(builder, runtime.as_ref(), self.flags, body)?;
        let _ = self.coroutine.set(coroutine);
        if self.cancelled.load(Ordering::SeqCst)
            && let Some(coroutine) = self.coroutine.get()
        {
            coroutine.cancel();
        }
        Ok(())
    }

    fn start(self: &Arc<Task>) -> Outcome {
        let Some((launch, keeper)) = self.unstarted.take() else {
            return Err(Failure::state("the task was started before, or cancelled"));
        };
        self.begin(launch, keeper)
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
                if let Some((launch, keeper)) = unstarted {
                    body::refuse(keeper, Why::Cancelled);
                    drop(launch);
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

/// The one place where coroutines of the C interface are made: such as may change threads, unless they are pinned.
fn spawn(
    builder: corun::Builder,
    runtime: Option<&Handle>,
    flags: u32,
    body: Body,
) -> Outcome<JoinHandle<()>> {
    let run = move || body.run();
    let spawned = match (flags & PINNED != 0, runtime) {
        (true, Some(runtime)) => builder.spawn_on(runtime, run),
        (true, None) => builder.spawn(run),
        // SAFETY: `task.h` asks of the user's functions that they keep nothing of their thread across a wait, if they are not pinned; how this library
        // sees to it for itself says `cell.rs`.
        (false, Some(runtime)) => unsafe { builder.spawn_migratable_on(runtime, run) },
        // SAFETY: as above.
        (false, None) => unsafe { builder.spawn_migratable(run) },
    };
    Ok(spawned?)
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

fn handle(task: Arc<Task>) -> Outcome<*mut corun_task> {
    table::insert(Reference(task))
}

fn visit(task: *mut corun_task) -> Outcome<Visit<Reference>> {
    table::visit(task)
}

/// Starts a task.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_spawn(
    function: Function,
    argument: Pointer,
    options: *const corun_task_options,
    task: *mut *mut corun_task,
) -> Status {
    call(|| {
        // SAFETY: the contract of this function.
        let launch = unsafe { Launch::new(function, argument, options)? };
        let started = launch.start()?;
        if !task.is_null() {
            let handle = handle(started)?;
            // SAFETY: not NULL, and the caller's.
            unsafe { write(task, handle)? };
        }
        Ok(())
    })
}

/// Starts a task with its result in a future.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_spawn_async(
    function: Function,
    argument: Pointer,
    options: *const corun_task_options,
    future: *mut *mut corun_future,
) -> Status {
    call(|| {
        // SAFETY: the contract of this function.
        let launch = unsafe { Launch::new(function, argument, options)? };
        required(future)?;
        let task = launch.start()?;
        let handle = table::insert(Eventual::of_task(task))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(future, handle) }
    })
}

/// Makes a task that does not run yet.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_task_create(
    function: Function,
    argument: Pointer,
    options: *const corun_task_options,
    task: *mut *mut corun_task,
) -> Status {
    call(|| {
        // SAFETY: the contract of this function.
        let launch = unsafe { Launch::new(function, argument, options)? };
        required(task)?;
        let (made, keeper) = launch.task();
        drop(made.unstarted.replace((launch, keeper)));
        let handle = handle(made)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(task, handle) }
    })
}

/// Starts a task that was made before.
#[unsafe(no_mangle)]
pub extern "C" fn corun_task_start(task: *mut corun_task) -> Status {
    call(|| visit(task)?.0.start())
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
