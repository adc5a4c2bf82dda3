//! Waiting for the operating system: one reactor per worker, one source per descriptor.
//!
//! # The contract with the layers above
//! The socket types ask for *operations* (`Source::run(Direction::Read, .., || recv(..))`), never for readiness. The operation
//! is tried first; only if it would block does the caller wait, and then it is tried again. A backend that completes operations
//! instead of reporting readiness can therefore replace this one without a change above it.
//!
//! # Parts
//! - [`Reactor`] (`poller.rs`): waits for events and hands them to entries; frees entries when no event can name them any more.
//! - `Entry` (`entry.rs`, `turn.rs`, `wait_list.rs`): the state of one registered descriptor: what is known of its readiness, and who waits.
//! - [`Source`] (`source.rs`): what a socket owns; makes an entry when it first has to wait, and takes it away when it is dropped.
//! - `selector`: the system calls: epoll on Linux, the `polling` crate elsewhere, for kqueue and for the I/O completion
//!   ports of Windows, which report a descriptor once for each time that they are asked to.
//!
//! - [`Operation`] (`operation.rs`, `task_turn.rs`): an operation as a future, with a place in the order of those who wait; `Source::poll` is for
//!   tasks that poll through a trait, and have none (`herd.rs`).
//!
//! - [`Watch`] (`watch.rs`): waits on descriptors that somebody else owns, for `corun-hook`.
//!
//! Plain threads do not take part: they wait for their one descriptor by `poll(2)` (`platform::poll`). An async task that polls on a thread of
//! somebody else's is woken by a worker of the global runtime.

mod entry;
mod herd;
mod limits;
mod operation;
mod poller;
mod source;
mod task_turn;
#[cfg(all(test, unix))]
mod tests;
mod turn;
mod wait_list;
#[cfg(unix)]
mod watch;

#[cfg_attr(
    all(any(target_os = "linux", target_os = "android"), not(corun_portable)),
    path = "epoll.rs"
)]
#[cfg_attr(
    not(all(any(target_os = "linux", target_os = "android"), not(corun_portable))),
    path = "portable.rs"
)]
mod selector;

pub(crate) use entry::Direction;
pub(crate) use limits::Limits;
pub(crate) use operation::Operation;
pub(crate) use poller::Reactor;
pub(crate) use selector::{BorrowedDescriptor, Socket};
pub(crate) use source::Source;
#[cfg(unix)]
pub use watch::{Interest, Watch};
