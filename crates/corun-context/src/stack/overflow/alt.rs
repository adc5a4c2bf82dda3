//! A stack for signal handlers.

use core::marker::PhantomData;
use core::mem;
use core::ptr::{self, NonNull};

use crate::stack::{StackError, sys};

/// Large enough for the registers of any processor, some 11 KiB, and a handler that prints.
const SIZE: usize = 64 * 1024;

/// A stack of 64 KiB, with a guard, on which the current thread runs its signal handlers until this is dropped.
///
/// The stack that was set before, such as the small one that std gives its threads, is set again then.
#[derive(Debug)]
pub struct AltStack {
    base: NonNull<u8>,
    len: usize,
    previous: libc::stack_t,
    /// It belongs to a thread.
    _not_send: PhantomData<*mut u8>,
}

impl AltStack {
    /// Gives the current thread such a stack.
    ///
    /// # Errors
    /// If the system gives no memory, or the thread is in a signal handler that runs on another such stack.
    ///
    /// # Examples
    /// ```
    /// use corun_context::stack::overflow::{self, AltStack};
    ///
    /// overflow::install()?;
    /// std::thread::spawn(|| {
    ///     let _alt_stack = AltStack::install()?;
    ///     // ... run coroutines: an overflow of their stacks is reported.
    ///     Ok::<(), corun_context::stack::StackError>(())
    /// })
    /// .join()
    /// .unwrap()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn install() -> Result<AltStack, StackError> {
        let guard = sys::page_size();
        let len = guard + SIZE.next_multiple_of(guard);
        let base = sys::map(len).map_err(|errno| StackError::map(SIZE, errno))?;
        // SAFETY: a zeroed `stack_t` is a valid one.
        let previous = unsafe { mem::zeroed() };
        // From here on the mapping has an owner.
        let mut this = AltStack {
            base,
            len,
            previous,
            _not_send: PhantomData,
        };
        this.previous.ss_flags = libc::SS_DISABLE;
        // SAFETY: the mapping is new.
        let guarded = unsafe { sys::guard(base.as_ptr(), guard, sys::GuardMode::Protect) };
        guarded.map_err(|errno| StackError::guard(SIZE, errno))?;
        // SAFETY: a zeroed `stack_t` is a valid one.
        let mut stack: libc::stack_t = unsafe { mem::zeroed() };
        stack.ss_sp = base.as_ptr().wrapping_add(guard).cast();
        stack.ss_size = len - guard;
        // SAFETY: nobody else uses the memory, and it stays until it is the thread's alternate stack no more.
        if unsafe { libc::sigaltstack(&stack, &mut this.previous) } != 0 {
            return Err(StackError::map(SIZE, sys::errno()));
        }
        Ok(this)
    }

    fn contains(&self, address: *mut libc::c_void) -> bool {
        (address as usize).wrapping_sub(self.base.as_ptr() as usize) < self.len
    }
}

impl Drop for AltStack {
    fn drop(&mut self) {
        // SAFETY: zeroed is valid; the pointers are to locals. The memory is unmapped only when the thread does not use it any more.
        unsafe {
            let mut current: libc::stack_t = mem::zeroed();
            libc::sigaltstack(ptr::null(), &mut current);
            if current.ss_flags & libc::SS_DISABLE == 0 && self.contains(current.ss_sp) {
                if self.previous.ss_flags & libc::SS_DISABLE != 0 {
                    // Some systems check the size even so.
                    self.previous.ss_size = SIZE;
                }
                if libc::sigaltstack(&self.previous, ptr::null_mut()) != 0 {
                    return;
                }
            }
            sys::unmap(self.base.as_ptr(), self.len);
        }
    }
}
