//! `channel.h`: sending and receiving.

use std::ffi::c_void;

use crate::call::{Patience, call, required};
use crate::channel::{End, corun_channel, visit};
use crate::failure::{Failure, Outcome};
use crate::status::{self, Status};
use crate::table::Visit;
use crate::value::Pointer;

#[inline]
unsafe fn send(channel: *mut corun_channel, element: Pointer, patience: Patience) -> Status {
    call(|| {
        let end = visit(channel)?;
        if end.channel.size != 0 {
            required(element)?;
        }
        // SAFETY: an element is there, says the caller.
        unsafe { end.send(element.cast(), patience) }
    })
}

#[inline]
unsafe fn receive_to(channel: *mut corun_channel, element: Pointer, patience: Patience) -> Status {
    call(|| {
        let end = visit(channel)?;
        if end.channel.size != 0 {
            required(element)?;
        }
        end.may_receive()?;
        // SAFETY: there is room for an element, says the caller.
        unsafe { end.channel.receive(element.cast(), patience) }
    })
}

/// Sends.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_send(
    channel: *mut corun_channel,
    element: *const c_void,
) -> Status {
    // SAFETY: the same contract.
    unsafe { send(channel, element.cast_mut(), Patience::Endless) }
}

/// Sends, waiting for so long.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_send_timeout(
    channel: *mut corun_channel,
    element: *const c_void,
    timeout: i64,
) -> Status {
    // SAFETY: the same contract.
    let status = unsafe { send(channel, element.cast_mut(), Patience::of(timeout)) };
    timed(status)
}

/// Sends without waiting.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_try_send(
    channel: *mut corun_channel,
    element: *const c_void,
) -> Status {
    // SAFETY: the same contract.
    unsafe { send(channel, element.cast_mut(), Patience::None) }
}

/// Receives.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_receive(
    channel: *mut corun_channel,
    element: Pointer,
) -> Status {
    // SAFETY: the same contract.
    unsafe { receive_to(channel, element, Patience::Endless) }
}

/// Receives, waiting for so long.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_receive_timeout(
    channel: *mut corun_channel,
    element: Pointer,
    timeout: i64,
) -> Status {
    // SAFETY: the same contract.
    let status = unsafe { receive_to(channel, element, Patience::of(timeout)) };
    timed(status)
}

/// Receives without waiting.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_try_receive(
    channel: *mut corun_channel,
    element: Pointer,
) -> Status {
    // SAFETY: the same contract.
    unsafe { receive_to(channel, element, Patience::None) }
}

/// What had no time at all is out of time.
fn timed(status: Status) -> Status {
    if status == status::ERR_WOULD_BLOCK {
        status::ERR_TIMEDOUT
    } else {
        status
    }
}

fn of_eight_bytes(channel: *mut corun_channel) -> Outcome<Visit<End>> {
    let end = visit(channel)?;
    match end.channel.size {
        8 => Ok(end),
        size => Err(Failure::invalid(format!(
            "the channel's elements have {size} bytes, and not 8"
        ))),
    }
}

/// Sends a word.
#[unsafe(no_mangle)]
pub extern "C" fn corun_channel_send_u64(channel: *mut corun_channel, element: u64) -> Status {
    call(|| {
        let end = of_eight_bytes(channel)?;
        // SAFETY: an element has eight bytes.
        unsafe { end.send((&raw const element).cast(), Patience::Endless) }
    })
}

/// Receives a word.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_receive_u64(
    channel: *mut corun_channel,
    element: *mut u64,
) -> Status {
    call(|| {
        required(element)?;
        let end = of_eight_bytes(channel)?;
        end.may_receive()?;
        // SAFETY: an element has eight bytes.
        unsafe { end.channel.receive(element.cast(), Patience::Endless) }
    })
}
