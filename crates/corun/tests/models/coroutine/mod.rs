//! The real files of a coroutine's block, and stand-ins for what lies around them.

#[path = "../../../src/coroutine/awaiting.rs"]
pub mod awaiting;
#[path = "../../../src/coroutine/body.rs"]
pub mod body;
#[path = "../../../src/coroutine/joiner.rs"]
pub mod joiner;
#[path = "../../../src/coroutine/outcome.rs"]
pub mod outcome;
#[path = "../../../src/coroutine/park.rs"]
pub mod park;
#[path = "../../../src/coroutine/task.rs"]
pub mod task;

/// A counted handle.
pub struct Coroutine(task::TaskRef);

impl Coroutine {
    pub fn from_running(task: task::TaskRef) -> Coroutine {
        task.retain();
        Coroutine(task)
    }

    pub fn from_retained(task: task::TaskRef) -> Coroutine {
        Coroutine(task)
    }

    pub fn task(&self) -> task::TaskRef {
        self.0
    }
}

impl Drop for Coroutine {
    fn drop(&mut self) {
        self.0.release();
    }
}

pub mod handle {
    use std::cell::Cell;

    use super::task::TaskRef;

    crate::checker::thread_local! {
        static CURRENT: Cell<Option<TaskRef>> = Cell::new(None);
    }

    /// Makes the thread the owner of the block.
    pub fn enter(task: TaskRef) {
        CURRENT.with(|current| current.set(Some(task)));
    }

    pub fn current_task() -> TaskRef {
        CURRENT.with(Cell::get).unwrap()
    }
}

pub mod inherited {
    use super::task::TaskRef;

    pub type Bindings = ();

    pub fn forget(_: TaskRef) {}
}

pub mod local_map {
    pub struct LocalMap;

    impl LocalMap {
        pub fn new() -> LocalMap {
            LocalMap
        }
        pub fn clear(&self) {}
    }
}

mod awaited;
mod end;
mod parking;
