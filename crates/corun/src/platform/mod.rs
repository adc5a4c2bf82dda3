//! What differs between systems, one module each.

#[cfg(unix)]
pub(crate) mod fork;
#[cfg(unix)]
pub(crate) mod host_wait;
pub(crate) mod numa;
pub(crate) mod poll;
pub(crate) mod thread;
