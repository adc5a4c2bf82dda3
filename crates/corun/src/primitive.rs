//! What the protocols between threads are made of. The models (`tests/models`) include the files that hold these protocols, and give them
//! loom's primitives under this name.

pub(crate) use std::hint;
pub(crate) use std::sync::atomic;

pub(crate) use crate::hooking::own;

/// That of std, except that giving up the processor is no call that a hook may turn into a suspension: who does so waits for a lock.
pub(crate) mod thread {
    pub(crate) use std::thread::{Thread, current, park, park_timeout};

    pub(crate) fn yield_now() {
        crate::hooking::own(std::thread::yield_now);
    }
}

/// Makes a function `const` here, and not in the models, whose primitives cannot be made at compile time.
macro_rules! constructor {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$meta])* $vis const fn $($rest)*
    };
}
pub(crate) use constructor;
