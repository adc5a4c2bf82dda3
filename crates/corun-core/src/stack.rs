//! Stacks from the heap.

use alloc::alloc::{Layout, alloc, dealloc};
use core::fmt;
use core::ptr::NonNull;

use corun_context::stack::Stack;

/// A stack from the heap, without a guard.
#[derive(Debug)]
pub struct HeapStack {
    memory: NonNull<u8>,
    layout: Layout,
}

// SAFETY: the memory is the value's alone, and may be freed from anywhere.
unsafe impl Send for HeapStack {}
// SAFETY: its methods on `&self` only compute addresses.
unsafe impl Sync for HeapStack {}

impl HeapStack {
    /// The smallest stack: room for the executor's own frames, and little else.
    pub const MIN_SIZE: usize = 4096;

    /// Takes `size` bytes from the heap, rounded up to 16.
    ///
    /// # Errors
    /// If the heap does not have them, or `size` is less than [`MIN_SIZE`](Self::MIN_SIZE).
    ///
    /// # Safety
    /// Code that runs on the stack must never need more than there is, interrupt handlers included that run on the stack which they
    /// interrupt. An overflow overwrites whatever lies below; see the crate's documentation about how it is found out.
    pub unsafe fn new(size: usize) -> Result<HeapStack, NoStack> {
        let layout = (size >= Self::MIN_SIZE)
            .then(|| size.checked_next_multiple_of(16))
            .flatten()
            .and_then(|size| Layout::from_size_align(size, 16).ok())
            .ok_or(NoStack { size })?;
        // SAFETY: the layout is not empty.
        let memory = NonNull::new(unsafe { alloc(layout) }).ok_or(NoStack { size })?;
        Ok(HeapStack { memory, layout })
    }
}

impl Drop for HeapStack {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout.
        unsafe { dealloc(self.memory.as_ptr(), self.layout) }
    }
}

// SAFETY: the bounds of memory that is this value's alone; its end is aligned as its beginning is.
unsafe impl Stack for HeapStack {
    fn top(&self) -> *mut u8 {
        self.limit().wrapping_add(self.layout.size())
    }

    fn limit(&self) -> *mut u8 {
        self.memory.as_ptr()
    }
}

/// There is no such stack to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoStack {
    size: usize,
}

impl NoStack {
    /// How many bytes were asked for.
    pub fn requested_size(&self) -> usize {
        self.size
    }
}

impl fmt::Display for NoStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (size, least) = (self.size, HeapStack::MIN_SIZE);
        if size < least {
            write!(
                f,
                "a stack of {size} bytes is too small: ask for {least} or more"
            )
        } else {
            write!(f, "the heap has no {size} bytes for a stack")
        }
    }
}

impl core::error::Error for NoStack {}
