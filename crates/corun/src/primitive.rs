//! What the protocols between threads are made of. The models (`tests/models`) include the files that hold these protocols, and give them
//! loom's primitives under this name.

pub(crate) use std::sync::atomic;
pub(crate) use std::{hint, thread};

/// Makes a function `const` here, and not in the models, whose primitives cannot be made at compile time.
macro_rules! constructor {
    ($(#[$meta:meta])* $vis:vis fn $($rest:tt)*) => {
        $(#[$meta])* $vis const fn $($rest)*
    };
}
pub(crate) use constructor;
