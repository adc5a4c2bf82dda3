//! `future.h`: select over futures.
//!
//! The wait has a place of its own among the waiters of each future, and leaves all of them when it is over: a future that is waited for in a loop, beside others,
//! does not gather callbacks, as it does with [`corun_future_race`](crate::combine::corun_future_race) in each turn.

use std::convert::Infallible;

use corun::__private::safepoint;
use corun::channel::internal::Few;
use corun::future::select_ok;

use crate::call::{Patience, call, required, several, write};
use crate::failure::Outcome;
use crate::future::{Eventual, corun_future, visit};
use crate::promised::Promised;
use crate::status::Status;
use crate::table::Visit;

/// A future that may be chosen, with its place among those of the caller.
struct Arm {
    place: usize,
    future: Visit<Eventual>,
}

/// Waits until the future is complete, and tells where it stands.
async fn settled(future: &Promised, place: usize) -> Result<usize, Infallible> {
    let _ = future.await;
    Ok(place)
}

/// Waits for the first of several.
fn first(arms: &[Arm], patience: Patience) -> Outcome<usize> {
    safepoint();
    let complete = arms.iter().find(|arm| arm.future.future().is_complete());
    if let Some(arm) = complete {
        return Ok(arm.place);
    }
    patience.within(|| {
        if arms.is_empty() {
            loop {
                corun::park();
            }
        }
        let all = arms
            .iter()
            .map(|arm| settled(arm.future.future(), arm.place));
        let Ok(place) = corun::block_on(select_ok(all));
        place
    })
}

/// Waits until one of several futures is complete.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_future_select(
    futures: *const *mut corun_future,
    count: usize,
    timeout: i64,
    chosen: *mut usize,
) -> Status {
    call(|| {
        required(chosen)?;
        // SAFETY: so many handles are there, says the caller.
        let futures = unsafe { several(futures, count)? };
        let mut arms: Few<Arm, 4> = Few::new();
        for (place, future) in futures.iter().enumerate() {
            if future.is_null() {
                continue;
            }
            match visit(*future) {
                Ok(future) => arms.push(Arm { place, future }),
                Err(failure) => {
                    // SAFETY: not NULL, and the caller's.
                    unsafe { write(chosen, place)? };
                    return Err(failure);
                }
            }
        }
        let place = first(&arms, Patience::of(timeout))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(chosen, place) }
    })
}
