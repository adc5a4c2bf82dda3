//! `coroutine.h`: coroutines without a scheduler, on `corun-context`.
//!
//! # Invariants
//! - A coroutine is bound to its thread, and all of this is reached on it only (`own_thread.rs`).
//! - Which coroutine runs is noted in a local of the task (or thread) that resumes it: other tasks of the thread run while that task waits, and have
//!   their own.
//! - A coroutine that was resumed lies in a frame of `resume`, whose visit keeps it. So the pointers of the chain are good.
//! - C frames are not unwound: a coroutine is freed before it has started, or once it has returned.

use std::cell::Cell;
use std::ptr;

use corun_context::stack::{DefaultStack, SlabStack};
use corun_context::{Coroutine, Resumed, Status as Life, Suspender};

use crate::call::{call, required, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::own_thread::OwnThread;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::value::{Call, Function, Pointer};

/// `corun_coroutine`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_coroutine {
    _private: [u8; 0],
}

/// `corun_coroutine_state_t`.
pub const STATES: [&str; 5] = ["INIT", "ACTIVE", "PENDING", "STACKED", "DONE"];
pub(crate) const DONE: i32 = 4;

type Bare = Coroutine<Pointer, Pointer, Pointer>;

pub(crate) struct Routine {
    bare: Bare,
    shared: Box<Shared>,
}

/// What the code of the coroutine sees as well.
struct Shared {
    /// Valid while the coroutine is active.
    suspender: Cell<*const Suspender<Pointer, Pointer, Pointer>>,
    /// Whoever has resumed it, while it is active.
    resumer: Cell<*const Shared>,
    handle: Cell<*mut corun_coroutine>,
    started: Cell<bool>,
    /// It is being destroyed.
    ending: Cell<bool>,
}

corun::coroutine_local! {
    static RUNNING: Cell<*const Shared> = const { Cell::new(ptr::null()) };
}

type Own = OwnThread<Routine>;

impl Object for Own {
    const KIND: Kind = Kind::Coroutine;
    const NAME: &'static str = "coroutine";
}

fn visit(coroutine: *mut corun_coroutine) -> Outcome<Visit<Own>> {
    table::visit(coroutine)
}

fn running<'a>() -> Option<&'a Shared> {
    let running = RUNNING.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: see the invariants; it is one of the caller's callers that has noted it.
    unsafe { running.as_ref() }
}

/// Makes a coroutine of a closure.
pub(crate) fn create(
    stack_size: usize,
    body: impl FnOnce(*mut corun_coroutine) -> Pointer + 'static,
) -> Outcome<*mut corun_coroutine> {
    let shared = Box::new(Shared {
        suspender: Cell::new(ptr::null()),
        resumer: Cell::new(ptr::null()),
        handle: Cell::new(ptr::null_mut()),
        started: Cell::new(false),
        ending: Cell::new(false),
    });
    let seen: *const Shared = &raw const *shared;
    let code = move |suspender: &Suspender<Pointer, Pointer, Pointer>, _: Pointer| {
        // SAFETY: the box lives as long as the coroutine.
        let shared = unsafe { &*seen };
        shared.suspender.set(suspender);
        body(shared.handle.get())
    };
    let failed = |error: corun_context::stack::StackError| {
        Failure::new(
            status::ERR_NOMEM,
            format!("no stack for a coroutine: {error}"),
        )
    };
    let bare = if stack_size == 0 {
        Bare::with_stack(DefaultStack::new().map_err(failed)?, code)
    } else {
        let size = stack_size.max(16 * 1024);
        Bare::with_stack(SlabStack::new(size).map_err(failed)?, code)
    };
    let handle = table::insert(OwnThread::new(Routine { bare, shared }))?;
    visit(handle)?.get()?.shared.handle.set(handle);
    Ok(handle)
}

impl Routine {
    fn state(&self) -> i32 {
        match self.bare.status() {
            Life::Suspended if self.shared.started.get() => 2,
            Life::Suspended => 0,
            Life::Dead => DONE,
            // Active: it runs, unless it waits for one that it has resumed.
            _ => {
                let mut innermost = running().map_or(ptr::null(), ptr::from_ref);
                if ptr::eq(innermost, &raw const *self.shared) {
                    return 1;
                }
                // SAFETY: see the invariants.
                while let Some(shared) = unsafe { innermost.as_ref() } {
                    if ptr::eq(shared, &raw const *self.shared) {
                        return 3;
                    }
                    innermost = shared.resumer.get();
                }
                // Another task of this thread is in it.
                1
            }
        }
    }

    /// Runs it until it yields or returns.
    fn resume(&self, input: Pointer) -> Outcome<Resumed<Pointer, Pointer>> {
        let before = RUNNING.get();
        if self.bare.status() == Life::Suspended {
            self.shared.started.set(true);
            self.shared.resumer.set(before);
            RUNNING.set(&raw const *self.shared);
        }
        let answer = self.bare.resume(input);
        RUNNING.set(before);
        answer.map_err(|error| Failure::state(error.to_string()))
    }
}

/// Makes a coroutine.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_create(
    function: Function,
    argument: Pointer,
    stack_size: usize,
    coroutine: *mut *mut corun_coroutine,
) -> Status {
    call(|| {
        required(coroutine)?;
        let function = Call::new(function)?;
        let handle = create(stack_size, move |_| function.run(argument))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(coroutine, handle) }
    })
}

/// Runs a coroutine until it yields or ends.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_resume(
    coroutine: *mut corun_coroutine,
    input: Pointer,
    output: *mut Pointer,
) -> Status {
    call(|| {
        let routine = visit(coroutine)?;
        let answer = routine.get()?.resume(input)?.into_inner();
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(output, answer) };
        Ok(())
    })
}

/// Back to whoever resumed.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_yield(output: Pointer, input: *mut Pointer) -> Status {
    call(|| {
        let Some(shared) = running() else {
            return Err(outside());
        };
        // SAFETY: the coroutine is active, and this is its code.
        let received = unsafe { &*shared.suspender.get() }.suspend(output);
        arrived(shared, received, input)
    })
}

fn outside() -> Failure {
    Failure::new(status::ERR_CONTEXT, "the caller runs in no coroutine")
}

fn arrived(shared: &Shared, received: Pointer, input: *mut Pointer) -> Outcome {
    if shared.ending.get() {
        return Err(Failure::new(
            status::ERR_CANCELLED,
            "the coroutine is being destroyed",
        ));
    }
    // SAFETY: NULL, or the place of the caller of the exported function.
    unsafe { write_if(input, received) };
    Ok(())
}

/// Goes on in another coroutine.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_switch(
    other: *mut corun_coroutine,
    input: Pointer,
    received: *mut Pointer,
) -> Status {
    let Some(shared) = running() else {
        // SAFETY: the same contract.
        return unsafe { corun_coroutine_resume(other, input, received) };
    };
    call(|| {
        let routine = visit(other)?;
        let next = routine.get()?;
        if next.bare.status() != Life::Suspended {
            return Err(Failure::state("the other coroutine is not suspended"));
        }
        next.shared.started.set(true);
        next.shared.resumer.set(shared.resumer.get());
        RUNNING.set(&raw const *next.shared);
        // SAFETY: the coroutine is active, and this is its code.
        let suspender = unsafe { &*shared.suspender.get() };
        match suspender.transfer(&next.bare, input) {
            Ok(value) => arrived(shared, value, received),
            Err(error) => {
                RUNNING.set(shared);
                Err(Failure::state(error.to_string()))
            }
        }
    })
}

/// Runs it to its end and frees it.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_join(
    coroutine: *mut corun_coroutine,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let routine = visit(coroutine)?;
        let value = loop {
            match routine.get()?.resume(ptr::null_mut())? {
                Resumed::Return(value) => break value,
                Resumed::Yield(_) => {}
            }
        };
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(result, value) };
        table::release::<Own, _>(coroutine).map(drop)
    })
}

/// Frees a coroutine.
#[unsafe(no_mangle)]
pub extern "C" fn corun_coroutine_destroy(coroutine: *mut corun_coroutine) -> Status {
    call(|| destroy(coroutine))
}

pub(crate) fn destroy(coroutine: *mut corun_coroutine) -> Outcome {
    let visited = visit(coroutine)?;
    let routine = visited.get()?;
    match routine.state() {
        0 | DONE => {}
        2 => {
            routine.shared.ending.set(true);
            if let Resumed::Yield(_) = routine.resume(ptr::null_mut())? {
                return Err(Failure::state(
                    "the coroutine has yielded again while it was being destroyed",
                ));
            }
        }
        _ => return Err(Failure::state("the coroutine is active")),
    }
    table::release::<Own, _>(coroutine).map(drop)
}

/// The state of a coroutine.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_state(
    coroutine: *mut corun_coroutine,
    state: *mut i32,
) -> Status {
    call(|| {
        let now = state_of(coroutine)?;
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(state, now) }
    })
}

pub(crate) fn state_of(coroutine: *mut corun_coroutine) -> Outcome<i32> {
    Ok(visit(coroutine)?.get()?.state())
}

/// Resumes with nothing, for a schedule.
pub(crate) fn step(coroutine: *mut corun_coroutine) -> Outcome {
    visit(coroutine)?.get()?.resume(ptr::null_mut()).map(drop)
}

/// Has it returned?
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_is_complete(
    coroutine: *mut corun_coroutine,
    complete: *mut i32,
) -> Status {
    call(|| {
        let is_complete = state_of(coroutine)? == DONE;
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(complete, i32::from(is_complete)) }
    })
}

/// The innermost coroutine.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_coroutine_running(coroutine: *mut *mut corun_coroutine) -> Status {
    call(|| {
        let handle = running().map(|shared| shared.handle.get());
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(coroutine, handle.ok_or_else(outside)?) }
    })
}
