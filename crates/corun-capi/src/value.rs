//! What user code hands over: pointers, with whoever is to free them, and functions.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use crate::failure::{Failure, Outcome};

/// A pointer of the user's, which means nothing to us.
pub type Pointer = *mut c_void;
/// `corun_destructor`. Unwinding out of it would end the process: `C-unwind` has it do so with a message, where plain `C` is undefined.
pub type Destructor = Option<unsafe extern "C-unwind" fn(value: Pointer)>;
/// `corun_function`.
pub type Function = Option<unsafe extern "C-unwind" fn(argument: Pointer) -> Pointer>;

/// A pointer that may go to any thread, as the user has promised by handing it over.
#[derive(Clone, Copy)]
pub(crate) struct Data(pub(crate) Pointer);

// SAFETY: the headers say that what is handed over is used on any thread.
unsafe impl Send for Data {}
// SAFETY: as above.
unsafe impl Sync for Data {}

impl Data {
    /// By a method, so that closures capture the whole of it.
    pub(crate) fn get(self) -> Pointer {
        self.0
    }
}

/// A value with its destructor, which is called when it is dropped.
pub(crate) struct Owned {
    value: Data,
    destructor: Destructor,
}

impl Owned {
    pub(crate) fn new(value: Pointer, destructor: Destructor) -> Owned {
        Owned {
            value: Data(value),
            destructor,
        }
    }

    pub(crate) fn get(&self) -> Pointer {
        self.value.0
    }

    /// The value, which is the caller's from now on.
    pub(crate) fn into_inner(mut self) -> Pointer {
        self.destructor = None;
        self.value.0
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        if let Some(destructor) = self.destructor {
            // SAFETY: the user has given it for this value, and it is called once.
            unsafe { destructor(self.value.0) };
        }
    }
}

impl Default for Owned {
    fn default() -> Owned {
        Owned::new(ptr::null_mut(), None)
    }
}

/// A function of the user's with its argument. It may be called on any thread.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    function: unsafe extern "C-unwind" fn(Pointer) -> Pointer,
}

impl Call {
    pub(crate) fn new(function: Function) -> Outcome<Call> {
        match function {
            Some(function) => Ok(Call { function }),
            None => Err(Failure::invalid("the function is NULL")),
        }
    }

    pub(crate) fn run(self, argument: Pointer) -> Pointer {
        // SAFETY: the user has handed it over to be called so.
        unsafe { (self.function)(argument) }
    }
}

/// A text of the user's, if there is one.
///
/// # Safety
/// NULL, or a string that ends with a NUL.
pub(crate) unsafe fn text(text: *const c_char, what: &str) -> Outcome<Option<String>> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: promised by the caller.
    let bytes = unsafe { CStr::from_ptr(text) };
    match bytes.to_str() {
        Ok(text) => Ok(Some(text.to_string())),
        Err(_) => Err(Failure::invalid(format!("the {what} is not UTF-8"))),
    }
}
