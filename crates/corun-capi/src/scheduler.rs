//! `scheduler.h`.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::call::{call, required, write_if};
use crate::failure::Failure;
use crate::slots;
use crate::status::Status;
use crate::value::{Call, Data, Function, Pointer};

/// Lets others run.
#[unsafe(no_mangle)]
pub extern "C" fn corun_yield() -> Status {
    call(|| {
        corun::yield_now();
        Ok(())
    })
}

/// Lets others run if it is time.
#[unsafe(no_mangle)]
pub extern "C" fn corun_checkpoint() -> Status {
    call(|| {
        corun::checkpoint();
        Ok(())
    })
}

/// Calls a function that blocks, on a thread of its own.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_blocking(
    function: Function,
    argument: Pointer,
    result: *mut Pointer,
) -> Status {
    call(|| {
        let function = Call::new(function)?;
        let argument = Data(argument);
        let value = corun::try_blocking(move || Data(function.run(argument.get())))?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(result, value.get()) };
        Ok(())
    })
}

pub(crate) const CREATED: usize = 0;
pub(crate) const COMPLETED: usize = 1;
pub(crate) const FAILED: usize = 2;
pub(crate) const CANCELLED: usize = 3;

/// One for some of the threads, so that they do not share a line.
#[repr(align(64))]
struct Counts([AtomicU64; 4]);

static COUNTS: [Counts; 16] = [const { Counts([const { AtomicU64::new(0) }; 4]) }; 16];

/// Counts what a task has come to.
pub(crate) fn count(what: usize) {
    let mine = &COUNTS[slots::shard() % COUNTS.len()];
    mine.0[what].fetch_add(1, Ordering::Relaxed);
}

fn sum(what: usize) -> u64 {
    let counts = COUNTS
        .iter()
        .map(|counts| counts.0[what].load(Ordering::Relaxed));
    counts.sum()
}

/// `corun_statistics`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(non_camel_case_types, missing_docs)]
pub struct corun_statistics {
    pub size: u32,
    pub reserved: u32,
    pub tasks_created: u64,
    pub tasks_completed: u64,
    pub tasks_failed: u64,
    pub tasks_cancelled: u64,
    pub handles: u64,
}

/// What has happened in this process.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_get_statistics(statistics: *mut corun_statistics) -> Status {
    call(|| {
        required(statistics)?;
        // SAFETY: not NULL, and the caller's; the size is there in any case.
        let size = unsafe { (*statistics).size } as usize;
        if size < 8 {
            return Err(Failure::invalid(
                "the field `size` of the statistics is not set",
            ));
        }
        let known = corun_statistics {
            size: size as u32,
            reserved: 0,
            // The ends first, so that there never are more of them than beginnings.
            tasks_completed: sum(COMPLETED),
            tasks_failed: sum(FAILED),
            tasks_cancelled: sum(CANCELLED),
            tasks_created: sum(CREATED),
            handles: slots::live(),
        };
        // SAFETY: so many bytes are the caller's.
        unsafe {
            std::ptr::copy_nonoverlapping(
                (&raw const known).cast::<u8>(),
                statistics.cast::<u8>(),
                size.min(size_of::<corun_statistics>()),
            );
        }
        Ok(())
    })
}
