//! The bare switch: no ownership, no safety net. Everything else in corun stands on these few items.

use crate::arch;

/// A suspended flow of control: the stack pointer at which it stopped; all other state lies on its stack.
///
/// Zero is never a valid context, so zeroed memory can stand for "none".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Context(pub(crate) usize);

impl Context {
    /// The value that stands for no context.
    pub const NONE: Context = Context(0);

    /// The saved stack pointer, for prefetching and for diagnostics.
    #[inline(always)]
    pub fn stack_pointer(self) -> usize {
        self.0
    }
}

/// Where a suspended context goes on, and the registers that a debugger or unwinder needs to walk its frames. All others that matter lie in the frames.
#[cfg(not(windows))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuspendedAt {
    /// The instruction to continue at.
    pub program_counter: usize,
    /// The stack pointer there, once the switch has taken its own words off the stack.
    pub stack_pointer: usize,
    /// The frame pointer: rbp, x29 or s0.
    pub frame_pointer: usize,
    /// The register that a compiler may use as base pointer: rbx, x19 or s1.
    pub base_pointer: usize,
}

/// Looks where a context is suspended.
///
/// # Safety
/// It must be suspended, by [`switch`], and stay so during the call.
#[cfg(not(windows))]
pub unsafe fn suspended_at(context: Context) -> SuspendedAt {
    // SAFETY: the same contract.
    unsafe { arch::suspended_at(context) }
}

/// What a new context runs first. It gets the value of the first switch to it and must not return.
pub type Entry = unsafe extern "C" fn(usize) -> !;

/// An [`Entry`] that is also told the top of its stack, where its creator may have put something.
pub type EntryWithTop = unsafe extern "C" fn(usize, *mut u8) -> !;

/// How many bytes below the top of a stack [`prepare`] writes to, at the most.
pub const MIN_STACK: usize = 256;

/// Suspends the current context into `*save`, continues `target`, and passes it `arg`.
///
/// Returns the value that whoever continues this context passes in turn.
///
/// # Safety
/// `save` must be valid for a write. `target` must be suspended, on a stack that is still mapped, and be continued on the OS
/// thread that suspended it, unless nothing on it depends on the thread. Each context may be continued once per suspension.
#[inline(always)]
pub unsafe fn switch(save: *mut Context, target: Context, arg: usize) -> usize {
    // SAFETY: the same contract.
    unsafe { arch::switch(save, target, arg) }
}

/// Leaves the current context for good and continues `target`, passing it `arg`.
///
/// # Safety
/// As for [`switch`]; and nothing on the current stack will be used or dropped again.
#[inline(always)]
pub unsafe fn switch_final(target: Context, arg: usize) -> ! {
    // SAFETY: the same contract.
    unsafe { arch::switch_final(target, arg) }
}

/// Makes a context on an unused stack; the first switch to it calls `entry` with the value passed.
///
/// # Safety
/// `top` must be aligned to 16 bytes, with at least [`MIN_STACK`] writable bytes below it, and the stack must outlive the context.
#[inline]
pub unsafe fn prepare(top: *mut u8, entry: Entry) -> Context {
    // SAFETY: the same contract.
    unsafe { arch::prepare(core::ptr::null_mut(), top, entry as *const ()) }
}

/// Like [`prepare`], for an entry that also wants `top` itself, and a system that wants to know where the stack ends (Windows).
///
/// # Safety
/// As for [`prepare`]; `limit` is the lowest address of the stack.
#[inline]
pub unsafe fn prepare_with_top(limit: *mut u8, top: *mut u8, entry: EntryWithTop) -> Context {
    // SAFETY: the same contract.
    unsafe { arch::prepare(limit, top, entry as *const ()) }
}
