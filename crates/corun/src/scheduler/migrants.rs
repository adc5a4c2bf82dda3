//! What a runtime has for its migratable coroutines: their stacks, a list of those that live, and how a worker runs one. The protocol is in
//! `migrant.rs`.
//!
//! Their stacks are not those of a worker: one that is taken on one thread comes back on another, and a worker tells its own coroutines by the stacks
//! that it has not got back (`census.rs`). So they have pools of their own, under a lock. And as nobody finds them by their stacks, they
//! are in a list for as long as they live.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::process;
use std::ptr;
use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::thread;
use std::time::Instant;

use corun_context::raw::{self, Context};

use super::lock_mutex;
use super::migrant::Wish;
use super::root::control_block;
use super::shared::Shared;
use super::stacks::{Pooled, Stacks};
use super::worker::{BUDGET, Worker};
use crate::cancel::{Cancelled, levels};
use crate::coroutine::outcome::Outcome;
use crate::coroutine::task::{Control, TaskRef, abort_on_panic};
use crate::coroutine::{Coroutine, StartError};
use crate::future::task::Polled;
use crate::platform::own;

pub(crate) struct Migrants {
    stacks: Mutex<Stacks>,
    living: Mutex<Vec<TaskRef>>,
}

impl Migrants {
    pub(super) fn new(stack_size: usize) -> Migrants {
        Migrants {
            stacks: Mutex::new(Stacks::new(stack_size)),
            living: Mutex::new(Vec::new()),
        }
    }

    /// Counts a new coroutine among those that live, and gives it a reference of its own.
    pub(crate) fn begin(&self, task: TaskRef) {
        task.retain();
        let mut living = lock_mutex(&self.living);
        if let Some(migrant) = task.migrant() {
            migrant.place.set(living.len());
        }
        living.push(task);
    }

    /// Undoes `begin`. The caller has a reference.
    pub(crate) fn end(&self, task: TaskRef) {
        if let Some(migrant) = task.migrant() {
            let mut living = lock_mutex(&self.living);
            let place = migrant.place.get();
            living.swap_remove(place);
            if let Some(moved) = living.get(place).and_then(TaskRef::migrant) {
                moved.place.set(place);
            }
        }
        task.release();
    }

    /// Those that live.
    pub(super) fn living(&self) -> Vec<Coroutine> {
        let living = lock_mutex(&self.living);
        // Who is in the list has a reference.
        living
            .iter()
            .copied()
            .map(Coroutine::from_running)
            .collect()
    }

    /// For a busy worker, from time to time: as `Stacks::trim_surplus`.
    pub(super) fn trim_surplus(&self, now: Instant) {
        if let Ok(mut stacks) = self.stacks.try_lock() {
            stacks.trim_surplus(now);
        }
    }

    /// Is there memory of unused stacks to give back, and nobody else who does it?
    pub(super) fn need_trim(&self) -> bool {
        self.stacks
            .try_lock()
            .is_ok_and(|mut stacks| stacks.need_trim())
    }

    /// For an idle worker: takes one step of giving it back.
    pub(super) fn trim(&self) {
        if let Ok(mut stacks) = self.stacks.try_lock() {
            stacks.trim();
        }
    }
}

/// A coroutine's closure before it starts, and its stack after.
pub(crate) struct Stackful<F, T> {
    body: Option<F>,
    stack: Option<Pooled>,
    outcome: Option<Outcome<T>>,
}

impl<F, T> Stackful<F, T> {
    pub(crate) fn new(body: F) -> Stackful<F, T> {
        Stackful {
            body: Some(body),
            stack: None,
            outcome: None,
        }
    }
}

impl<F: FnOnce() -> T, T> Polled for Stackful<F, T> {
    type Output = T;

    /// Runs the coroutine until it waits, gives way or ends.
    fn poll(self: Pin<&mut Self>, _: &mut std::task::Context<'_>) -> Poll<Outcome<T>> {
        // SAFETY: it stays in its place; nothing is moved out but the closure, which was never pinned.
        let this = unsafe { self.get_unchecked_mut() };
        let Some((worker, task)) =
            Worker::current().and_then(|worker| Some((worker, worker.running()?)))
        else {
            unreachable!("it is polled on a worker, in its seat");
        };
        let Some(me) = task.migrant() else {
            unreachable!("it was made for such a task");
        };
        let context = me.context.replace(Context::NONE);
        let (target, arg) = if context == Context::NONE {
            match this.prepare(worker, task) {
                Ok(start) => start,
                Err(outcome) => {
                    worker.shared().scheduler.migrants.end(task);
                    return Poll::Ready(outcome);
                }
            }
        } else {
            (context, 0)
        };
        worker.enter(task, target, arg);
        match me.wish.get() {
            Wish::Wait => Poll::Pending,
            Wish::GiveWay => {
                task.wake_by_ref();
                Poll::Pending
            }
            Wish::End => {
                me.control.set(ptr::null());
                let migrants = &worker.shared().scheduler.migrants;
                if let Some(stack) = this.stack.take() {
                    lock_mutex(&migrants.stacks).put(stack);
                }
                migrants.end(task);
                let Some(outcome) = this.outcome.take() else {
                    unreachable!("a coroutine that has ended has left its outcome");
                };
                Poll::Ready(outcome)
            }
        }
    }
}

impl<F: FnOnce() -> T, T> Stackful<F, T> {
    /// Takes a stack, and lays a context on it that runs the closure.
    #[cold]
    fn prepare(&mut self, worker: &Worker, task: TaskRef) -> Result<(Context, usize), Outcome<T>> {
        let stack = if task.is_cancelled() {
            Err(Box::new(Cancelled::default()) as Box<_>)
        } else {
            let stacks = &worker.shared().scheduler.migrants.stacks;
            let taken = lock_mutex(stacks).take(task.stack_size());
            taken.map_err(|error| Box::new(StartError::from(error)) as Box<_>)
        };
        let stack = match stack {
            Ok(stack) => stack,
            Err(payload) => {
                let body = self.body.take();
                abort_on_panic(|| drop(body));
                return Err(Err(payload));
            }
        };
        // SAFETY: the stack's top is 16-aligned, as is the size of a control block, and a stack is far larger than both the block and
        // what `prepare` writes. It is unused, and kept until the coroutine has ended.
        unsafe {
            let control = stack.top().cast::<Control>().sub(1);
            control.write(control_block(task, None));
            if let Some(me) = task.migrant() {
                me.control.set(control);
            }
            self.stack = Some(stack);
            let context = raw::prepare(control.cast(), root::<F, T>);
            Ok((context, ptr::from_mut(self).expose_provenance()))
        }
    }

    /// What runs on the stack.
    #[inline(never)]
    fn run(&mut self) {
        let Some(body) = self.body.take() else {
            unreachable!("a closure is run once");
        };
        let task = running();
        let outcome = catch_unwind(AssertUnwindSafe(body)).map_err(|payload| {
            if levels::is_for_end(&*payload, task) {
                Box::new(Cancelled::default())
            } else {
                payload
            }
        });
        if let Some(me) = task.migrant() {
            // SAFETY: the control block of the coroutine that runs this.
            let control = unsafe { &*me.control.get() };
            // What is left are destructors, which may wait, and must not unwind.
            levels::shield_for_good(&control.innermost);
            control.locals.clear();
            me.wish.set(Wish::End);
        }
        self.outcome = Some(outcome);
    }
}

/// The running coroutine, whichever thread this is.
#[inline(never)]
fn running() -> TaskRef {
    match Worker::current().and_then(Worker::running) {
        Some(task) => task,
        None => unreachable!("a coroutine runs on a worker"),
    }
}

/// Where to go when nothing is left to do on a stack.
#[inline(never)]
fn way_out() -> Context {
    match Worker::current() {
        Some(worker) => worker.idle.get(),
        // The child of a fork: this coroutine went on as the only thread, and has ended.
        None => process::exit(0),
    }
}

/// The root of the stack of a migratable coroutine.
unsafe extern "C" fn root<F: FnOnce() -> T, T>(this: usize) -> ! {
    // SAFETY: `prepare` passes the address of what is polled, which stays in its place until the coroutine has ended; who polls it does not
    // touch it meanwhile.
    unsafe { (*ptr::with_exposed_provenance_mut::<Stackful<F, T>>(this)).run() };
    // SAFETY: the idle context of this thread, which has switched here. This frame owns nothing.
    unsafe { raw::switch_final(way_out(), 0) }
}

impl Worker {
    /// Runs a migratable coroutine until it switches back. On the idle context.
    fn enter(&self, task: TaskRef, target: Context, arg: usize) {
        // To the locks it is a thread of its own: see `sync/place.rs`. A worker's thread has no displacement otherwise.
        own::set_displacement(task.0.as_ptr().addr().wrapping_sub(own::place()));
        self.set_polling(false);
        self.set_migrant_runs(true);
        // What such a coroutine is inside of is not counted by any worker, so it has always to look.
        self.levels.update(|count| count + 1);
        // SAFETY: the context is suspended or new, and nobody else has it. On its stack nothing depends on the thread: see `migrant.rs`, and
        // the contract of `spawn_migratable`.
        unsafe { raw::switch(self.idle.as_ptr(), target, arg) };
        self.levels.update(|count| count - 1);
        self.set_migrant_runs(false);
        self.set_polling(true);
        own::set_displacement(0);
    }

    /// Switches away from the running migratable coroutine. It may go on on another thread: nothing may come after the switch here.
    #[inline(never)]
    pub(super) fn leave(wish: Wish) {
        let Some((worker, task)) =
            Worker::of_migrant().and_then(|worker| Some((worker, worker.running()?)))
        else {
            unreachable!("only a migratable coroutine leaves its worker");
        };
        if thread::panicking() {
            worker.bind(task);
        }
        if let Some(me) = task.migrant() {
            me.wish.set(wish);
            // SAFETY: the idle context of this thread, which has switched here.
            unsafe { raw::switch(me.context.as_ptr(), worker.idle.get(), 0) };
        }
    }

    /// As `yield_now`, for whoever calls. Returns whether it was a migratable coroutine.
    ///
    /// # Panics
    /// Inside `no_suspend`.
    #[inline(never)]
    pub(crate) fn migrant_yields() -> bool {
        let Some(worker) = Worker::of_migrant() else {
            return false;
        };
        worker.assert_may_suspend();
        Worker::leave(Wish::GiveWay);
        true
    }

    /// As `safepoint`, for whoever calls. Returns whether a migratable coroutine has given way.
    #[inline(never)]
    pub(crate) fn safepoint_of_migrant() -> bool {
        let Some(worker) = Worker::of_migrant() else {
            return false;
        };
        let left = worker.budget.get();
        if left != 0 && worker.shared.overdue.load(Ordering::Relaxed) == 0 {
            worker.budget.set(left - 1);
            return false;
        }
        worker.budget.set(BUDGET);
        worker.shared.overdue.store(0, Ordering::Relaxed);
        if !worker.may_suspend() {
            return false;
        }
        Worker::leave(Wish::GiveWay);
        true
    }

    /// The control block of the running migratable coroutine.
    #[cold]
    #[inline(never)]
    pub(super) fn control_of_migrant(&self) -> Option<&Control> {
        let task = self.running()?;
        let control = task.migrant()?.control.get();
        // SAFETY: it lies on the coroutine's stack, which is there until it has ended.
        unsafe { control.as_ref() }
    }

    /// The shared part of the worker that the calling coroutine runs on. It stays when the coroutine has left it: its scheduler keeps it,
    /// and a coroutine that has not ended keeps that.
    #[inline(never)]
    pub(super) fn shared_of_migrant() -> *const Shared {
        Worker::current().map_or(ptr::null(), |worker| worker.shared() as *const Shared)
    }
}
