//! What differs between systems, one module each.

pub(crate) mod fences;
#[cfg_attr(not(unix), allow(dead_code, reason = "no fork there"))]
pub(crate) mod fork;
#[cfg(unix)]
pub(crate) mod host_wait;
#[cfg(unix)]
pub(crate) mod interrupt;
pub(crate) mod numa;
pub(crate) mod own;
pub(crate) mod poll;
pub(crate) mod stream;
pub(crate) mod thread;
