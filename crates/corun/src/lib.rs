//! Stackful coroutines in the shape of std.

#[allow(dead_code, reason = "used by the scheduler, which lands after it")]
mod coroutine {
    mod local;
    pub(crate) mod local_map;
    pub use local::{AccessError, LocalKey};
}
#[allow(dead_code, reason = "used by the scheduler, which lands after it")]
mod platform {
    #[cfg(unix)]
    pub(crate) mod fork;
    pub(crate) mod numa;
    pub(crate) mod poll;
}
#[allow(
    dead_code,
    unused_imports,
    reason = "used by the scheduler and the sockets, which land after it"
)]
mod reactor;
#[allow(dead_code, reason = "used by the scheduler, which lands after it")]
mod runtime {
    pub(crate) mod config;
}

pub use coroutine::{AccessError, LocalKey};
