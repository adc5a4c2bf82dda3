//! Why a coroutine could not start.

use std::error::Error;
use std::fmt;

use corun_context::stack::StackError;

/// The coroutine got no stack, and so ended without running.
///
/// A coroutine takes its stack when it first runs, long after `spawn` has returned. So this comes as the payload of the error that
/// [`JoinHandle::join`](crate::JoinHandle::join) returns, where a panic would be.
///
/// # Examples
/// ```
/// let result = corun::spawn(|| 1).join();
/// match result {
///     Ok(value) => assert_eq!(value, 1),
///     Err(payload) => match payload.downcast_ref::<corun::StartError>() {
///         Some(error) => eprintln!("too many coroutines at once: {error}"),
///         None => std::panic::resume_unwind(payload),
///     },
/// }
/// ```
#[derive(Debug)]
pub struct StartError(StackError);

impl From<StackError> for StartError {
    fn from(error: StackError) -> StartError {
        StartError(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the coroutine did not start, as there was no stack for it: {}",
            self.0
        )
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}
