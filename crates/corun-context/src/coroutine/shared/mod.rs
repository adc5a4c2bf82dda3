//! Coroutines that share a stack. `seat` has the protocol.

mod seat;

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::fmt;

use super::block::LEAST_ROOM;
use super::{Coroutine, Suspender};
use crate::stack::Stack;

use seat::{Inner, TOP_WORD};
pub(super) use seat::{Visit, condemn, drain, occupy, top};

/// A stack that several coroutines take turns on: while one is suspended and another one needs the stack, the bytes that it uses, and
/// no more, lie on the heap.
///
/// With a million mostly idle coroutines that are deep now and then, this takes the memory that they use where they suspend, instead of a page
/// or more for each. The price is that resuming another one than last time copies: what that one uses, and what the last one uses. The
/// stack can be as large as the deepest may need.
///
/// While a coroutine of the stack is active, which includes that it waits for one that it has resumed, no other coroutine of the same stack can
/// be resumed or transferred to: that is a [`ResumeError`](crate::ResumeError) whose status is `Suspended`. Coroutines that resume one another go on
/// different stacks, one for each level.
///
/// A handle is one of several owners; clones are the same stack. It stays on its thread:
///
/// ```compile_fail,E0277
/// fn assert_send(_: impl Send) {}
/// assert_send(corun_context::SharedStack::new(1 << 20).unwrap());
/// ```
///
/// # Dropping
/// A suspended coroutine that is dropped is put back on the stack and unwound there, as any [`Coroutine`] is. If the stack is in use by another one,
/// that happens as soon as it is not: when the resume that has it in use is over, or when the stack is next used or given up, if somebody was transferred to.
/// Those that are dropped so are unwound in the order in which they were dropped. A panic that a destructor then raises goes on in the resumer. Where a coroutine cannot be unwound (see [`Coroutine`]), its bytes and the stack are leaked.
///
/// # Examples
/// ```
/// use corun_context::{Coroutine, SharedStack};
///
/// let stack = SharedStack::new(1 << 20)?;
/// let counters: Vec<Coroutine<u64, u64, ()>> = (0..1000)
///     // SAFETY: the closure gives away no address of its stack.
///     .map(|n| unsafe { stack.coroutine(move |suspender, mut add| { let mut sum = n; loop { sum += add; add = suspender.suspend(sum); } }) })
///     .collect();
/// for counter in &counters {
///     counter.resume(1).unwrap();
/// }
/// assert_eq!(counters[500].resume(10).unwrap().yielded(), Some(511));
/// # Ok::<(), corun_context::stack::StackError>(())
/// ```
#[derive(Clone)]
pub struct SharedStack {
    inner: Rc<Inner>,
}

impl SharedStack {
    /// A guarded stack in a mapping of its own, of `size` usable bytes.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    #[cfg(feature = "std")]
    pub fn new(size: usize) -> Result<SharedStack, crate::stack::StackError> {
        crate::stack::OsStack::new(size).map(SharedStack::with_stack)
    }

    /// Lets coroutines share `stack`. They overflow it as one of their own: whether that meets a guard is the stack's affair.
    pub fn with_stack<S: Stack + 'static>(stack: S) -> SharedStack {
        SharedStack {
            inner: Inner::new(Box::new(stack)),
        }
    }

    /// Whether a coroutine is active on the stack, so that no other one can be resumed there.
    pub fn is_in_use(&self) -> bool {
        self.inner.is_in_use()
    }

    /// Makes a coroutine that runs on this stack whenever it is active. What it costs until its first resume is its closure.
    ///
    /// # Safety
    /// While the coroutine is suspended, by [`suspend`](Suspender::suspend) or [`transfer`](Suspender::transfer), other bytes lie where its frames
    /// were. So nothing but the frames themselves may use the address of anything on its stack during that time, whether to read, to write or to
    /// take a lock. To suspend is ruled out in particular
    /// - inside a scope whose threads or coroutines borrow from the stack (`std::thread::scope`, `corun::scope`), or with a task, a timer or an operation
    ///   of the kernel (io_uring) under way that was given a buffer or a reference there;
    /// - while something that lies on the stack is linked into a list of others: waiters of `corun`, of a C library, or pinned
    ///   futures and locks that work like that;
    /// - inside `scoped_tls::ScopedKey::set` and whatever else puts the address of a local where others find it;
    /// - while a value on the stack was handed over by its address: what is yielded must not contain a pointer to the stack.
    ///
    /// References within the stack, and from it to the heap, are fine: frames are always put back where they were. So is all that happens while the
    /// coroutine is active, also while it waits for another one that it has resumed.
    ///
    /// # Panics
    /// If the closure is so large that too little room would be left on the stack.
    pub unsafe fn coroutine<Input, Yield, Return, F>(&self, f: F) -> Coroutine<Input, Yield, Return>
    where
        F: FnOnce(&Suspender<Input, Yield, Return>, Input) -> Return + 'static,
    {
        let size = self.inner.top() - self.inner.limit();
        assert!(
            size >= LEAST_ROOM + TOP_WORD + size_of::<F>(),
            "a stack of {size} bytes is too small for a closure of {} bytes: box what it captures, or use a larger stack",
            size_of::<F>(),
        );
        Coroutine::from_header(seat::create(&self.inner, f))
    }
}

impl Drop for SharedStack {
    fn drop(&mut self) {
        Inner::drain(&self.inner);
    }
}

impl fmt::Debug for SharedStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedStack")
            .field("size", &(self.inner.top() - self.inner.limit()))
            .field("in_use", &self.is_in_use())
            .finish()
    }
}
