//! The functions of `std::fs` that take paths, each on a thread of the pool as a whole.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Metadata, Permissions};
use crate::blocking::offload;

/// The contents of a file.
///
/// ```
/// let path = std::env::temp_dir().join(format!("corun-doc-read-{}", std::process::id()));
/// corun::fs::write(&path, "contents")?;
/// assert_eq!(corun::fs::read(&path)?, b"contents");
/// assert_eq!(corun::fs::read_to_string(&path)?, "contents");
/// corun::fs::remove_file(&path)?;
/// assert!(!corun::fs::exists(&path)?);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of [`std::fs::read`].
pub fn read<P: AsRef<Path>>(path: P) -> io::Result<Vec<u8>> {
    let path = path.as_ref();
    offload(|| fs::read(path))
}

/// The contents of a file of text.
///
/// # Errors
/// Those of [`std::fs::read_to_string`]: [`InvalidData`](io::ErrorKind::InvalidData) if it is not UTF-8.
pub fn read_to_string<P: AsRef<Path>>(path: P) -> io::Result<String> {
    let path = path.as_ref();
    offload(|| fs::read_to_string(path))
}

/// Makes the file if there is none, and replaces its contents.
///
/// # Errors
/// Those of [`std::fs::write`].
pub fn write<P: AsRef<Path>, C: AsRef<[u8]>>(path: P, contents: C) -> io::Result<()> {
    let (path, contents) = (path.as_ref(), contents.as_ref());
    offload(|| fs::write(path, contents))
}

/// Copies the contents and the permissions of a file; returns how many bytes.
///
/// # Errors
/// Those of [`std::fs::copy`].
pub fn copy<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<u64> {
    let (from, to) = (from.as_ref(), to.as_ref());
    offload(|| fs::copy(from, to))
}

/// Gives a file or directory another name; a file of that name is replaced.
///
/// # Errors
/// Those of [`std::fs::rename`].
pub fn rename<P: AsRef<Path>, Q: AsRef<Path>>(from: P, to: Q) -> io::Result<()> {
    let (from, to) = (from.as_ref(), to.as_ref());
    offload(|| fs::rename(from, to))
}

/// Gives a file a further name, `link`.
///
/// # Errors
/// Those of [`std::fs::hard_link`].
pub fn hard_link<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    offload(|| fs::hard_link(original, link))
}

/// Where a symbolic link points to.
///
/// # Errors
/// Those of [`std::fs::read_link`].
pub fn read_link<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    offload(|| fs::read_link(path))
}

/// The absolute path, without symbolic links.
///
/// # Errors
/// Those of [`std::fs::canonicalize`].
pub fn canonicalize<P: AsRef<Path>>(path: P) -> io::Result<PathBuf> {
    let path = path.as_ref();
    offload(|| fs::canonicalize(path))
}

/// What the system knows of a file; symbolic links are followed.
///
/// # Errors
/// Those of [`std::fs::metadata`].
pub fn metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    offload(|| fs::metadata(path))
}

/// What the system knows of a file, or of a symbolic link itself.
///
/// # Errors
/// Those of [`std::fs::symlink_metadata`].
pub fn symlink_metadata<P: AsRef<Path>>(path: P) -> io::Result<Metadata> {
    let path = path.as_ref();
    offload(|| fs::symlink_metadata(path))
}

/// Does the path name something?
///
/// # Errors
/// If that cannot be found out: see [`std::fs::exists`].
pub fn exists<P: AsRef<Path>>(path: P) -> io::Result<bool> {
    let path = path.as_ref();
    offload(|| fs::exists(path))
}

/// Changes who may do what with a file.
///
/// # Errors
/// Those of [`std::fs::set_permissions`].
pub fn set_permissions<P: AsRef<Path>>(path: P, perm: Permissions) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::set_permissions(path, perm))
}

/// Removes a file.
///
/// # Errors
/// Those of [`std::fs::remove_file`].
pub fn remove_file<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::remove_file(path))
}

/// Removes an empty directory.
///
/// # Errors
/// Those of [`std::fs::remove_dir`].
pub fn remove_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::remove_dir(path))
}

/// Removes a directory with all that is in it; symbolic links are not followed.
///
/// # Errors
/// Those of [`std::fs::remove_dir_all`].
pub fn remove_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::remove_dir_all(path))
}
