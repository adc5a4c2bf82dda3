//! Stacks from Windows.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use super::{DEFAULT_SIZE, Stack, StackError};

/// Below each stack, never accessible.
const GUARD: usize = 64 * 1024;

const MEM_COMMIT: u32 = 0x1000;
const MEM_RESERVE: u32 = 0x2000;
const MEM_RELEASE: u32 = 0x8000;
const PAGE_READWRITE: u32 = 0x04;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn VirtualAlloc(address: *mut c_void, size: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(address: *mut c_void, size: usize, kind: u32) -> i32;
}

/// A guarded stack of [`DEFAULT_SIZE`] bytes.
///
/// All of it is committed, so it counts against the system's commit limit, but takes memory page by page as it is touched.
#[derive(Debug)]
pub struct DefaultStack {
    base: NonNull<u8>,
}

impl DefaultStack {
    /// Asks the system for a stack.
    ///
    /// # Errors
    /// If it has no memory for one.
    pub fn new() -> Result<DefaultStack, StackError> {
        let failed = || {
            StackError::map(
                DEFAULT_SIZE,
                std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
            )
        };
        // SAFETY: reserving fresh memory.
        let base = unsafe {
            VirtualAlloc(
                ptr::null_mut(),
                GUARD + DEFAULT_SIZE,
                MEM_RESERVE,
                PAGE_READWRITE,
            )
        };
        let stack = DefaultStack {
            base: NonNull::new(base.cast()).ok_or_else(failed)?,
        };
        // SAFETY: all but the guard of what was just reserved. If it fails, `stack` frees the reservation.
        let usable = unsafe {
            VirtualAlloc(
                stack.limit().cast(),
                DEFAULT_SIZE,
                MEM_COMMIT,
                PAGE_READWRITE,
            )
        };
        if usable.is_null() {
            Err(failed())
        } else {
            Ok(stack)
        }
    }
}

impl Drop for DefaultStack {
    fn drop(&mut self) {
        // SAFETY: this is what `new` reserved, and nobody else uses it.
        let freed = unsafe { VirtualFree(self.base.as_ptr().cast(), 0, MEM_RELEASE) };
        debug_assert_ne!(freed, 0);
    }
}

// SAFETY: the committed part of a reservation that is this value's alone; both ends are multiples of a page.
unsafe impl Stack for DefaultStack {
    fn top(&self) -> *mut u8 {
        self.limit().wrapping_add(DEFAULT_SIZE)
    }

    fn limit(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(GUARD)
    }
}
