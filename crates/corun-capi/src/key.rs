//! `task.h`: storage of a task's own.

use std::cell::RefCell;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::call::{call, required, write};
use crate::failure::{Failure, Outcome};
use crate::status::Status;
use crate::table::{self, Kind, Object};
use crate::value::{Destructor, Owned, Pointer};

/// `corun_key`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_key {
    _private: [u8; 0],
}

const MOST: usize = 65_536;

struct Key {
    number: usize,
    destructor: Destructor,
}

impl Object for Key {
    const KIND: Kind = Kind::Key;
    const NAME: &'static str = "key";
}

/// The values of one task, by the numbers of their keys. Their destructors run when the task ends.
#[derive(Default)]
struct Values(RefCell<Vec<Owned>>);

impl Drop for Values {
    fn drop(&mut self) {
        // A destructor may look at other values, and finds none.
        for value in mem::take(self.0.get_mut()) {
            if value.get().is_null() {
                value.into_inner();
            }
        }
    }
}

corun::coroutine_local! {
    static VALUES: Values = Values::default();
}

/// Names a value of each task's own.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_key_create(
    destructor: Destructor,
    key: *mut *mut corun_key,
) -> Status {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    call(|| {
        required(key)?;
        let more = |next: usize| (next < MOST).then_some(next + 1);
        let Ok(number) = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more) else {
            return Err(Failure::invalid("there are 65,536 keys already"));
        };
        let handle = table::insert(Key { number, destructor })?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(key, handle) }
    })
}

/// Sets the caller's value.
#[unsafe(no_mangle)]
pub extern "C" fn corun_key_set(key: *mut corun_key, value: Pointer) -> Status {
    call(|| {
        let key = table::visit::<Key, _>(key)?;
        let set = VALUES.try_with(|values| {
            let mut values = values.0.borrow_mut();
            if values.len() <= key.number {
                values.resize_with(key.number + 1, Owned::default);
            }
            let old = mem::replace(&mut values[key.number], Owned::new(value, key.destructor));
            old.into_inner();
        });
        set.map_err(|_| Failure::state("the task ends, and keeps nothing any more"))
    })
}

/// The caller's value.
#[unsafe(no_mangle)]
pub extern "C" fn corun_key_get(key: *mut corun_key) -> Pointer {
    let mut found = ptr::null_mut();
    let get = || -> Outcome {
        let key = table::visit::<Key, _>(key)?;
        let _ = VALUES.try_with(|values| {
            if let Some(value) = values.0.borrow().get(key.number) {
                found = value.get();
            }
        });
        Ok(())
    };
    call(get);
    found
}
