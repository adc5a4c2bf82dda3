//! `observe.h`: being told each step that the runtime takes. Empty without the feature `events`, but for the refusal.

use std::ffi::c_void;

use crate::call::call;
use crate::status::Status;

/// `corun_step_kind_t`.
pub const KINDS: [&str; 14] = [
    "TASK_CREATED",
    "TASK_WOKEN",
    "TASK_ENDED",
    "SUSPENDED",
    "RESUMED",
    "FUTURE_PENDING",
    "FUTURE_RESOLVED",
    "FUTURE_REJECTED",
    "TIMER_ARMED",
    "TIMERS_FIRED",
    "IO_REGISTERED",
    "IO_OCCURRED",
    "MESSAGE_SENT",
    "MESSAGE_RECEIVED",
];

/// `corun_step`.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_step {
    pub size: u32,
    pub kind: i32,
    pub subject: u64,
    pub detail: u64,
}

/// `corun_observer`.
pub type Observer = Option<unsafe extern "C-unwind" fn(data: *mut c_void, step: *const corun_step)>;

#[cfg(feature = "events")]
mod told {
    use std::ffi::c_void;

    use corun::inspect::{self, Event};

    use super::corun_step;
    use crate::event;
    use crate::failure::Outcome;
    use crate::own;
    use crate::task;
    use crate::value::Data;

    /// The numbers of [`super::KINDS`], with whom a step is of, and what more there is to say.
    fn step(event: &Event<'_>) -> Option<corun_step> {
        let number = |task: &corun::Coroutine| task.id().get().get();
        let (kind, subject, detail) = match *event {
            Event::TaskCreated(task) => (0, number(task), 0),
            Event::TaskWoken(task) => (1, number(task), 0),
            Event::TaskEnded { task, how, .. } => (2, number(task), task::ended(how)),
            Event::Suspended(task) => (3, number(task), 0),
            Event::Resumed(task) => (4, number(task), 0),
            Event::FuturePending { future, .. } => (5, future as u64, 0),
            Event::FutureResolved { future, .. } => (6, future as u64, 0),
            Event::FutureRejected { future, .. } => (7, future as u64, 0),
            Event::TimerArmed { deadline, .. } => (8, own::nanoseconds(deadline) as u64, 0),
            Event::TimersFired { count, .. } => (9, count as u64, 0),
            Event::IoRegistered { descriptor, .. } => (10, descriptor, 0),
            Event::IoOccurred {
                descriptor,
                readable,
                writable,
                ..
            } => {
                let read = if readable { event::READ } else { 0 };
                let write = if writable { event::WRITE } else { 0 };
                (11, descriptor, u64::from(read | write))
            }
            Event::MessageSent { channel, .. } => (12, channel as u64, 0),
            Event::MessageReceived { channel, .. } => (13, channel as u64, 0),
            // A step that these headers do not know yet.
            _ => return None,
        };
        Some(corun_step {
            size: size_of::<corun_step>() as u32,
            kind,
            subject,
            detail,
        })
    }

    pub(super) fn observe(
        observer: unsafe extern "C-unwind" fn(*mut c_void, *const corun_step),
        data: *mut c_void,
    ) -> Outcome {
        let data = Data(data);
        inspect::observe(move |event: Event<'_>| {
            if let Some(step) = step(&event) {
                // SAFETY: the user has handed it over to be called so.
                unsafe { observer(data.get(), &raw const step) };
            }
        });
        Ok(())
    }

    pub(super) fn stop() {
        inspect::stop_observing();
    }
}

#[cfg(not(feature = "events"))]
mod told {
    use std::ffi::c_void;

    use super::corun_step;
    use crate::failure::{Failure, Outcome};
    use crate::status;

    pub(super) fn observe(
        _: unsafe extern "C-unwind" fn(*mut c_void, *const corun_step),
        _: *mut c_void,
    ) -> Outcome {
        Err(Failure::new(
            status::ERR_UNSUPPORTED,
            "the library was built without its feature `events`",
        ))
    }

    pub(super) fn stop() {}
}

/// Has a function told what happens.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_observe(observer: Observer, data: *mut c_void) -> Status {
    call(|| match observer {
        Some(observer) => told::observe(observer, data),
        None => {
            told::stop();
            Ok(())
        }
    })
}
