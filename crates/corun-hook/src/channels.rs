//! `std::sync::mpsc` between coroutines of one worker.
pub(crate) fn check() {}
