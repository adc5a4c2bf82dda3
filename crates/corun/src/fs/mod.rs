//! Files, in the shape of [`std::fs`].
//!
//! Names, signatures, traits and error kinds are std's, so that a program moves by changing `std::fs` to `corun::fs` in its imports. What
//! waits for a disk parks the calling coroutine only. Reads of what the system has in memory are made at once, where it can say so; other reads and writes, and
//! [`File::sync_all`], go through io_uring where the system has it, straight from and to the caller's buffer. The rest (and all, where
//! there is no io_uring) is done by a thread of the blocking pool (see [`blocking`](crate::blocking())). `Builder::io_uring(false)` and the environment variable
//! `CORUN_IO_URING=0` do without. On a plain thread everything is done in place, as by std.
//!
//! ```
//! use corun::fs::File;
//! use std::io::{BufRead, BufReader, Write};
//!
//! let path = std::env::temp_dir().join(format!("corun-doc-fs-{}", std::process::id()));
//! let lines = corun::spawn(move || {
//!     let mut file = File::create(&path)?;
//!     writeln!(file, "first\nsecond")?;
//!     let lines: Result<Vec<String>, _> = BufReader::new(File::open(&path)?).lines().collect();
//!     corun::fs::remove_file(&path)?;
//!     lines
//! });
//! assert_eq!(lines.join().unwrap()?, ["first", "second"]);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Cancellation
//! A coroutine that is cancelled is left before an operation begins, or while it waits for its turn or for a pipe or terminal; an operation that
//! has begun is waited for (the system is asked to give it up), and if it succeeds its result is not lost: the next wait is the one that is left.
//!
//! # What is different
//! - A file that is a pipe, a terminal or another device is waited for without a thread. But to *open* a named pipe takes one until the other side
//!   opens it too; a program that opens hundreds of them should do so with `O_NONBLOCK`.
//! - [`File::lock`] tries again after pauses of up to 5 ms rather than hold a thread of the pool, so that it can be cancelled, and those who
//!   wait for a lock cannot use up the threads that its holder needs. It is not in order of arrival.
//! - Writes to pipes and terminals take at most 4 KiB a call, which is what is certain not to block.

mod directory;
mod file;
mod open_options;
mod paths;
#[cfg(unix)]
pub mod unix;

pub use directory::{DirBuilder, DirEntry, ReadDir, create_dir, create_dir_all, read_dir};
pub use file::File;
pub use open_options::OpenOptions;
pub use paths::{
    canonicalize, copy, exists, hard_link, metadata, read, read_link, read_to_string, remove_dir,
    remove_dir_all, remove_file, rename, set_permissions, symlink_metadata, write,
};
pub use std::fs::{FileTimes, FileType, Metadata, Permissions, TryLockError};
