//! `future.h`: promises and futures. What is made of several futures is in `combine.rs`.

use std::ffi::c_char;
use std::mem::{self, ManuallyDrop};
use std::ptr;
use std::sync::Arc;
use std::thread;

use corun::future::{Rejected, State};

use crate::call::{Patience, call, required, write, write_if};
use crate::cell::Slot;
use crate::failure::{Failure, Outcome};
use crate::own;
use crate::promised::{self, Keeper, Promised, Refusal, Seen, Value, Why};
use crate::status::{self, Status};
use crate::table::{self, Counts, Kind, Object, Visit};
use crate::task::Task;
use crate::value::{Destructor, Pointer};

/// `corun_future`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_future {
    _private: [u8; 0],
}

/// `corun_promise`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_promise {
    _private: [u8; 0],
}

/// `corun_future_callback`.
pub type FutureCallback =
    Option<unsafe extern "C-unwind" fn(data: Pointer, status: Status, value: Pointer, code: i32)>;

/// `corun_future_state_t`.
pub const STATES: [&str; 4] = ["PENDING", "RESOLVED", "REJECTED", "CANCELLED"];

/// What the handle of a future refers to: a future, or the task whose result it is, to be cancelled with it. One word, so that it lies in its slot.
pub(crate) union Eventual {
    future: ManuallyDrop<Promised>,
    /// The address of a task, from an `Arc`, and 1.
    task: *const Task,
}

const OF_TASK: usize = 1;
const _: () = assert!(size_of::<Eventual>() == 8 && size_of::<Promised>() == 8);
const _: () = assert!(align_of::<Task>() > OF_TASK);

// SAFETY: it is a `Promised` or an `Arc<Task>`, which both are.
unsafe impl Send for Eventual {}
// SAFETY: as above.
unsafe impl Sync for Eventual {}

impl Object for Eventual {
    const KIND: Kind = Kind::Future;
    const NAME: &'static str = "future";
    const COUNTS: Counts = Counts::MOST;
}

impl Eventual {
    pub(crate) fn new(future: Promised) -> Eventual {
        let future = ManuallyDrop::new(future);
        Eventual { future }
    }

    pub(crate) fn of_task(task: Arc<Task>) -> Eventual {
        let task = Arc::into_raw(task).map_addr(|address| address | OF_TASK);
        Eventual { task }
    }

    /// The address in it, if it is a task's.
    fn tagged(&self) -> Option<*const Task> {
        // SAFETY: both are a pointer; that of a future is one to a block with words in it, and so even.
        let task = unsafe { self.task };
        (task.addr() & OF_TASK != 0).then(|| task.map_addr(|address| address & !OF_TASK))
    }

    fn task(&self) -> Option<&Task> {
        // SAFETY: the reference of the `Arc` keeps it.
        self.tagged().map(|task| unsafe { &*task })
    }

    pub(crate) fn future(&self) -> &Promised {
        match self.task() {
            Some(task) => &task.future,
            // SAFETY: so it is no task.
            None => unsafe { &self.future },
        }
    }
}

impl Drop for Eventual {
    fn drop(&mut self) {
        match self.tagged() {
            // SAFETY: made by `Arc::into_raw`.
            Some(task) => drop(unsafe { Arc::from_raw(task) }),
            // SAFETY: it is no task, and dropped once.
            None => unsafe { ManuallyDrop::drop(&mut self.future) },
        }
    }
}

/// A promise without a destructor, which shares the slot of its future. In place of the promise itself, which was forgotten: both are the address of
/// one block.
struct Pledged(ManuallyDrop<Promised>);

impl Object for Pledged {
    const KIND: Kind = Kind::Pledged;
    const SLOT: Kind = Kind::Future;
    const NAME: &'static str = "promise";
    const COUNTS: Counts = Counts::FEW;
}

impl Pledged {
    /// The promise.
    ///
    /// # Safety
    /// As `Promise::of_shared`: only one is dropped, and none used after that.
    unsafe fn keeper(&self) -> ManuallyDrop<Keeper> {
        // SAFETY: by the contract; the promise was forgotten by `ends`.
        ManuallyDrop::new(unsafe { Keeper::of_shared(&self.0) })
    }
}

/// Has a call repeated while seven others are inside of a promise, where nobody stays.
fn patiently<T>(mut enter: impl FnMut() -> Outcome<T>) -> Outcome<T> {
    loop {
        match enter() {
            Err(failure) if failure.status() == status::ERR_NOMEM => thread::yield_now(),
            entered => return entered,
        }
    }
}

/// Makes a promise and its future, with their handles.
pub(crate) fn ends(destructor: Destructor) -> Outcome<(*mut corun_promise, *mut corun_future)> {
    let (keeper, promised) = promised::pair();
    if destructor.is_some() {
        let promise = table::insert(Pledge::new(keeper, destructor))?;
        let future = table::insert(Eventual::new(promised)).inspect_err(|_| {
            let _ = table::release::<Pledge, corun_promise>(promise);
        })?;
        return Ok((promise, future));
    }
    let (future, promise) = table::insert_both::<Eventual, Pledged, _, _>(Eventual::new(promised))?;
    mem::forget(keeper);
    Ok((promise, future))
}

/// What the handle of a promise with a destructor refers to.
pub(crate) struct Pledge {
    keeper: Slot<Keeper>,
    destructor: Destructor,
}

impl Object for Pledge {
    const KIND: Kind = Kind::Promise;
    const NAME: &'static str = "promise";
}

impl Pledge {
    pub(crate) fn new(keeper: Keeper, destructor: Destructor) -> Pledge {
        Pledge {
            keeper: Slot::new(Some(keeper)),
            destructor,
        }
    }
}

pub(crate) fn visit(future: *mut corun_future) -> Outcome<Visit<Eventual>> {
    table::visit(future)
}

/// Waits for what comes of it.
pub(crate) fn settled(future: &Promised, patience: Patience) -> Outcome<Seen<'_>> {
    if let Some(outcome) = future.get() {
        return Ok(outcome);
    }
    match patience {
        Patience::None => Err(Failure::ordinary(status::ERR_WOULD_BLOCK)),
        Patience::Endless => Ok(future.wait()),
        Patience::For(time) => future
            .wait_timeout(time)
            .ok_or(Failure::ordinary(status::ERR_TIMEDOUT)),
    }
}

/// Makes the two ends.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_promise_create(
    destructor: Destructor,
    promise: *mut *mut corun_promise,
    future: *mut *mut corun_future,
) -> Status {
    call(|| {
        required(promise)?;
        required(future)?;
        let (pledge, eventual) = ends(destructor)?;
        // SAFETY: not NULL, and the caller's.
        unsafe {
            write(promise, pledge)?;
            write(future, eventual)
        }
    })
}

/// Takes the promise out of a handle, which is released.
fn redeem(promise: *mut corun_promise) -> Outcome<(Keeper, Destructor)> {
    if table::looks_like::<Pledged, _>(promise) {
        let pledged = patiently(|| table::release::<Pledged, _>(promise))?;
        pledged.alone();
        // SAFETY: nobody else is inside, and nobody comes any more.
        let keeper = unsafe { pledged.keeper() };
        return Ok((ManuallyDrop::into_inner(keeper), None));
    }
    let pledge = table::release::<Pledge, _>(promise)?;
    let keeper = pledge.keeper.take();
    let keeper = keeper.ok_or_else(|| Failure::state("the promise was kept before"))?;
    Ok((keeper, pledge.destructor))
}

/// Gives the future its value.
#[unsafe(no_mangle)]
pub extern "C" fn corun_promise_resolve(promise: *mut corun_promise, value: Pointer) -> Status {
    call(|| {
        let (keeper, destructor) = redeem(promise)?;
        keeper.resolve(Value::new(value, destructor));
        Ok(())
    })
}

/// Gives the future an error.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_promise_reject(
    promise: *mut corun_promise,
    code: i32,
    message: *const c_char,
) -> Status {
    call(|| {
        // SAFETY: the contract of this function.
        let message = unsafe { own::copied(message) };
        let (keeper, _) = redeem(promise)?;
        keeper.reject(Refusal::of_promise(code, message));
        Ok(())
    })
}

/// Gives up a promise.
#[unsafe(no_mangle)]
pub extern "C" fn corun_promise_release(promise: *mut corun_promise) -> Status {
    call(|| redeem(promise).map(drop))
}

/// May anybody want the value?
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_promise_is_wanted(
    promise: *mut corun_promise,
    wanted: *mut i32,
) -> Status {
    call(|| {
        let is_wanted = if table::looks_like::<Pledged, _>(promise) {
            let pledged = patiently(|| table::visit::<Pledged, _>(promise))?;
            // SAFETY: it is not dropped, and whoever takes it waits until this visit is over.
            unsafe { pledged.keeper() }.is_wanted()
        } else {
            let pledge = table::visit::<Pledge, _>(promise)?;
            pledge
                .keeper
                .look(|keeper| keeper.is_some_and(Keeper::is_wanted))
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(wanted, i32::from(is_wanted)) }
    })
}

/// Waits for the result.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_await(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    // SAFETY: the same contract.
    unsafe { corun_future_await_timeout(future, -1, value) }
}

/// Waits for the result, for so long.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_await_timeout(
    future: *mut corun_future,
    timeout: i64,
    value: *mut Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let outcome = settled(eventual.future(), Patience::of(timeout));
        let outcome = outcome.map_err(|_| Failure::ordinary(status::ERR_TIMEDOUT))?;
        let seen = promised::seen(outcome)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(value, seen) };
        Ok(())
    })
}

/// Looks for the result.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_poll(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let seen = promised::seen(settled(eventual.future(), Patience::None)?)?;
        // SAFETY: NULL, or the caller's.
        unsafe { write_if(value, seen) };
        Ok(())
    })
}

/// Waits for the result and takes it.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_take(
    future: *mut corun_future,
    value: *mut Pointer,
) -> Status {
    call(|| {
        required(value)?;
        let eventual = visit(future)?;
        let taken = match settled(eventual.future(), Patience::Endless)? {
            Ok(value) => value.take()?,
            Err(rejected) => return Err(promised::failure(rejected)),
        };
        // SAFETY: not NULL, and the caller's.
        unsafe { write(value, taken) }
    })
}

/// How far a future has come.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_state(future: *mut corun_future, state: *mut i32) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let now = match (eventual.future().state(), eventual.future().get()) {
            (State::Pending, None) => 0,
            (_, Some(Err(rejected))) => match promised::rejection(rejected) {
                status::ERR_CANCELLED => 3,
                _ => 2,
            },
            _ => 1,
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(state, now) }
    })
}

/// The code and message of a rejection.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_error(
    future: *mut corun_future,
    code: *mut i32,
    message: *mut *const c_char,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        // SAFETY: the contract of this function.
        unsafe { error(eventual.future(), code, message) }
    })
}

/// # Safety
/// Both are NULL, or the caller's to write to.
pub(crate) unsafe fn error(
    future: &Promised,
    code: *mut i32,
    message: *mut *const c_char,
) -> Outcome {
    let refusal = match future.get() {
        Some(Err(Rejected::Error(refusal))) if refusal.why != Why::Cancelled => refusal,
        _ => return Err(Failure::state("it was not rejected, and has not failed")),
    };
    let text = refusal
        .message
        .as_ref()
        .map_or(c"".as_ptr(), |text| text.as_ptr());
    // SAFETY: promised by the caller.
    unsafe {
        write_if(code, refusal.code);
        write_if(message, text);
    }
    Ok(())
}

/// Cancels a future.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_cancel(future: *mut corun_future) -> Status {
    call(|| {
        let eventual = visit(future)?;
        match eventual.task() {
            Some(task) => task.cancel(),
            None => {
                eventual.future().cancel();
            }
        }
        Ok(())
    })
}

/// What a callback is told.
pub(crate) fn told(outcome: Seen<'_>) -> (Status, Pointer, i32) {
    match outcome {
        Ok(value) => match value.get() {
            Ok(value) => (status::OK, value, 0),
            Err(failure) => (failure.status(), ptr::null_mut(), 0),
        },
        Err(rejected) => {
            let code = match rejected {
                Rejected::Error(refusal) => refusal.code,
                _ => 0,
            };
            (promised::rejection(rejected), ptr::null_mut(), code)
        }
    }
}

/// Has a function called when the future is complete.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_on_complete(
    future: *mut corun_future,
    callback: FutureCallback,
    data: Pointer,
) -> Status {
    call(|| {
        let eventual = visit(future)?;
        let callback = callback.ok_or_else(|| Failure::invalid("the callback is NULL"))?;
        let data = crate::value::Data(data);
        eventual.future().on_complete(move |outcome| {
            let (status, value, code) = told(outcome);
            // SAFETY: the user has handed it over to be called so.
            unsafe { callback(data.get(), status, value, code) };
        });
        Ok(())
    })
}

/// Makes another reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_retain(future: *mut corun_future) -> Status {
    call(|| table::retain::<Eventual, _>(future))
}

/// Gives up a reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_future_release(future: *mut corun_future) -> Status {
    call(|| table::release::<Eventual, _>(future).map(drop))
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;

    use super::*;

    /// Counts what the thread asks for.
    struct Counting;

    thread_local!(static ASKED_FOR: Cell<usize> = const { Cell::new(0) });

    // SAFETY: the system's allocator does all the work.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            ASKED_FOR.set(ASKED_FOR.get() + layout.size());
            // SAFETY: the same contract.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
            // SAFETY: the same contract.
            unsafe { System.dealloc(pointer, layout) };
        }
    }

    #[global_allocator]
    static COUNTING: Counting = Counting;

    fn memory_of(destructor: Destructor) -> usize {
        const MANY: usize = 3_000;
        let mut ends = Vec::with_capacity(MANY);
        // So many slots are there already, and are taken again.
        for round in 0..2 {
            let before = ASKED_FOR.get();
            for _ in 0..MANY {
                let (mut promise, mut future) = (ptr::null_mut(), ptr::null_mut());
                // SAFETY: both places are there.
                let status =
                    unsafe { corun_promise_create(destructor, &raw mut promise, &raw mut future) };
                assert_eq!(status, status::OK);
                ends.push((promise, future));
            }
            let asked_for = ASKED_FOR.get() - before;
            for (promise, future) in ends.drain(..) {
                assert_eq!(corun_promise_release(promise), status::OK);
                assert_eq!(corun_future_release(future), status::OK);
            }
            if round == 1 {
                let slots = if destructor.is_some() { 2 } else { 1 };
                // What is less than a byte for each are lists of free slots that grow.
                return asked_for / MANY + slots * size_of::<crate::slots::Slot>();
            }
        }
        unreachable!("two rounds")
    }

    #[test]
    fn a_future_with_its_promise_and_both_handles_takes_128_bytes() {
        // The block of 112, and one slot for both handles.
        assert_eq!(memory_of(None), 128);
        unsafe extern "C-unwind" fn free(_: Pointer) {}
        // The promise has a slot of its own, and a box.
        assert_eq!(memory_of(Some(free)), 112 + 2 * 16 + 24);
    }
}
