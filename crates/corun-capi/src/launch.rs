//! `task.h`: how tasks begin.

use std::ffi::c_char;
use std::sync::Arc;

use corun::JoinHandle;
use corun::runtime::Handle;

use crate::body::{Body, Work};
use crate::call::{call, required, sized, write};
use crate::failure::{Failure, Outcome};
use crate::future::{Eventual, corun_future};
use crate::registers;
use crate::runtime::{self, corun_runtime};
use crate::status::Status;
use crate::table;
use crate::task::{Task, corun_task, handle, visit};
use crate::value::{self, Call, Destructor, Function, Owned, Pointer};

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

/// A task that is about to be made.
pub(crate) struct Launch {
    call: Call,
    argument: Owned,
    result_destructor: Destructor,
    place: Place,
    flags: u32,
}

/// Where a task is to run.
pub(crate) struct Place {
    runtime: Option<Handle>,
    name: Option<String>,
    /// 0: the runtime's default.
    stack_size: usize,
}

impl Launch {
    pub(crate) fn plain(call: Call, argument: Pointer) -> Launch {
        Launch {
            call,
            argument: Owned::new(argument, None),
            result_destructor: None,
            place: Place {
                runtime: None,
                name: None,
                stack_size: 0,
            },
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
            place: Place {
                runtime: runtime::meant(options.runtime)?,
                // SAFETY: a string, or NULL.
                name: unsafe { value::text(options.name, "name of the task")? },
                stack_size: usize::try_from(options.stack_size)
                    .map_err(|_| Failure::invalid("the stack is larger than any machine"))?,
            },
            flags,
        })
    }

    /// On another runtime than the caller's.
    pub(crate) fn on(mut self, runtime: Option<Handle>) -> Launch {
        self.place.runtime = runtime;
        self
    }

    pub(crate) fn named(mut self, name: &str) -> Launch {
        self.place.name = Some(name.into());
        self
    }

    pub(crate) fn pinned(mut self) -> Launch {
        self.flags |= PINNED;
        self
    }

    /// Makes a task and starts it.
    pub(crate) fn start(self) -> Outcome<Arc<Task>> {
        let (task, place) = self.task();
        // SAFETY: it is new.
        unsafe { task.begin(&place)? };
        Ok(task)
    }

    /// Makes a task and does not start it.
    pub(crate) fn task(self) -> (Arc<Task>, Place) {
        let task = Task::new(self.flags, |keeper| Work {
            call: self.call,
            argument: self.argument,
            result_destructor: self.result_destructor,
            keeper,
        });
        (Arc::new(task), self.place)
    }
}

/// The one place where coroutines of the C interface are made: such as may change threads, unless they are pinned.
pub(crate) fn spawn(place: &Place, flags: u32, body: Body) -> Outcome<JoinHandle<()>> {
    let mut builder = corun::Builder::new();
    if let Some(name) = &place.name {
        builder = builder.name(name.clone());
    }
    if place.stack_size != 0 {
        builder = builder.stack_size(place.stack_size);
    }
    let run = move || body.run();
    let spawned = match (flags & PINNED != 0, &place.runtime) {
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
        let (made, place) = launch.task();
        made.postpone(place);
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
