//! Cancellation: work that is left where it waits.
//!
//! A cancelled coroutine unwinds from the wait that it is in, or else from the next one, up to the call that is to end: destructors run, the panic
//! hook does not. What can be cancelled is structured as in Trio: a call ([`timeout`](crate::timeout), [`cancel_scope`], [`CancelToken::run`]), or
//! a coroutine as a whole ([`JoinHandle::cancel`](crate::JoinHandle::cancel)).
//!
//! - `levels.rs`: what a coroutine is inside of, and which of that it unwinds to.
//! - `limit.rs`: what each wait has to know of that.
//! - `token.rs`, `listeners.rs`: who is told of a cancellation.
//! - `nudge.rs`: how a parked coroutine is woken for it; `thread_wait.rs`: a plain thread.

pub(crate) mod caller;
mod error;
pub(crate) mod levels;
pub(crate) mod limit;
mod listeners;
pub(crate) mod nudge;
mod scope;
mod thread_wait;
mod token;

pub use error::Cancelled;
pub use scope::{cancel_scope, check_cancelled, shield};
pub use token::{CancelToken, WaitForCancel};

use crate::coroutine::task::TaskRef;
use crate::future::task::cancel_task;

impl TaskRef {
    /// Has a coroutine end at its next suspension point, or not start at all; an async task loses its future in place of its next poll.
    pub(crate) fn cancel(self) {
        if self.is_guest() && !self.is_migrant() {
            cancel_task(self, Box::new(Cancelled::default()));
        } else {
            nudge::cancel(self);
        }
    }
}
