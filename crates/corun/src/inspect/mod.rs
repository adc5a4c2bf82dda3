//! Looking at what lives: where a parked coroutine waits.

pub(crate) mod unwind;
