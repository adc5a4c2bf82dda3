//! Async tasks. One program, since each is linked four times in CI.

mod cancel;
mod fairness;
mod guests;
mod tasks;
