//! `future.h`: futures that are made of futures, and of time.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::future::Rejected;

use crate::call::{Patience, call, required, several, write};
use crate::cell::Slot;
use crate::failure::{Failure, Outcome};
use crate::future::{Eventual, corun_future, told, visit};
use crate::promise::{corun_promise, ends};
use crate::promised::{self, Keeper, Promised, Refusal, Value, Why};
use crate::status::Status;
use crate::table;
use crate::value::{Data, Destructor, Pointer};

/// `corun_future_then_function`.
pub type ThenFunction = Option<
    unsafe extern "C-unwind" fn(
        data: Pointer,
        status: Status,
        value: Pointer,
        code: i32,
        promise: *mut corun_promise,
    ),
>;

/// # Safety
/// `place` is not NULL, and the caller's to write to.
unsafe fn give(future: Promised, place: *mut *mut corun_future) -> Outcome {
    let handle = table::insert(Eventual::new(future))?;
    // SAFETY: promised by the caller.
    unsafe { write(place, handle) }
}

/// Goes on from a future.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_then(
    future: *mut corun_future,
    function: ThenFunction,
    data: Pointer,
    destructor: Destructor,
    next: *mut *mut corun_future,
) -> Status {
    call(|| {
        required(next)?;
        let eventual = visit(future)?;
        let function = function.ok_or_else(|| Failure::invalid("the function is NULL"))?;
        let (pledge, made) = ends(destructor)?;
        let (data, pledge) = (Data(data), Data(pledge.cast()));
        // SAFETY: not NULL, and the caller's.
        unsafe { write(next, made)? };
        eventual.future().on_complete(move |outcome| {
            let (status, value, code) = told(outcome);
            // SAFETY: the user has handed it over to be called so.
            unsafe { function(data.get(), status, value, code, pledge.get().cast()) };
        });
        Ok(())
    })
}

/// The futures that a call names.
///
/// # Safety
/// So many handles are there, or `futures` is NULL.
unsafe fn all_of(futures: *const *mut corun_future, count: usize) -> Outcome<Vec<Promised>> {
    // SAFETY: promised by the caller.
    let handles = unsafe { several(futures, count)? };
    let futures = handles
        .iter()
        .map(|future| Ok(visit(*future)?.future().clone()));
    futures.collect()
}

/// A promise that is kept by whoever is first.
struct Race {
    keeper: Slot<Keeper>,
    left: AtomicUsize,
}

impl Race {
    fn of(count: usize) -> (Arc<Race>, Promised) {
        let (keeper, future) = promised::pair();
        let race = Race {
            keeper: Slot::new(Some(keeper)),
            left: AtomicUsize::new(count),
        };
        (Arc::new(race), future)
    }

    fn win(&self, keep: impl FnOnce(Keeper)) {
        let keeper = self.keeper.take();
        if let Some(keeper) = keeper {
            keep(keeper);
        }
    }
}

fn nothing() -> Value {
    Value::new(ptr::null_mut(), None)
}

/// The same rejection for another future.
fn same(rejected: &Rejected<Box<Refusal>>) -> Option<Box<Refusal>> {
    let (why, code, message) = match rejected {
        Rejected::Abandoned => return None,
        Rejected::Cancelled => (Why::Cancelled, 0, None),
        Rejected::Error(refusal) => (refusal.why, refusal.code, refusal.message.clone()),
    };
    Some(Box::new(Refusal {
        why,
        code,
        message,
        value: nothing(),
    }))
}

/// A future that is resolved when all are.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_join(
    futures: *const *mut corun_future,
    count: usize,
    all: *mut *mut corun_future,
) -> Status {
    call(|| {
        required(all)?;
        // SAFETY: the contract of this function.
        let futures = unsafe { all_of(futures, count)? };
        let (race, future) = Race::of(count);
        // SAFETY: not NULL, and the caller's.
        unsafe { give(future, all)? };
        if futures.is_empty() {
            race.win(|keeper| keeper.resolve(nothing()));
        }
        for future in futures {
            let race = Arc::clone(&race);
            future.on_complete(move |outcome| match outcome {
                Err(rejected) => race.win(|keeper| match same(rejected) {
                    Some(refusal) => keeper.reject(refusal),
                    None => drop(keeper),
                }),
                // AcqRel: whoever is last has seen what the others have done.
                Ok(_) if race.left.fetch_sub(1, Ordering::AcqRel) == 1 => {
                    race.win(|keeper| keeper.resolve(nothing()));
                }
                Ok(_) => {}
            });
        }
        Ok(())
    })
}

/// A future that is resolved with the index of the first that is complete.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_race(
    futures: *const *mut corun_future,
    count: usize,
    first: *mut *mut corun_future,
) -> Status {
    call(|| {
        required(first)?;
        // SAFETY: the contract of this function.
        let futures = unsafe { all_of(futures, count)? };
        if futures.is_empty() {
            return Err(Failure::invalid("a race of no futures would never end"));
        }
        let (race, future) = Race::of(count);
        // SAFETY: not NULL, and the caller's.
        unsafe { give(future, first)? };
        for (index, future) in futures.into_iter().enumerate() {
            let race = Arc::clone(&race);
            future.on_complete(move |_| {
                race.win(|keeper| {
                    keeper.resolve(Value::new(ptr::without_provenance_mut(index), None));
                });
            });
        }
        Ok(())
    })
}

/// A future that is resolved after some time.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_timer(delay: i64, future: *mut *mut corun_future) -> Status {
    call(|| {
        required(future)?;
        let Patience::For(time) = Patience::of(delay.max(1)) else {
            return Err(Failure::invalid("the delay is no time"));
        };
        let (keeper, promised) = promised::pair();
        // SAFETY: not NULL, and the caller's.
        unsafe { give(promised, future)? };
        // An async task takes no stack.
        drop(corun::spawn_async(async move {
            corun::time::sleep_async(time).await;
            keeper.resolve(nothing());
        }));
        Ok(())
    })
}
