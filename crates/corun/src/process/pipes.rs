//! Our ends of the pipes to a child.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::process::{self, Stdio};

use crate::io::Descriptor;

/// Errors do not happen: both descriptors are open pipes.
fn set_nonblocking(pipe: impl AsFd, nonblocking: bool) {
    let _ = rustix::io::ioctl_fionbio(pipe, nonblocking);
}

macro_rules! pipe {
    ($(#[$doc:meta])* $pipe:ident) => {
        $(#[$doc])*
        pub struct $pipe(Descriptor<process::$pipe>);

        impl From<process::$pipe> for $pipe {
            fn from(pipe: process::$pipe) -> $pipe {
                // This end is nobody else's.
                set_nonblocking(&pipe, true);
                $pipe(Descriptor::new(pipe))
            }
        }

        impl From<$pipe> for process::$pipe {
            fn from(pipe: $pipe) -> process::$pipe {
                let pipe = pipe.0.into_inner();
                set_nonblocking(&pipe, false);
                pipe
            }
        }

        impl From<OwnedFd> for $pipe {
            fn from(pipe: OwnedFd) -> $pipe {
                process::$pipe::from(pipe).into()
            }
        }

        impl From<$pipe> for OwnedFd {
            fn from(pipe: $pipe) -> OwnedFd {
                process::$pipe::from(pipe).into()
            }
        }

        impl From<$pipe> for Stdio {
            /// For the next command of a pipeline.
            fn from(pipe: $pipe) -> Stdio {
                process::$pipe::from(pipe).into()
            }
        }

        impl AsFd for $pipe {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.0.as_fd()
            }
        }

        impl AsRawFd for $pipe {
            fn as_raw_fd(&self) -> RawFd {
                self.0.as_raw_fd()
            }
        }

        impl IntoRawFd for $pipe {
            fn into_raw_fd(self) -> RawFd {
                process::$pipe::from(self).into_raw_fd()
            }
        }

        impl fmt::Debug for $pipe {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.get_ref().fmt(f)
            }
        }
    };
}

pipe! {
    /// Standard input of a child: the counterpart of [`std::process::ChildStdin`]. Dropping it ends the child's input.
    ChildStdin
}
pipe! {
    /// Standard output of a child: the counterpart of [`std::process::ChildStdout`].
    ChildStdout
}
pipe! {
    /// Standard error of a child: the counterpart of [`std::process::ChildStderr`].
    ChildStderr
}

impl Write for &ChildStdin {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write_with(|mut pipe| pipe.write(buf))
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> io::Result<usize> {
        self.0.write_with(|mut pipe| pipe.write_vectored(bufs))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Write for ChildStdin {
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

macro_rules! reads {
    ($pipe:ident) => {
        impl $pipe {
            pub(super) fn descriptor(&self) -> &Descriptor<process::$pipe> {
                &self.0
            }
        }

        impl Read for $pipe {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.0
                    .read_with(|pipe| Ok(rustix::io::read(pipe, &mut *buf)?))
            }

            fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
                self.0
                    .read_with(|pipe| Ok(rustix::io::readv(pipe, &mut *bufs)?))
            }
        }
    };
}

reads!(ChildStdout);
reads!(ChildStderr);
