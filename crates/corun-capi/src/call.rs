//! The border: what every exported function goes through.
//!
//! - Nothing unwinds into the caller's frames. A panic is caught here and becomes `CORUN_ERR_PANIC`.
//! - corun cancels by unwinding out of a wait. The unwinding is caught here as well, where it has crossed no frame but the library's own, and becomes
//!   `CORUN_ERR_CANCELLED`. What was cancelled stays so: the next wait begins to unwind anew, and is caught again. So the happy path costs
//!   nothing, and C code is never unwound.
//! - What a task has asked to keep across waits (`registers.rs`) is put away here, since any exported function may wait.
//!
//! Rejected: a token for each call that waits (a lock and a list entry for each, where `catch_unwind` is free).

use std::any::Any;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::slice;
use std::time::Duration;

use corun::__private::is_cancellation;

use crate::failure::{Failure, Outcome};
use crate::own;
use crate::registers;
use crate::status::{self, Status};

#[cfg(not(panic = "unwind"))]
compile_error!(
    "cancellation and panics are turned into codes by catching them: build corun-capi with panic = \"unwind\""
);
#[cfg(not(target_pointer_width = "64"))]
compile_error!("handles are numbers of 64 bits in the shape of pointers");

/// Runs an exported function's body.
#[inline]
pub(crate) fn call(body: impl FnOnce() -> Outcome) -> Status {
    let kept = registers::put_away();
    let result = catch_unwind(AssertUnwindSafe(body));
    if let Some(kept) = kept {
        kept.put_back();
    }
    match result {
        Ok(Ok(())) => status::OK,
        Ok(Err(failure)) => failure.record(),
        Err(payload) => unwound(payload),
    }
}

#[cold]
#[inline(never)]
fn unwound(payload: Box<dyn Any + Send>) -> Status {
    if is_cancellation(&*payload) {
        own::notice_cancellation();
        return Failure::cancelled().record();
    }
    let message = match (
        payload.downcast_ref::<&str>(),
        payload.downcast_ref::<String>(),
    ) {
        (Some(text), _) => (*text).to_string(),
        (_, Some(text)) => text.clone(),
        _ => "a panic without words".to_string(),
    };
    // Its destructor might panic in turn.
    mem::forget(payload);
    Failure::new(status::ERR_PANIC, message).record()
}

/// How long a caller will wait.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    None,
    For(Duration),
    Endless,
}

impl Patience {
    pub(crate) fn of(timeout: i64) -> Patience {
        match u64::try_from(timeout) {
            Err(_) => Patience::Endless,
            Ok(0) => Patience::None,
            Ok(nanoseconds) => Patience::For(Duration::from_nanos(nanoseconds)),
        }
    }

    /// Runs something that waits, for no longer than this; without patience it is not to be called.
    pub(crate) fn within<T>(self, wait: impl FnOnce() -> T) -> Outcome<T> {
        match self {
            Patience::Endless => Ok(wait()),
            Patience::For(time) => {
                corun::timeout(time, wait).map_err(|_| Failure::ordinary(status::ERR_TIMEDOUT))
            }
            Patience::None => Err(Failure::ordinary(status::ERR_WOULD_BLOCK)),
        }
    }
}

/// A duration; what is below 0 is none.
pub(crate) fn duration(nanoseconds: i64) -> Duration {
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(0))
}

/// Writes an out parameter that must be there.
///
/// # Safety
/// `place` is NULL, or the caller's to write a `T` to.
pub(crate) unsafe fn write<T>(place: *mut T, value: T) -> Outcome {
    required(place)?;
    // SAFETY: promised by the caller, and not NULL.
    unsafe { place.write(value) };
    Ok(())
}

/// Writes an out parameter that may be NULL.
///
/// # Safety
/// As for [`write`].
pub(crate) unsafe fn write_if<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: promised by the caller, and not NULL.
        unsafe { place.write(value) };
    }
}

/// # Errors
/// If it is NULL.
pub(crate) fn required<T: ?Sized>(place: *const T) -> Outcome {
    if place.is_null() {
        return Err(Failure::invalid("a pointer is NULL that must not be"));
    }
    Ok(())
}

/// A list of the caller's. If it is empty, `first` may be NULL.
///
/// # Safety
/// So many are there, for as long as the caller of this needs them.
pub(crate) unsafe fn several<'a, T>(first: *const T, count: usize) -> Outcome<&'a [T]> {
    if count == 0 {
        return Ok(&[]);
    }
    required(first)?;
    // SAFETY: promised by the caller, and not NULL.
    Ok(unsafe { slice::from_raw_parts(first, count) })
}

/// Reads a structure whose first field says how many of its fields the caller knows: the rest are zero.
///
/// # Safety
/// `options` is NULL or points to as many bytes as its `u32` at the beginning says. All zeros are a valid `T`, as are the bytes that are there.
pub(crate) unsafe fn sized<T>(options: *const T) -> Outcome<Option<T>> {
    if options.is_null() {
        return Ok(None);
    }
    // SAFETY: the first field is there in any case.
    let size = unsafe { options.cast::<u32>().read() } as usize;
    // Of whatever version, it ends with a whole field: half a pointer would be called, or read.
    if size == 0 || size > 4096 || !size.is_multiple_of(align_of::<T>()) {
        return Err(Failure::invalid(format!(
            "the field `size` is {size}; expected the size of the structure, {}",
            size_of::<T>()
        )));
    }
    // SAFETY: zeros are valid.
    let mut known: T = unsafe { mem::zeroed() };
    // SAFETY: so many bytes are there, and there is room for them.
    unsafe {
        ptr::copy_nonoverlapping(
            options.cast::<u8>(),
            (&raw mut known).cast::<u8>(),
            size.min(size_of::<T>()),
        );
    }
    Ok(Some(known))
}
