//! Child processes, in the shape of [`std::process`].
//!
//! Names, signatures and error kinds are std's. Waiting for a child parks the calling coroutine and takes no thread: the system makes a
//! descriptor ready when the child ends (`pidfd`), and where it has none to give, a signal says so. The pipes to a child are waited for as
//! sockets are.
//!
//! ```
//! use corun::process::Command;
//!
//! let words: Vec<_> = ["one", "two", "three"]
//!     .map(|word| corun::spawn(move || Command::new("echo").arg(word).output()))
//!     .into_iter()
//!     .map(|child| String::from_utf8(child.join().unwrap().unwrap().stdout).unwrap())
//!     .collect();
//! assert_eq!(words, ["one\n", "two\n", "three\n"]);
//! ```
//!
//! # Cancellation
//! Whoever is cancelled while he waits for a [`Child`] still has it, and may wait again. [`Command::status`], [`Command::output`] and
//! [`Child::wait_with_output`] have the only handle there is: when they are cancelled the child is killed and waited for, so that none is left
//! behind.
//!
//! # What is different
//! - The process is started in place, on the worker, as `std` starts it: mostly well under a millisecond. A child may ask to be killed when the *thread*
//!   that started it ends (`PR_SET_PDEATHSIG`), and threads of the pool come and go. Where starting takes long (a program on a slow network file
//!   system), `corun::blocking(|| command.spawn())` does it elsewhere.
//! - Our ends of the pipes are in non-blocking mode; turned into a [`Stdio`], an `OwnedFd` or std's type they are in blocking mode again.
//! - [`Command`] has the methods of std's `CommandExt` itself, as that trait is sealed.

mod child;
mod command;
mod ended;
mod output;
mod pipes;

pub use child::Child;
pub use command::Command;
pub use pipes::{ChildStderr, ChildStdin, ChildStdout};
pub use std::process::{
    CommandArgs, CommandEnvs, ExitCode, ExitStatus, Output, Stdio, Termination, abort, exit, id,
};
