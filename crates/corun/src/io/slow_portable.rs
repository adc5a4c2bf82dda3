//! Files where there are no descriptors: every operation runs on a thread of the pool.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};

use crate::blocking::offload;

/// What is known of a file: nothing is needed.
pub(crate) struct Slow;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
}

impl Slow {
    pub(crate) const fn new() -> Slow {
        Slow
    }

    pub(crate) fn kind(&self, _file: &File) -> io::Result<Kind> {
        Ok(Kind::File)
    }

    pub(crate) fn read(&self, mut file: &File, buf: &mut [u8]) -> io::Result<usize> {
        offload(|| file.read(buf))
    }

    pub(crate) fn read_vectored(
        &self,
        mut file: &File,
        bufs: &mut [IoSliceMut<'_>],
    ) -> io::Result<usize> {
        offload(|| file.read_vectored(bufs))
    }

    pub(crate) fn write(&self, mut file: &File, buf: &[u8]) -> io::Result<usize> {
        offload(|| file.write(buf))
    }

    pub(crate) fn write_vectored(
        &self,
        mut file: &File,
        bufs: &[IoSlice<'_>],
    ) -> io::Result<usize> {
        offload(|| file.write_vectored(bufs))
    }

    pub(crate) fn sync(file: &File, data_only: bool) -> io::Result<()> {
        if data_only {
            offload(|| file.sync_data())
        } else {
            offload(|| file.sync_all())
        }
    }
}
