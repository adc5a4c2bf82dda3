//! The part of [`std::io`] that is worth doing differently with coroutines, and what is needed to wait for descriptors of any kind.
//!
//! Everything else works as it is: the sockets of [`net`](crate::net) and the files of [`fs`](crate::fs) have the traits of `std::io`.

#[cfg_attr(not(unix), path = "slow_portable.rs")]
pub(crate) mod slow;

#[cfg(unix)]
mod descriptor;
#[cfg(unix)]
mod reentrant;
#[cfg_attr(
    not(all(
        target_os = "linux",
        any(
            target_arch = "x86_64",
            target_arch = "aarch64",
            target_arch = "riscv64"
        )
    )),
    path = "no_ring.rs"
)]
pub(crate) mod ring;
#[cfg(unix)]
mod standard;
#[cfg(unix)]
mod stdin;
#[cfg(unix)]
mod stdout;

pub use crate::net::copy::{Stream, copy};
#[cfg(unix)]
pub use descriptor::Descriptor;
#[cfg(unix)]
pub use stdin::{Stdin, StdinLock, stdin};
#[cfg(unix)]
pub use stdout::{Stderr, StderrLock, Stdout, StdoutLock, stderr, stdout};
