//! A closure on its way to a thread of the pool, on the stack of whoever waits for it.
//!
//! # Why the closure may borrow from its caller's stack
//! [`Call`] lies in the frame of `Pool::run`, which does not return, nor unwind, before `Signal::wait` has returned; and the signal is
//! notified exactly once, by [`Job::run`] or [`Job::refuse`], as the last thing that touches the call. So whatever the closure borrows
//! (it outlives the call of `run`) outlives the closure's run and its captures, which are consumed before the result is stored.
//! This needs no `'static` and no allocation, and unlike a future it cannot be dropped half-way: a coroutine's stack is never freed
//! before it was unwound.

use std::any::Any;
use std::cell::{Cell, UnsafeCell};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::{self, NonNull};

use crate::scheduler::signal::Signal;

/// What the pool sees of a call.
pub(super) struct Job {
    /// The next job in the queue. Used under the pool's lock only.
    next: Cell<Option<NonNull<Job>>>,
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
    signal: Signal,
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
                run: Self::run,
                refuse: Self::refuse,
            },
            closure: Cell::new(Some(closure)),
            outcome: UnsafeCell::new(None),
            signal: Signal::new(),
        }
    }

    /// Gives the call to `submit`, which must see to it that `Job::run` or `Job::refuse` is called for it exactly once, and waits for that.
    pub(super) fn complete(self, submit: impl FnOnce(NonNull<Job>)) -> Outcome<T> {
        // From here on others point into this frame: leaving it by a panic would leave them dangling.
        let no_unwinding = AbortOnUnwind;
        // The pointer is to the whole call, so that `run` may use all of it.
        submit(NonNull::from(&self).cast());
        self.signal.wait();
        std::mem::forget(no_unwinding);
        self.outcome
            .into_inner()
            .expect("the signal is notified after the outcome is stored")
    }

    unsafe fn run(this: NonNull<Job>) {
        let call = this.cast::<Call<F, T>>();
        // SAFETY: the job is the first field of a call of this type, which is there until the notification below. The waiter waits, so
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
        // SAFETY: the waiter reads the outcome after the notification only. A field's address is taken without a reference to the
        // whole, as the call may be gone before `notify` returns.
        unsafe {
            *call.as_ref().outcome.get() = Some(outcome);
            Signal::notify(&raw const (*call.as_ptr()).signal);
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
        match self.last.replace(job) {
            // SAFETY: jobs in the queue are waited for.
            Some(last) => unsafe { last.as_ref() }.next.set(Some(job)),
            None => self.first = Some(job),
        }
        self.length += 1;
    }

    pub(super) fn pop(&mut self) -> Option<NonNull<Job>> {
        let job = self.first?;
        // SAFETY: jobs in the queue are waited for.
        self.first = unsafe { job.as_ref() }.next.take();
        if self.first.is_none() {
            self.last = None;
        }
        self.length -= 1;
        debug_assert_eq!(self.length == 0, self.first.is_none());
        debug_assert!(
            self.last
                .is_none_or(|last| !ptr::eq(last.as_ptr(), job.as_ptr()))
        );
        Some(job)
    }
}
