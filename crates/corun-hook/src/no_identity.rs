//! Where coroutines cannot have thread-locals of their own.

/// Runs the body of a hook.
#[inline]
pub(crate) fn on_worker<F: FnOnce() -> R, R>(body: F) -> R {
    body()
}

/// Runs `f`, with the thread-locals of the worker.
pub(crate) unsafe fn as_thread<F: FnOnce() -> R, R>(f: F) -> R {
    f()
}

/// Can `as_thread` give coroutines thread-locals of their own here? Not on this machine: it is for x86-64, and there is no `as_thread` elsewhere.
pub fn as_thread_is_available() -> bool {
    false
}
