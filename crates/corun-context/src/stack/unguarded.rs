//! Stacks on memory that somebody else looks after.

use core::ptr::NonNull;

use super::Stack;

/// A stack on memory of the caller's, without a guard.
///
/// An overflow of it overwrites whatever lies below. It is for kernels and microcontrollers, and for stacks whose depth is known.
#[derive(Debug)]
pub struct UnguardedStack {
    top: NonNull<u8>,
    limit: NonNull<u8>,
}

// SAFETY: the memory is the value's alone, by the constructor's contract, and no thread is tied to it.
unsafe impl Send for UnguardedStack {}
// SAFETY: its methods on `&self` only compute addresses.
unsafe impl Sync for UnguardedStack {}

impl UnguardedStack {
    /// A stack on the `size` bytes from `memory` on. A few bytes at the upper end are lost if that is not aligned to 16 bytes.
    ///
    /// # Safety
    /// The memory must be readable and writable, and used by nobody else until the value is dropped. Code that runs on the stack must
    /// never need more than there is.
    ///
    /// # Examples
    /// ```
    /// use core::ptr::NonNull;
    /// use corun_context::stack::{Stack, UnguardedStack};
    ///
    /// let memory = NonNull::from(Box::leak(Box::new([0u128; 4096]))).cast::<u8>();
    /// // SAFETY: the memory is leaked, so that it is the stack's for ever; nothing deep is going to run on it.
    /// let stack = unsafe { UnguardedStack::new(memory, 65536) };
    /// assert_eq!(stack.limit(), memory.as_ptr());
    /// ```
    pub unsafe fn new(memory: NonNull<u8>, size: usize) -> UnguardedStack {
        let end = memory.as_ptr().wrapping_add(size);
        let excess = (end as usize % 16).min(size);
        // SAFETY: within the caller's memory, or at its end.
        let top = unsafe { memory.add(size - excess) };
        UnguardedStack { top, limit: memory }
    }
}

// SAFETY: the constructor's contract.
unsafe impl Stack for UnguardedStack {
    fn top(&self) -> *mut u8 {
        self.top.as_ptr()
    }

    fn limit(&self) -> *mut u8 {
        self.limit.as_ptr()
    }
}
