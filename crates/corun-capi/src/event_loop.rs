//! `event_loop.h`: a runtime that a host drives. Events are in `event.rs`.

use std::cell::Cell;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use corun::runtime::LocalRuntime;

use crate::call::{Patience, call, required, write, write_if};
use crate::failure::{Failure, Outcome};
use crate::launch::Launch;
use crate::own_thread::OwnThread;
use crate::runtime::{Runtime, corun_runtime};
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::task;
use crate::value::{Call, Function, Pointer};

/// `corun_event_loop`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_event_loop {
    _private: [u8; 0],
}

struct Hosted {
    runtime: LocalRuntime,
    driven: Cell<bool>,
}

type Own = OwnThread<Hosted>;

impl Object for Own {
    const KIND: Kind = Kind::EventLoop;
    const NAME: &'static str = "event loop";
}

fn visit(event_loop: *mut corun_event_loop) -> Outcome<Visit<Own>> {
    table::visit(event_loop)
}

impl Hosted {
    fn drive<R>(&self, f: impl FnOnce(&LocalRuntime) -> R) -> Outcome<R> {
        self.undriven()?;
        self.driven.set(true);
        let result = f(&self.runtime);
        self.driven.set(false);
        Ok(result)
    }

    fn undriven(&self) -> Outcome {
        if self.driven.get() {
            return Err(Failure::new(
                status::ERR_CONTEXT,
                "a task of the loop cannot drive it, nor end it",
            ));
        }
        Ok(())
    }
}

/// Makes a loop.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_create(event_loop: *mut *mut corun_event_loop) -> Status {
    call(|| {
        required(event_loop)?;
        let handle = table::insert(OwnThread::new(Hosted {
            runtime: LocalRuntime::new()?,
            driven: Cell::new(false),
        }))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(event_loop, handle) }
    })
}

/// Runs what is ready, once round.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_poll(
    event_loop: *mut corun_event_loop,
    more: *mut i32,
) -> Status {
    call(|| {
        let is_ready = visit(event_loop)?.get()?.drive(LocalRuntime::poll)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(more, i32::from(is_ready)) };
        Ok(())
    })
}

/// Runs until nothing is ready.
#[unsafe(no_mangle)]
pub extern "C" fn corun_event_loop_run_until_idle(event_loop: *mut corun_event_loop) -> Status {
    call(|| {
        visit(event_loop)?
            .get()?
            .drive(LocalRuntime::run_until_idle)
    })
}

/// Runs a function as a task, and all others beside it.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_run(
    event_loop: *mut corun_event_loop,
    function: Function,
    argument: Pointer,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let visited = visit(event_loop)?;
        let hosted = visited.get()?;
        hosted.undriven()?;
        let launch = Launch::plain(Call::new(function)?, argument);
        let task = launch.on(Some(hosted.runtime.handle().clone())).start()?;
        // SAFETY: NULL, or the caller's.
        let join = || corun::shield(|| unsafe { task::join(&task, Patience::Endless, result) });
        hosted.drive(|runtime| runtime.block_on(join))?
    })
}

/// What the host can wait on.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_descriptor(
    event_loop: *mut corun_event_loop,
    descriptor: *mut i32,
) -> Status {
    call(|| {
        let number = visit(event_loop)?.get()?.runtime.as_raw_fd();
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(descriptor, number) }
    })
}

/// When the host has to poll.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_next_timeout(
    event_loop: *mut corun_event_loop,
    timeout: *mut i64,
) -> Status {
    call(|| {
        let left = match visit(event_loop)?.get()?.runtime.next_deadline() {
            None => -1,
            Some(deadline) => {
                let left = deadline.saturating_duration_since(corun::time::now());
                i64::try_from(left.as_nanos()).unwrap_or(i64::MAX)
            }
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(timeout, left) }
    })
}

/// The loop as a runtime.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_event_loop_runtime(
    event_loop: *mut corun_event_loop,
    runtime: *mut *mut corun_runtime,
) -> Status {
    call(|| {
        required(runtime)?;
        let handle = visit(event_loop)?.get()?.runtime.handle().clone();
        let handle = table::insert(Runtime::hosted(handle))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(runtime, handle) }
    })
}

/// How long the host's thread sleeps between two attempts to end what is left.
const STEP: Duration = Duration::from_millis(10);

/// Ends the loop.
#[unsafe(no_mangle)]
pub extern "C" fn corun_event_loop_release(
    event_loop: *mut corun_event_loop,
    timeout: i64,
) -> Status {
    call(|| {
        let visited = visit(event_loop)?;
        let hosted = visited.get()?;
        hosted.undriven()?;
        let deadline = match Patience::of(timeout) {
            Patience::Endless => None,
            Patience::For(time) => Instant::now().checked_add(time),
            Patience::None => Some(Instant::now()),
        };
        let mut left = true;
        loop {
            let was_left = corun::__private::wind_up(&hosted.runtime);
            hosted.drive(LocalRuntime::run_until_idle)?;
            // The first look is from before anybody has heard of the cancellation.
            left = left && (was_left && corun::__private::wind_up(&hosted.runtime));
            if !left || deadline.is_some_and(|deadline| deadline <= Instant::now()) {
                break;
            }
            wait(hosted.runtime.as_raw_fd());
        }
        // Nobody else can be inside: they would be on this thread.
        table::release::<Own, _>(event_loop).map(drop)?;
        if left {
            return Err(Failure::state(
                "tasks of the loop did not end when they were cancelled, and stay suspended for ever",
            ));
        }
        Ok(())
    })
}

fn wait(descriptor: i32) {
    let mut polled = libc::pollfd {
        fd: descriptor,
        events: libc::POLLIN,
        revents: 0,
    };
    // SAFETY: one entry, which is there. Whatever comes of it, the loop is driven again.
    unsafe { libc::poll(&raw mut polled, 1, STEP.as_millis() as i32) };
}
