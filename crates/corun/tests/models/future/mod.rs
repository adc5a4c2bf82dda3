//! The real files of promises, their futures and async tasks, and a stand-in for where a coroutine notes that it is busy with callbacks.

#[path = "../../../src/future/block.rs"]
pub mod block;
#[path = "../../../src/future/callback.rs"]
pub mod callback;
#[path = "../../../src/future/eventual.rs"]
pub mod eventual;
#[path = "../../../src/future/promise.rs"]
pub mod promise;
#[path = "../../../src/future/rejected.rs"]
pub mod rejected;
#[path = "../../../src/future/shared.rs"]
pub mod shared;
#[path = "../../../src/future/state.rs"]
pub mod state;
#[path = "../../../src/future/task.rs"]
pub mod task;
#[path = "../../../src/future/waiting.rs"]
pub mod waiting;
#[path = "../../../src/future/waits.rs"]
pub mod waits;

pub(crate) use callback::Place;
pub use eventual::Future;
pub use promise::{Promise, promise};
pub use rejected::Rejected;

pub mod place {
    use std::cell::Cell;

    use super::Place;

    crate::checker::thread_local! {
        static PLACE: Place = Cell::new(std::ptr::null());
    }

    pub fn place() -> *const Place {
        PLACE.with(std::ptr::from_ref)
    }
}

mod promises;
mod tasks;
