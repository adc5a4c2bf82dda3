//! The part of [`std::io`] that is worth doing differently with coroutines.
//!
//! Everything else works as it is: the sockets of [`net`](crate::net) and the files of [`fs`](crate::fs) have the traits of `std::io`.

#[cfg_attr(not(unix), path = "slow_portable.rs")]
pub(crate) mod slow;

pub use crate::net::copy::{Stream, copy};
