//! Where coroutines cannot have thread-locals of their own.

/// Runs the body of a hook.
#[inline]
pub(crate) fn on_worker<F: FnOnce() -> R, R>(body: F) -> R {
    body()
}
