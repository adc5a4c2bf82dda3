//! `channel.h`: select.

use std::slice;

use corun::channel::internal::Few;
use corun::channel::{Select, SelectedOperation};

use crate::call::{Patience, call, required, write};
use crate::channel::{End, corun_channel, visit};
use crate::element::Element;
use crate::failure::{Failure, Outcome};
use crate::lane::{Ends, Lane, each_lane};
use crate::own;
use crate::status::{self, Status};
use crate::table::Visit;
use crate::value::Pointer;

/// `CORUN_SELECT_RECEIVE` and `CORUN_SELECT_SEND`.
pub const RECEIVE: i32 = 0;
/// See [`RECEIVE`].
pub const SEND: i32 = 1;

/// `corun_select_case`.
#[repr(C)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_select_case {
    pub channel: *mut corun_channel,
    pub element: Pointer,
    pub operation: i32,
    pub status: Status,
}

/// An arm that can be chosen, with its place among those of the caller.
struct Arm {
    place: usize,
    end: Visit<End>,
    sends: bool,
    element: Pointer,
}

impl Arm {
    fn new(place: usize, case: &corun_select_case) -> Outcome<Arm> {
        let end = visit(case.channel)?;
        let sends = match case.operation {
            SEND => true,
            RECEIVE => false,
            other => {
                return Err(Failure::invalid(format!(
                    "{other} is no operation of select"
                )));
            }
        };
        if sends {
            end.may_send()?;
        } else {
            end.may_receive()?;
        }
        if end.channel.size != 0 {
            required(case.element)?;
        }
        Ok(Arm {
            place,
            end,
            sends,
            element: case.element,
        })
    }

    fn add<'a>(&'a self, select: &mut Select<'a>) {
        let sends = self.sends;
        each_lane!(&self.end.channel.lane,
            ends => if sends { select.send(&ends.sender) } else { select.recv(&ends.receiver) },
            time => select.recv(time));
    }

    /// # Safety
    /// The element is there to be read or written.
    unsafe fn perform(&self, chosen: SelectedOperation<'_>) -> Status {
        let size = self.end.channel.size;
        each_lane!(&self.end.channel.lane,
        // SAFETY: promised by the caller.
        ends => unsafe { perform(ends, chosen, self.sends, self.element.cast(), size) },
        time => match chosen.recv(time) {
            Ok(now) => {
                // SAFETY: promised by the caller; an element has eight bytes here.
                unsafe { self.element.cast::<i64>().write_unaligned(own::nanoseconds(now)) };
                status::OK
            }
            Err(_) => status::ERR_CLOSED,
        })
    }
}

/// # Safety
/// An element of `size` bytes is at `element`, to be read or written.
unsafe fn perform<T: Element>(
    ends: &Ends<T>,
    chosen: SelectedOperation<'_>,
    sends: bool,
    element: *mut u8,
    size: usize,
) -> Status {
    if sends {
        // SAFETY: promised by the caller.
        let message = unsafe { T::read(element, size) };
        match chosen.send(&ends.sender, message) {
            Ok(()) => status::OK,
            Err(_) => status::ERR_CLOSED,
        }
    } else {
        match chosen.recv(&ends.receiver) {
            Ok(message) => {
                // SAFETY: promised by the caller.
                unsafe { message.write(element, size) };
                status::OK
            }
            Err(_) => status::ERR_CLOSED,
        }
    }
}

/// Does one of several operations.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_select(
    cases: *mut corun_select_case,
    count: usize,
    timeout: i64,
    chosen: *mut usize,
) -> Status {
    call(|| {
        required(chosen)?;
        let cases = if count == 0 {
            &mut []
        } else {
            required(cases)?;
            // SAFETY: so many are there, says the caller.
            unsafe { slice::from_raw_parts_mut(cases, count) }
        };
        let mut arms: Few<Arm, 4> = Few::new();
        for (place, case) in cases.iter().enumerate() {
            if case.channel.is_null() {
                continue;
            }
            match Arm::new(place, case) {
                Ok(arm) => arms.push(arm),
                Err(failure) => {
                    // SAFETY: not NULL, and the caller's.
                    unsafe { write(chosen, place)? };
                    return Err(failure);
                }
            }
        }
        let mut select = Select::new();
        for arm in &*arms {
            arm.add(&mut select);
        }
        let operation = match Patience::of(timeout) {
            Patience::None => select
                .try_select()
                .map_err(|_| Failure::ordinary(status::ERR_WOULD_BLOCK))?,
            Patience::For(time) => select
                .select_timeout(time)
                .map_err(|_| Failure::ordinary(status::ERR_TIMEDOUT))?,
            Patience::Endless if arms.is_empty() => loop {
                corun::park();
            },
            Patience::Endless => select.select(),
        };
        let arm = &arms[operation.index()];
        // SAFETY: the element is there, says the caller.
        cases[arm.place].status = unsafe { arm.perform(operation) };
        // SAFETY: not NULL, and the caller's.
        unsafe { write(chosen, arm.place) }
    })
}
