//! `runtime.h`.

use std::ffi::c_char;
use std::ptr;
use std::time::Duration;

use corun::runtime::Handle;

use crate::call::{Patience, call, required, sized, write};
use crate::cell::Slot;
use crate::failure::{Failure, Outcome};
use crate::launch::Launch;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object};
use crate::task;
use crate::value::{self, Call, Function, Pointer};

/// `corun_runtime`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_runtime {
    _private: [u8; 0],
}

/// `corun_runtime_options`.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_runtime_options {
    pub size: u32,
    pub workers: u32,
    pub stack_size: u64,
    pub thread_name: *const c_char,
    pub max_blocking_threads: u32,
    pub flags: u32,
}

/// A runtime, of one's own or of somebody else's.
pub(crate) struct Runtime {
    handle: Handle,
    own: Slot<corun::Runtime>,
    /// It runs only while a host drives it.
    hosted: bool,
}

impl Object for Runtime {
    const KIND: Kind = Kind::Runtime;
    const NAME: &'static str = "runtime";

    fn abandoned(&self) {
        drop(self.take());
    }
}

impl Runtime {
    /// That of an event loop.
    pub(crate) fn hosted(handle: Handle) -> Runtime {
        Runtime {
            handle,
            own: Slot::new(None),
            hosted: true,
        }
    }

    fn take(&self) -> Option<corun::Runtime> {
        self.own.take()
    }
}

/// The runtime that is meant; `None` stands for the caller's.
pub(crate) fn meant(runtime: *mut corun_runtime) -> Outcome<Option<Handle>> {
    if runtime.is_null() {
        return Ok(None);
    }
    let runtime = table::visit::<Runtime, _>(runtime)?;
    Ok(Some(runtime.handle.clone()))
}

/// Does it run only while a host drives it?
pub(crate) fn is_hosted(runtime: *mut corun_runtime) -> Outcome<bool> {
    Ok(!runtime.is_null() && table::visit::<Runtime, _>(runtime)?.hosted)
}

/// Starts a runtime.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_runtime_create(
    options: *const corun_runtime_options,
    runtime: *mut *mut corun_runtime,
) -> Status {
    call(|| {
        required(runtime)?;
        let mut builder = corun::Runtime::builder();
        // SAFETY: the structure begins with its size.
        if let Some(options) = unsafe { sized(options)? } {
            if options.workers != 0 {
                builder = builder.workers(options.workers as usize);
            }
            if options.stack_size != 0 {
                builder = builder.stack_size(usize::try_from(options.stack_size).unwrap_or(0));
            }
            if options.max_blocking_threads != 0 {
                builder = builder.max_blocking_threads(options.max_blocking_threads as usize);
            }
            // SAFETY: a string, or NULL.
            if let Some(name) = unsafe { value::text(options.thread_name, "name of the threads")? }
            {
                builder = builder.thread_name(name);
            }
            if options.flags != 0 {
                return Err(Failure::invalid("the flags of a runtime are 0"));
            }
        }
        let own = builder.build()?;
        let object = Runtime {
            handle: own.handle().clone(),
            own: Slot::new(Some(own)),
            hosted: false,
        };
        let handle = table::insert(object)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(runtime, handle) }
    })
}

/// Runs a function as a coroutine of the runtime and waits for its end.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_runtime_run(
    runtime: *mut corun_runtime,
    function: Function,
    argument: Pointer,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let launch = Launch::plain(Call::new(function)?, argument);
        let task = launch.on(meant(runtime)?).start()?;
        // Whoever runs it counts on its having ended.
        // SAFETY: NULL, or the caller's.
        corun::shield(|| unsafe { task::join(&task, Patience::Endless, result) })
    })
}

/// The entry of a whole program.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_main(
    entry: Option<unsafe extern "C-unwind" fn(i32, *mut *mut c_char) -> i32>,
    argc: i32,
    argv: *mut *mut c_char,
) -> i32 {
    struct Entry {
        entry: unsafe extern "C-unwind" fn(i32, *mut *mut c_char) -> i32,
        argc: i32,
        argv: *mut *mut c_char,
        code: i32,
    }
    unsafe extern "C-unwind" fn run(argument: Pointer) -> Pointer {
        // SAFETY: it is the one below, which waits for this.
        let entry = unsafe { &mut *argument.cast::<Entry>() };
        // SAFETY: the arguments are those that the caller has given for it.
        entry.code = unsafe { (entry.entry)(entry.argc, entry.argv) };
        ptr::null_mut()
    }
    let Some(entry) = entry else {
        eprintln!("corun_main: the entry is NULL");
        return 70;
    };
    let mut entry = Entry {
        entry,
        argc,
        argv,
        code: 0,
    };
    let argument = (&raw mut entry).cast();
    // SAFETY: the entry outlives the call.
    let status =
        unsafe { corun_runtime_run(ptr::null_mut(), Some(run), argument, ptr::null_mut()) };
    match status {
        status::OK | status::ERR_FAILED | status::ERR_CANCELLED => entry.code,
        _ => {
            let message = crate::failure::last_message();
            eprintln!("corun_main: the program could not be started: {message}");
            70
        }
    }
}

/// Ends a runtime.
#[unsafe(no_mangle)]
pub extern "C" fn corun_runtime_shutdown(runtime: *mut corun_runtime, timeout: i64) -> Status {
    call(|| {
        let released = table::visit::<Runtime, _>(runtime)?;
        let Some(own) = released.take() else {
            return Err(Failure::state(
                "this runtime is not the caller's to shut down, or it is being shut down",
            ));
        };
        let _ = table::release::<Runtime, _>(runtime);
        let timeout = match Patience::of(timeout) {
            Patience::Endless => Duration::MAX,
            Patience::For(time) => time,
            Patience::None => Duration::ZERO,
        };
        own.shutdown(timeout)
            .map_err(|error| Failure::new(status::ERR_SHUTDOWN, error.to_string()))
    })
}

/// Gives up a runtime.
#[unsafe(no_mangle)]
pub extern "C" fn corun_runtime_release(runtime: *mut corun_runtime) -> Status {
    call(|| table::release::<Runtime, _>(runtime).map(drop))
}

/// How many workers a runtime has.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_runtime_workers(
    runtime: *mut corun_runtime,
    workers: *mut u32,
) -> Status {
    call(|| {
        let handle = match meant(runtime)?.or_else(Handle::try_current) {
            Some(handle) => handle,
            None => {
                // The default runtime starts with the first coroutine.
                let first = corun::Builder::new().spawn(Handle::try_current)?;
                let handle = first.join().ok().flatten();
                handle.ok_or_else(|| Failure::state("there is no runtime"))?
            }
        };
        let count = u32::try_from(handle.workers()).unwrap_or(u32::MAX);
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(workers, count) }
    })
}
