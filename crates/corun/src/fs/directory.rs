//! Directories: making and listing them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io, vec};

use super::{FileType, Metadata};
use crate::blocking::offload;

/// How many entries a thread of the pool fetches at once: enough that the way there costs nothing, and few enough that the first come soon.
const BATCH: usize = 128;

/// Makes a directory whose parent is there.
///
/// # Errors
/// Those of [`std::fs::create_dir`].
pub fn create_dir<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::create_dir(path))
}

/// Makes a directory, and its parents where they are missing.
///
/// # Errors
/// Those of [`std::fs::create_dir_all`].
pub fn create_dir_all<P: AsRef<Path>>(path: P) -> io::Result<()> {
    let path = path.as_ref();
    offload(|| fs::create_dir_all(path))
}

/// Makes directories: the counterpart of [`std::fs::DirBuilder`]. On Unix it has [`DirBuilderExt`](std::os::unix::fs::DirBuilderExt) of std.
#[derive(Debug)]
pub struct DirBuilder(fs::DirBuilder);

impl DirBuilder {
    /// Makes one directory, whose parent must be there.
    #[allow(clippy::new_without_default, reason = "as std's")]
    pub fn new() -> DirBuilder {
        DirBuilder(fs::DirBuilder::new())
    }

    /// With `true`, parents are made too, and a directory that is there already is no error.
    pub fn recursive(&mut self, recursive: bool) -> &mut DirBuilder {
        self.0.recursive(recursive);
        self
    }

    /// Makes the directory.
    ///
    /// # Errors
    /// Those of [`std::fs::DirBuilder::create`].
    pub fn create<P: AsRef<Path>>(&self, path: P) -> io::Result<()> {
        let path = path.as_ref();
        offload(|| self.0.create(path))
    }
}

#[cfg(unix)]
impl std::os::unix::fs::DirBuilderExt for DirBuilder {
    fn mode(&mut self, mode: u32) -> &mut DirBuilder {
        self.0.mode(mode);
        self
    }
}

/// The entries of a directory, in no particular order, without `.` and `..`.
///
/// ```
/// let path = std::env::temp_dir().join(format!("corun-doc-dir-{}", std::process::id()));
/// corun::fs::create_dir(&path)?;
/// corun::fs::write(path.join("file"), "")?;
/// for entry in corun::fs::read_dir(&path)? {
///     let entry = entry?;
///     assert!(entry.file_name() == "file" && entry.file_type()?.is_file());
/// }
/// corun::fs::remove_dir_all(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Those of [`std::fs::read_dir`].
pub fn read_dir<P: AsRef<Path>>(path: P) -> io::Result<ReadDir> {
    let path = path.as_ref();
    offload(|| {
        let mut inner = fs::read_dir(path)?;
        let fetched = fetch(&mut inner);
        Ok(ReadDir { inner, fetched })
    })
}

/// An iterator over a directory: made by [`read_dir`].
pub struct ReadDir {
    inner: fs::ReadDir,
    fetched: vec::IntoIter<io::Result<DirEntry>>,
}

/// Where the thread is at it anyway, it asks for the types too: some file systems have to look them up.
fn fetch(inner: &mut fs::ReadDir) -> vec::IntoIter<io::Result<DirEntry>> {
    let entry = |entry: fs::DirEntry| DirEntry {
        file_type: entry.file_type(),
        inner: entry,
    };
    let fetched = inner.by_ref().take(BATCH).map(|found| found.map(entry));
    fetched.collect::<Vec<_>>().into_iter()
}

impl Iterator for ReadDir {
    type Item = io::Result<DirEntry>;

    fn next(&mut self) -> Option<io::Result<DirEntry>> {
        if let Some(entry) = self.fetched.next() {
            return Some(entry);
        }
        let inner = &mut self.inner;
        match offload(|| Ok(fetch(inner))) {
            Ok(fetched) => self.fetched = fetched,
            Err(error) => return Some(Err(error)),
        }
        self.fetched.next()
    }
}

impl fmt::Debug for ReadDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// What [`ReadDir`] yields.
pub struct DirEntry {
    inner: fs::DirEntry,
    file_type: io::Result<FileType>,
}

impl DirEntry {
    /// The path: that given to [`read_dir`], and the name.
    pub fn path(&self) -> PathBuf {
        self.inner.path()
    }

    /// The name alone.
    pub fn file_name(&self) -> OsString {
        self.inner.file_name()
    }

    /// What the system knows of it; symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::metadata`].
    pub fn metadata(&self) -> io::Result<Metadata> {
        offload(|| self.inner.metadata())
    }

    /// File, directory or something else; symbolic links are not followed.
    ///
    /// # Errors
    /// Those of [`std::fs::DirEntry::file_type`].
    pub fn file_type(&self) -> io::Result<FileType> {
        match &self.file_type {
            Ok(file_type) => Ok(*file_type),
            // An `io::Error` cannot be cloned, and the reason may have gone.
            Err(_) => offload(|| self.inner.file_type()),
        }
    }
}

#[cfg(unix)]
impl std::os::unix::fs::DirEntryExt for DirEntry {
    fn ino(&self) -> u64 {
        self.inner.ino()
    }
}

impl fmt::Debug for DirEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
