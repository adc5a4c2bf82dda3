//! hickory's code for TLS looks for tokio wherever it is polled. With the feature `tokio` it finds the runtime of [`corun::tokio`](crate::tokio); without,
//! nobody comes here (see `connector.rs`).

/// Has a future find tokio.
#[cfg(feature = "tokio")]
pub(super) fn with_tokio<F: Future>(future: F) -> impl Future<Output = F::Output> {
    crate::tokio::wrap(|| future)
}

#[cfg(not(feature = "tokio"))]
pub(super) fn with_tokio<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future
}

/// Has a poll find tokio, if it looks for it.
#[cfg(feature = "tokio")]
pub(super) fn inside<R>(wants_tokio: bool, poll: impl FnOnce() -> R) -> R {
    if wants_tokio {
        crate::tokio::enter(poll)
    } else {
        poll()
    }
}

#[cfg(not(feature = "tokio"))]
pub(super) fn inside<R>(_wants_tokio: bool, poll: impl FnOnce() -> R) -> R {
    poll()
}
