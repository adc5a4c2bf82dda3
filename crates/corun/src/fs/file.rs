//! Open files.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::SystemTime;

use super::{FileTimes, Metadata, OpenOptions, Permissions, TryLockError};
use crate::blocking::offload;
use crate::io::slow::{Kind, Slow};
use crate::net::backoff::Backoff;
use crate::scheduler::in_coroutine;

/// An open file: the counterpart of [`std::fs::File`].
///
/// It is read, written and sought through `&File` as well; several coroutines that do so share one position, as with
/// std. On Unix it has [`FileExt`](std::os::unix::fs::FileExt) of std (`read_at`, `write_at`, ...), for which the position means nothing. Dropping it
/// closes it, in place.
///
/// ```
/// use std::io::{Read, Seek, SeekFrom, Write};
///
/// let path = std::env::temp_dir().join(format!("corun-doc-file-{}", std::process::id()));
/// let mut file = corun::fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
/// file.write_all(b"some text")?;
/// file.sync_all()?;
/// file.seek(SeekFrom::Start(5))?;
/// let mut text = String::new();
/// file.read_to_string(&mut text)?;
/// assert_eq!((text.as_str(), file.metadata()?.len()), ("text", 9));
/// corun::fs::remove_file(&path)?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct File {
    // Dropped first: it must leave the reactor before the descriptor is closed.
    slow: Slow,
    inner: fs::File,
}

#[cfg(unix)]
macro_rules! handle {
    ($file:expr) => {
        std::os::fd::AsFd::as_fd(&$file.inner)
    };
}
#[cfg(not(unix))]
macro_rules! handle {
    ($file:expr) => {
        &$file.inner
    };
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    /// Those of [`std::fs::File::open`].
    pub fn open<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file for writing; it is made if there is none, and emptied if there is one.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create`].
    pub fn create<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(path)
    }

    /// Makes a file that must not be there, for reading and writing.
    ///
    /// # Errors
    /// Those of [`std::fs::File::create_new`].
    pub fn create_new<P: AsRef<Path>>(path: P) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
    }

    /// The same as [`OpenOptions::new`].
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// Waits until contents and metadata have reached the disk.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_all`].
    pub fn sync_all(&self) -> io::Result<()> {
        Slow::sync(handle!(self), false)
    }

    /// Waits until the contents have reached the disk, and what is needed to find them.
    ///
    /// # Errors
    /// Those of [`std::fs::File::sync_data`].
    pub fn sync_data(&self) -> io::Result<()> {
        Slow::sync(handle!(self), true)
    }

    /// Cuts the file off, or fills it up with zeros.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_len`].
    pub fn set_len(&self, size: u64) -> io::Result<()> {
        offload(|| self.inner.set_len(size))
    }

    /// What the system knows of the file.
    ///
    /// # Errors
    /// Those of [`std::fs::File::metadata`].
    pub fn metadata(&self) -> io::Result<Metadata> {
        offload(|| self.inner.metadata())
    }

    /// Another handle to the same open file: both share the position.
    ///
    /// # Errors
    /// Those of [`std::fs::File::try_clone`].
    pub fn try_clone(&self) -> io::Result<File> {
        Ok(self.inner.try_clone()?.into())
    }

    /// Changes who may do what with the file.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_permissions`].
    pub fn set_permissions(&self, perm: Permissions) -> io::Result<()> {
        offload(|| self.inner.set_permissions(perm))
    }

    /// Changes the times of the last access and change.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_times`].
    pub fn set_times(&self, times: FileTimes) -> io::Result<()> {
        offload(|| self.inner.set_times(times))
    }

    /// Changes the time of the last change.
    ///
    /// # Errors
    /// Those of [`std::fs::File::set_modified`].
    pub fn set_modified(&self, time: SystemTime) -> io::Result<()> {
        self.set_times(FileTimes::new().set_modified(time))
    }

    /// Waits for the file's lock, and takes it for this handle alone. See [`std::fs::File::lock`] for what it means; in a coroutine it is not in order of
    /// arrival (see [`corun::fs`](crate::fs#what-is-different)).
    ///
    /// # Errors
    /// Those of [`std::fs::File::lock`].
    pub fn lock(&self) -> io::Result<()> {
        self.lock_by(fs::File::lock, fs::File::try_lock)
    }

    /// Waits for the file's lock, and shares it. As [`lock`](Self::lock).
    ///
    /// # Errors
    /// Those of [`std::fs::File::lock_shared`].
    pub fn lock_shared(&self) -> io::Result<()> {
        self.lock_by(fs::File::lock_shared, fs::File::try_lock_shared)
    }

    /// Takes the file's lock for this handle alone, if that needs no wait.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] if somebody else has it; else the system's.
    pub fn try_lock(&self) -> Result<(), TryLockError> {
        self.inner.try_lock()
    }

    /// Shares the file's lock, if that needs no wait.
    ///
    /// # Errors
    /// [`TryLockError::WouldBlock`] if somebody else has it; else the system's.
    pub fn try_lock_shared(&self) -> Result<(), TryLockError> {
        self.inner.try_lock_shared()
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// Those of [`std::fs::File::unlock`].
    pub fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }

    fn lock_by(
        &self,
        wait: impl FnOnce(&fs::File) -> io::Result<()>,
        attempt: impl Fn(&fs::File) -> Result<(), TryLockError>,
    ) -> io::Result<()> {
        if !in_coroutine() {
            return wait(&self.inner);
        }
        let mut backoff = Backoff::new(None);
        loop {
            match attempt(&self.inner) {
                Ok(()) => return Ok(()),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) => backoff.pause()?,
            };
        }
    }

    /// Is it one that a thread reads to its end without waiting for anybody?
    fn is_plain(&self) -> io::Result<bool> {
        Ok(!in_coroutine() || self.slow.kind(handle!(self))? == Kind::File)
    }
}

/// Leaves `read_to_end` to the default, which reads as it needs.
struct ByPieces<'a>(&'a File);

impl Read for ByPieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read(buf)
    }
}

impl Read for &File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.slow.read(handle!(self), buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        self.slow.read_vectored(handle!(self), bufs)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        if !self.is_plain()? {
            return ByPieces(self).read_to_end(buf);
        }
        offload(|| (&self.inner).read_to_end(buf))
    }

    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        if !self.is_plain()? {
            return ByPieces(self).read_to_string(buf);
        }
        offload(|| (&self.inner).read_to_string(buf))
    }
}

impl Write for &File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.slow.write(handle!(self), buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.slow.write_vectored(handle!(self), bufs)
    }

    /// Does nothing: see [`File::sync_all`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for &File {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        match pos {
            // Only the end may have to be asked for.
            SeekFrom::End(_) => offload(|| (&self.inner).seek(pos)),
            SeekFrom::Start(_) | SeekFrom::Current(_) => (&self.inner).seek(pos),
        }
    }
}

impl Read for File {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        (&*self).read(buf)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        (&*self).read_vectored(bufs)
    }

    fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
        (&*self).read_to_end(buf)
    }

    fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
        (&*self).read_to_string(buf)
    }
}

impl Write for File {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        (&*self).write(buf)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        (&*self).write_vectored(bufs)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        (&*self).seek(pos)
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> File {
        File {
            slow: Slow::new(),
            inner: file,
        }
    }
}

impl From<File> for fs::File {
    fn from(file: File) -> fs::File {
        file.inner
    }
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(unix)]
mod descriptors {
    use super::{File, Slow};
    use std::fs;
    use std::io;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
    use std::os::unix::fs::FileExt;

    impl FileExt for File {
        fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
            Slow::read_at(self.inner.as_fd(), buf, offset)
        }

        fn write_at(&self, buf: &[u8], offset: u64) -> io::Result<usize> {
            Slow::write_at(self.inner.as_fd(), buf, offset)
        }
    }

    impl AsFd for File {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.inner.as_fd()
        }
    }

    impl AsRawFd for File {
        fn as_raw_fd(&self) -> RawFd {
            self.inner.as_raw_fd()
        }
    }

    impl FromRawFd for File {
        unsafe fn from_raw_fd(fd: RawFd) -> File {
            // SAFETY: the same contract.
            unsafe { fs::File::from_raw_fd(fd) }.into()
        }
    }

    impl IntoRawFd for File {
        fn into_raw_fd(self) -> RawFd {
            fs::File::from(self).into_raw_fd()
        }
    }

    impl From<OwnedFd> for File {
        fn from(fd: OwnedFd) -> File {
            fs::File::from(fd).into()
        }
    }

    impl From<File> for OwnedFd {
        fn from(file: File) -> OwnedFd {
            fs::File::from(file).into()
        }
    }

    impl From<File> for std::process::Stdio {
        fn from(file: File) -> std::process::Stdio {
            fs::File::from(file).into()
        }
    }
}
