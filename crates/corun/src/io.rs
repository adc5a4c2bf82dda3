//! The part of [`std::io`] that is worth doing differently with coroutines.
//!
//! Everything else works as it is: the sockets of [`net`](crate::net) have the traits of `std::io`.

pub use crate::net::copy::{Stream, copy};
