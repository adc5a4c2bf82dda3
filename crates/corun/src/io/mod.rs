//! The part of [`std::io`] that is worth doing differently with coroutines, and what is needed to wait for descriptors of any kind.
//!
//! Everything else works as it is: the sockets of [`net`](crate::net) have the traits of `std::io`.

#[cfg(unix)]
mod descriptor;

pub use crate::net::copy::{Stream, copy};
#[cfg(unix)]
pub use descriptor::Descriptor;
