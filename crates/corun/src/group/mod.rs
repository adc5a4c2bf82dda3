//! Structured concurrency: several coroutines at a time that borrow from the caller, and have all ended when the call returns.

mod frame;
mod macros;
mod map;
mod task_group;

pub use frame::{Frame, xasync, xawait};
pub use map::{map_concurrent, try_map_concurrent};
pub use task_group::{TaskGroup, task_group, try_task_group};
