//! `future.h`: promises.
//!
//! # One word for both ends
//! A promise and its future share a slot of the table, and one word in it, the address of their block (`table.rs`). The promise itself is forgotten when its
//! handle is made, and made again of that word when it is kept: by whoever gives up the one reference that there is, after all who have come in before have
//! left. A destructor for the value goes into the block, as the note of the promise. So there is one allocation and one slot for all of it.

use std::ffi::c_char;
use std::mem::{self, ManuallyDrop};

use corun::__private::safepoint;

use crate::call::{call, required, write};
use crate::failure::Outcome;
use crate::future::{Eventual, corun_future};
use crate::own;
use crate::primitive::thread;
use crate::promised::{self, Keeper, Promised, Refusal, Value};
use crate::status::{self, Status};
use crate::table::{self, Counts, Kind, Object};
use crate::value::{Destructor, Pointer};

/// `corun_promise`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_promise {
    _private: [u8; 0],
}

/// In place of the promise, which was forgotten: both are the address of one block.
struct Pledge(ManuallyDrop<Promised>);

impl Object for Pledge {
    const KIND: Kind = Kind::Promise;
    const SLOT: Kind = Kind::Future;
    const NAME: &'static str = "promise";
    const COUNTS: Counts = Counts::FEW;
}

impl Pledge {
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
    let (keeper, promised) = promised::pair_with(destructor);
    let (future, promise) = table::insert_both::<Eventual, Pledge, _, _>(Eventual::new(promised))?;
    mem::forget(keeper);
    Ok((promise, future))
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
fn redeem(promise: *mut corun_promise) -> Outcome<Keeper> {
    let pledge = patiently(|| table::release::<Pledge, _>(promise))?;
    pledge.alone();
    // SAFETY: nobody else is inside, and nobody comes any more.
    let keeper = unsafe { pledge.keeper() };
    Ok(ManuallyDrop::into_inner(keeper))
}

/// Gives the future its value.
#[unsafe(no_mangle)]
pub extern "C" fn corun_promise_resolve(promise: *mut corun_promise, value: Pointer) -> Status {
    call(|| {
        let keeper = redeem(promise)?;
        let value = Value::of(&keeper, value);
        keeper.resolve(value);
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
        let keeper = redeem(promise)?;
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
        // Not inside, where nobody waits.
        safepoint();
        let pledge = patiently(|| table::visit::<Pledge, _>(promise))?;
        // SAFETY: it is not dropped, and whoever takes it waits until this visit is over.
        let is_wanted = unsafe { pledge.keeper() }.is_wanted();
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(wanted, i32::from(is_wanted)) }
    })
}

#[cfg(test)]
mod tests {
    use std::alloc::{GlobalAlloc, Layout, System};
    use std::cell::Cell;
    use std::ptr;

    use super::*;
    use crate::future::corun_future_release;

    /// Counts what the thread asks for, but for what all handles share: segments of slots and lists of free ones, which grow while other tests take slots too.
    struct Counting;

    const SHARED: usize = 1024;

    thread_local!(static ASKED_FOR: Cell<usize> = const { Cell::new(0) });

    // SAFETY: the system's allocator does all the work.
    unsafe impl GlobalAlloc for Counting {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            if layout.size() < SHARED {
                ASKED_FOR.set(ASKED_FOR.get() + layout.size());
            }
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
        for (promise, future) in ends {
            assert_eq!(corun_promise_release(promise), status::OK);
            assert_eq!(corun_future_release(future), status::OK);
        }
        // What is less than a byte for each are those lists while they are short.
        asked_for / MANY + size_of::<crate::slots::Slot>()
    }

    #[test]
    fn a_future_with_its_promise_and_both_handles_takes_less_than_128_bytes() {
        // The block of 80, and one slot for both handles.
        assert_eq!(memory_of(None), 96);
        unsafe extern "C-unwind" fn free(_: Pointer) {}
        // The destructor's address besides.
        assert_eq!(memory_of(Some(free)), 104);
    }
}
