//! A closure on its way to a thread of the pool, on the stack of whoever waits for it.
//!
//! # Why the closure may borrow from its caller's stack
//! [`Call`] lies in the frame of `Pool::run`, which does not return, nor unwind, before the call is complete or was taken back out of the queue, under
//! the pool's lock; and it is completed exactly once, by [`Job::run`] or [`Job::refuse`], as the last thing that touches the call. So whatever the
//! closure borrows (it outlives the call of `run`) outlives the closure's run and its captures, which are consumed before the result is stored.
//! This needs no `'static` and no allocation, and unlike a future it cannot be dropped half-way: a coroutine's stack is never freed
//! before it was unwound.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;

use super::completion::Completion;
use crate::cancel::limit::Limit;

/// What the pool sees of a call.
pub(super) struct Job {
    /// The neighbours in the queue, and whether it is there. Used under the pool's lock only.
    next: Cell<Option<NonNull<Job>>>,
    prev: Cell<Option<NonNull<Job>>>,
    queued: Cell<bool>,
    run: unsafe fn(NonNull<Job>),
    refuse: unsafe fn(NonNull<Job>, io::Error),
}

/// How a call ended: refused, or with what the closure returned or panicked with.
pub(super) type Outcome<T> = io::Result<Result<T, Box<dyn Any + Send>>>;

#[repr(C)]
pub(super) struct Call<F, T> {
    job: Job,
    closure: Cell<Option<F>>,
    outcome: UnsafeCell<Option<Outcome<T>>>,
    completion: Completion,
}

impl Job {
    /// Runs the closure and wakes the waiter.
    ///
    /// # Safety
    /// The job was submitted, has been taken out of the queue, and neither this nor `refuse` was called before.
    pub(super) unsafe fn run(this: NonNull<Job>) {
        // SAFETY: until one of the two functions was called, the waiter waits, so the job is there.
        unsafe { (this.as_ref().run)(this) }
    }

    /// Wakes the waiter with an error.
    ///
    /// # Safety
    /// As for `run`.
    pub(super) unsafe fn refuse(this: NonNull<Job>, error: io::Error) {
        // SAFETY: as in `run`.
        unsafe { (this.as_ref().refuse)(this, error) }
    }
}

impl<F, T> Call<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    /// # Panics
    /// Inside `no_suspend`.
    pub(super) fn new(closure: F) -> Call<F, T> {
        Call {
            job: Job {
                next: Cell::new(None),
                prev: Cell::new(None),
                queued: Cell::new(false),
                run: Self::run,
                refuse: Self::refuse,
            },
            closure: Cell::new(Some(closure)),
            outcome: UnsafeCell::new(None),
            completion: Completion::new(),
        }
    }

    /// Gives the call to `submit`, which must see to it that `Job::run` or `Job::refuse` is called for it exactly once, and waits for that.
    /// If the limit ends the wait before, `withdraw` may take it back, so that neither is called: `None`, and the call may be tried again.
    pub(super) fn complete(
        &mut self,
        limit: &Limit,
        submit: impl FnOnce(NonNull<Job>),
        withdraw: impl FnOnce(NonNull<Job>) -> bool,
    ) -> Option<Outcome<T>> {
        // From here on others point into this frame: leaving it by a panic would leave them dangling.
        let no_unwinding = AbortOnUnwind;
        // The pointer is to the whole call, so that `run` may use all of it.
        let this = NonNull::from(&mut *self);
        submit(this.cast());
        // SAFETY: others use it in the same way meanwhile, by shared references.
        let completion = unsafe { &(*this.as_ptr()).completion };
        let withdrawn = !completion.wait(limit) && withdraw(this.cast());
        if !withdrawn {
            completion.wait_out();
        }
        std::mem::forget(no_unwinding);
        if withdrawn {
            return None;
        }
        let outcome = self.outcome.get_mut().take();
        Some(outcome.expect("the outcome is stored before the call is complete"))
    }

    unsafe fn run(this: NonNull<Job>) {
        let call = this.cast::<Call<F, T>>();
        // SAFETY: the job is the first field of a call of this type, which is there until it is completed below. The waiter waits, so
        // nobody else uses the call meanwhile. Closure and result are `Send`.
        let closure = unsafe { call.as_ref() }
            .closure
            .take()
            .expect("a job runs once");
        // A panic belongs to the waiter, who sees its own broken invariants, if any, as it would without the pool.
        let result = catch_unwind(AssertUnwindSafe(closure));
        // SAFETY: as above.
        unsafe { Self::finish(call, Ok(result)) }
    }

    unsafe fn refuse(this: NonNull<Job>, error: io::Error) {
        // SAFETY: as in `run`. The closure stays in the call and is dropped by the waiter.
        unsafe { Self::finish(this.cast(), Err(error)) }
    }

    /// # Safety
    /// `call` is waited for, and not used after this.
    unsafe fn finish(call: NonNull<Call<F, T>>, outcome: Outcome<T>) {
        // SAFETY: the waiter reads the outcome only when the call is complete. A field's address is taken without a reference to the
        // whole, as the call may be gone before `complete` returns.
        unsafe {
            *call.as_ref().outcome.get() = Some(outcome);
            Completion::complete(&raw const (*call.as_ptr()).completion);
        }
    }
}

struct AbortOnUnwind;

impl Drop for AbortOnUnwind {
    fn drop(&mut self) {
        eprintln!("fatal: corun cannot wait for a blocking call that borrows from this stack");
        std::process::abort();
    }
}

/// First come, first served.
pub(super) struct Queue {
    first: Option<NonNull<Job>>,
    last: Option<NonNull<Job>>,
    length: usize,
}

// SAFETY: the jobs are those of waiting calls, whose closures and results are `Send`; the links are used by the owner of the queue only.
unsafe impl Send for Queue {}

impl Queue {
    pub(super) const fn new() -> Queue {
        Queue {
            first: None,
            last: None,
            length: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// # Safety
    /// The job must be waited for, and be in no queue.
    pub(super) unsafe fn push(&mut self, job: NonNull<Job>) {
        let last = self.last.replace(job);
        match last {
            // SAFETY: jobs in the queue are waited for.
            Some(last) => unsafe { last.as_ref() }.next.set(Some(job)),
            None => self.first = Some(job),
        }
        // SAFETY: as above.
        let links = unsafe { job.as_ref() };
        links.prev.set(last);
        links.next.set(None);
        links.queued.set(true);
        self.length += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<Job>> {
        let job = self.first?;
        // SAFETY: jobs in the queue are waited for.
        unsafe { self.remove(job) };
        Some(job)
    }

    /// Takes a job out of its place. Returns false if it is not in the queue.
    ///
    /// # Safety
    /// The job must be alive, and never have been in another queue.
    pub(super) unsafe fn remove(&mut self, job: NonNull<Job>) -> bool {
        // SAFETY: alive, by contract.
        let links = unsafe { job.as_ref() };
        if !links.queued.replace(false) {
            return false;
        }
        let (prev, next) = (links.prev.take(), links.next.take());
        match prev {
            // SAFETY: jobs in the queue are waited for.
            Some(prev) => unsafe { prev.as_ref() }.next.set(next),
            None => self.first = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { next.as_ref() }.prev.set(prev),
            None => self.last = prev,
        }
        self.length -= 1;
        debug_assert_eq!(self.length == 0, self.first.is_none());
        true
    }
}
