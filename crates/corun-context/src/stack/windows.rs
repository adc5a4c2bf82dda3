//! Stacks from Windows.
//!
//! All of a stack is committed at once, so it counts against the system's commit limit, but takes memory page by page as it is touched. The
//! guard is reserved only: an overflow is an access violation, which ends the process. The page-by-page growth that Windows
//! gives its own stacks is of no use here: it works on the stack that the thread was made with.

use core::ffi::c_void;
use core::ptr::{self, NonNull};

use super::{DEFAULT_SIZE, GUARD, MAX_SIZE, MIN_SIZE, Stack, StackError};

const MEM_COMMIT: u32 = 0x1000;
const MEM_RESERVE: u32 = 0x2000;
const MEM_RELEASE: u32 = 0x8000;
const PAGE_READWRITE: u32 = 0x04;

/// On every architecture that Windows runs on.
const PAGE: usize = 4096;

#[link(name = "kernel32")]
unsafe extern "system" {
    fn VirtualAlloc(address: *mut c_void, size: usize, kind: u32, protection: u32) -> *mut c_void;
    fn VirtualFree(address: *mut c_void, size: usize, kind: u32) -> i32;
}

/// A stack in memory of its own, protected by a guard of 64 KiB of reserved, inaccessible memory.
#[derive(Debug)]
pub struct OsStack {
    base: NonNull<u8>,
    /// Usable bytes.
    size: usize,
}

// SAFETY: it owns its memory, which no thread is tied to.
unsafe impl Send for OsStack {}
// SAFETY: its methods on `&self` only compute addresses.
unsafe impl Sync for OsStack {}

impl OsStack {
    /// Asks the system for a stack of `size` usable bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    ///
    /// # Examples
    /// ```
    /// use corun_context::stack::{OsStack, Stack};
    ///
    /// let stack = OsStack::new(1 << 20)?;
    /// assert_eq!(stack.top() as usize - stack.limit() as usize, 1 << 20);
    /// # Ok::<(), corun_context::stack::StackError>(())
    /// ```
    pub fn new(size: usize) -> Result<OsStack, StackError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return Err(StackError::size(size));
        }
        let failed = || {
            StackError::map(
                size,
                std::io::Error::last_os_error().raw_os_error().unwrap_or(0),
            )
        };
        let rounded = size.next_multiple_of(PAGE);
        // SAFETY: reserving fresh memory.
        let base = unsafe {
            VirtualAlloc(
                ptr::null_mut(),
                GUARD + rounded,
                MEM_RESERVE,
                PAGE_READWRITE,
            )
        };
        let base = NonNull::new(base.cast()).ok_or_else(failed)?;
        // From here on the reservation has an owner.
        let stack = OsStack {
            base,
            size: rounded,
        };
        // SAFETY: all but the guard of what was just reserved.
        let usable =
            unsafe { VirtualAlloc(stack.limit().cast(), rounded, MEM_COMMIT, PAGE_READWRITE) };
        if usable.is_null() {
            Err(failed())
        } else {
            Ok(stack)
        }
    }
}

impl Drop for OsStack {
    fn drop(&mut self) {
        // SAFETY: this is what `new` reserved, and nobody else uses it.
        let freed = unsafe { VirtualFree(self.base.as_ptr().cast(), 0, MEM_RELEASE) };
        debug_assert_ne!(freed, 0);
    }
}

// SAFETY: the committed part of a reservation that is this value's alone; both ends are multiples of a page.
unsafe impl Stack for OsStack {
    fn top(&self) -> *mut u8 {
        self.limit().wrapping_add(self.size)
    }

    fn limit(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(GUARD)
    }
}

/// A guarded stack of [`DEFAULT_SIZE`] usable bytes.
#[derive(Debug)]
pub struct DefaultStack(OsStack);

impl DefaultStack {
    /// Asks the system for a stack.
    ///
    /// # Errors
    /// If it has no memory for one.
    pub fn new() -> Result<DefaultStack, StackError> {
        OsStack::new(DEFAULT_SIZE).map(DefaultStack)
    }
}

// SAFETY: the bounds of the stack that this value owns.
unsafe impl Stack for DefaultStack {
    fn top(&self) -> *mut u8 {
        self.0.top()
    }

    fn limit(&self) -> *mut u8 {
        self.0.limit()
    }
}
