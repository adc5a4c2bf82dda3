//! Async code as a guest of the scheduler: tasks without a stack, and waiting for futures.

mod block_on;
pub(crate) mod spawn;
pub(crate) mod state;
pub(crate) mod task;

pub use block_on::block_on;
pub use spawn::{spawn_async, spawn_async_local};
