//! The stack that a coroutine gets if nothing else is said.

use core::cell::RefCell;

use super::{DEFAULT_SIZE, SlabStack, Stack, StackError, StackPool};

/// Unused stacks that a thread keeps for itself; it gives any more back.
const KEPT: usize = 64;

std::thread_local! {
    static UNUSED: RefCell<StackPool> = RefCell::new(StackPool::new(DEFAULT_SIZE));
}

/// A guarded stack of [`DEFAULT_SIZE`] usable bytes, from a pool that belongs to the thread.
#[derive(Debug)]
pub struct DefaultStack {
    /// `None` while it is being dropped.
    stack: Option<SlabStack>,
}

impl DefaultStack {
    /// Takes a stack that this thread used before, or a new one.
    ///
    /// # Errors
    /// If the system gives no memory for another.
    pub fn new() -> Result<DefaultStack, StackError> {
        // While the thread ends its pool may be gone.
        let stack = UNUSED
            .try_with(|unused| unused.borrow_mut().take())
            .unwrap_or_else(|_| StackPool::new(DEFAULT_SIZE).take())?;
        Ok(DefaultStack { stack: Some(stack) })
    }

    fn stack(&self) -> &SlabStack {
        self.stack
            .as_ref()
            .expect("the stack is there until the drop")
    }
}

impl Drop for DefaultStack {
    fn drop(&mut self) {
        let mut stack = self.stack.take();
        let _ = UNUSED.try_with(|unused| {
            let mut unused = unused.borrow_mut();
            if unused.len() < KEPT
                && let Some(stack) = stack.take()
            {
                unused.put(stack);
            }
        });
    }
}

// SAFETY: these are the bounds of a stack that is this value's alone.
unsafe impl Stack for DefaultStack {
    fn top(&self) -> *mut u8 {
        self.stack().top()
    }

    fn limit(&self) -> *mut u8 {
        self.stack().limit()
    }
}
