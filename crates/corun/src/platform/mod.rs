//! What differs between systems, one module each.

pub(crate) mod bell;
pub(crate) mod fences;
#[cfg_attr(not(unix), allow(dead_code, reason = "no fork there"))]
pub(crate) mod fork;
pub(crate) mod host_wait;
pub(crate) mod interrupt;
pub(crate) mod numa;
pub(crate) mod own;
#[cfg_attr(windows, path = "poll_windows.rs")]
pub(crate) mod poll;
pub(crate) mod stream;
pub(crate) mod thread;
