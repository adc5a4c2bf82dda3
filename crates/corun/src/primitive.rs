//! What the protocols between threads are made of. The models (`tests/models`) include the files that hold these protocols, and give them
//! loom's primitives under this name.

pub(crate) use std::sync::atomic;
pub(crate) use std::{hint, thread};
