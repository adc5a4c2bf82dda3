//! What only Unix has: the functions of [`std::os::unix::fs`]. Its traits are those of std, which the types here implement.

use std::io;
use std::os::unix::fs as unix;
use std::path::Path;

use crate::blocking::offload;

pub use std::os::unix::fs::{
    DirBuilderExt, DirEntryExt, FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt,
};

/// Makes a symbolic link.
///
/// # Errors
/// Those of [`std::os::unix::fs::symlink`].
pub fn symlink<P: AsRef<Path>, Q: AsRef<Path>>(original: P, link: Q) -> io::Result<()> {
    let (original, link) = (original.as_ref(), link.as_ref());
    offload(|| unix::symlink(original, link))
}

/// Changes the owner and the group of a file; `None` leaves what there is.
///
/// # Errors
/// Those of [`std::os::unix::fs::chown`].
pub fn chown<P: AsRef<Path>>(dir: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let path = dir.as_ref();
    offload(|| unix::chown(path, uid, gid))
}

/// As [`chown`], for a symbolic link itself.
///
/// # Errors
/// Those of [`std::os::unix::fs::lchown`].
pub fn lchown<P: AsRef<Path>>(dir: P, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let path = dir.as_ref();
    offload(|| unix::lchown(path, uid, gid))
}

/// As [`chown`], for an open file.
///
/// # Errors
/// Those of [`std::os::unix::fs::fchown`].
pub fn fchown<F: std::os::fd::AsFd>(fd: F, uid: Option<u32>, gid: Option<u32>) -> io::Result<()> {
    let descriptor = fd.as_fd();
    offload(|| unix::fchown(descriptor, uid, gid))
}
