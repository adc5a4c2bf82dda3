//! `coroutine.h`: coroutines that are known by numbers.

use std::cell::{Cell, RefCell};
use std::ptr;

use crate::call::{call, required, write};
use crate::coroutine::{self, DONE, corun_coroutine};
use crate::failure::{Failure, Outcome};
use crate::own_thread::OwnThread;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::value::Pointer;

/// `corun_schedule`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_schedule {
    _private: [u8; 0],
}

/// `corun_schedule_function`.
pub type ScheduleFunction =
    Option<unsafe extern "C-unwind" fn(schedule: *mut corun_schedule, argument: Pointer)>;

struct Schedule {
    /// NULL for a number that is free.
    coroutines: RefCell<Vec<*mut corun_coroutine>>,
    running: Cell<i32>,
}

type Own = OwnThread<Schedule>;

impl Object for Own {
    const KIND: Kind = Kind::Schedule;
    const NAME: &'static str = "schedule";
}

fn visit(schedule: *mut corun_schedule) -> Outcome<Visit<Own>> {
    table::visit(schedule)
}

impl Schedule {
    fn find(&self, id: i32) -> Option<*mut corun_coroutine> {
        let coroutines = self.coroutines.borrow();
        let found = coroutines.get(usize::try_from(id).ok()?)?;
        (!found.is_null()).then_some(*found)
    }

    fn forget(&self, id: i32) {
        if let Ok(place) = usize::try_from(id) {
            self.coroutines.borrow_mut()[place] = ptr::null_mut();
        }
    }
}

/// Makes an empty set.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_schedule_open(schedule: *mut *mut corun_schedule) -> Status {
    call(|| {
        required(schedule)?;
        let handle = table::insert(OwnThread::new(Schedule {
            coroutines: RefCell::default(),
            running: Cell::new(-1),
        }))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(schedule, handle) }
    })
}

/// Frees the set.
#[unsafe(no_mangle)]
pub extern "C" fn corun_schedule_close(schedule: *mut corun_schedule) -> Status {
    call(|| {
        let visited = visit(schedule)?;
        let set = visited.get()?;
        if set.running.get() >= 0 {
            return Err(Failure::state("one of the coroutines runs"));
        }
        let count = set.coroutines.borrow().len();
        for id in 0..i32::try_from(count).unwrap_or(i32::MAX) {
            if let Some(coroutine) = set.find(id) {
                // It may look at the set while it ends.
                set.running.set(id);
                let ended = coroutine::destroy(coroutine);
                set.running.set(-1);
                ended?;
                set.forget(id);
            }
        }
        table::release::<Own, _>(schedule).map(drop)
    })
}

/// Makes a coroutine.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_schedule_new(
    schedule: *mut corun_schedule,
    function: ScheduleFunction,
    argument: Pointer,
    id: *mut i32,
) -> Status {
    call(|| {
        required(id)?;
        let function = function.ok_or_else(|| Failure::invalid("the function is NULL"))?;
        let visited = visit(schedule)?;
        let set = visited.get()?;
        let coroutine = coroutine::create(0, move |_| {
            // SAFETY: the user has handed it over to be called so.
            unsafe { function(schedule, argument) };
            ptr::null_mut()
        })?;
        let mut coroutines = set.coroutines.borrow_mut();
        let place = match coroutines.iter().position(|place| place.is_null()) {
            Some(place) => place,
            None => {
                coroutines.push(ptr::null_mut());
                coroutines.len() - 1
            }
        };
        coroutines[place] = coroutine;
        let number = i32::try_from(place).map_err(|_| Failure::invalid("too many coroutines"))?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(id, number) }
    })
}

/// Runs one until it yields or ends.
#[unsafe(no_mangle)]
pub extern "C" fn corun_schedule_resume(schedule: *mut corun_schedule, id: i32) -> Status {
    call(|| {
        let visited = visit(schedule)?;
        let set = visited.get()?;
        let Some(coroutine) = set.find(id) else {
            return Err(Failure::state(format!("no coroutine has the number {id}")));
        };
        let before = set.running.replace(id);
        let stepped = coroutine::step(coroutine);
        set.running.set(before);
        stepped?;
        if coroutine::state_of(coroutine)? == DONE {
            set.forget(id);
            coroutine::destroy(coroutine)?;
        }
        Ok(())
    })
}

/// Back to whoever resumed.
#[unsafe(no_mangle)]
pub extern "C" fn corun_schedule_yield(schedule: *mut corun_schedule) -> Status {
    let inside = call(|| {
        if visit(schedule)?.get()?.running.get() < 0 {
            return Err(Failure::new(
                status::ERR_CONTEXT,
                "none of the coroutines runs",
            ));
        }
        Ok(())
    });
    if inside != status::OK {
        return inside;
    }
    // SAFETY: no place for a value is given.
    unsafe { coroutine::corun_coroutine_yield(ptr::null_mut(), ptr::null_mut()) }
}

/// The state of one.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_schedule_status(
    schedule: *mut corun_schedule,
    id: i32,
    state: *mut i32,
) -> Status {
    call(|| {
        let now = match visit(schedule)?.get()?.find(id) {
            Some(coroutine) => coroutine::state_of(coroutine)?,
            None => DONE,
        };
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(state, now) }
    })
}

/// The number of the one that runs.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_schedule_running(
    schedule: *mut corun_schedule,
    id: *mut i32,
) -> Status {
    call(|| {
        let running = visit(schedule)?.get()?.running.get();
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(id, running) }
    })
}
