//! Conversions between these sockets, those of std, and descriptors.

/// Implements every conversion that the type of std has, those between the two types, and `Debug`.
macro_rules! conversions {
    ($socket:ident, $std:ty) => {
        impl From<$std> for $socket {
            /// Takes over a socket with its timeouts. The result waits, whatever mode the original was in.
            fn from(socket: $std) -> $socket {
                $socket(crate::net::socket::Socket::adopt(socket))
            }
        }

        impl From<$socket> for $std {
            /// Gives the socket back in blocking mode, unless `set_nonblocking(true)` was called.
            fn from(socket: $socket) -> $std {
                socket.0.release()
            }
        }

        impl std::fmt::Debug for $socket {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.inner.fmt(f)
            }
        }

        #[cfg(unix)]
        const _: () = {
            use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};

            impl AsFd for $socket {
                fn as_fd(&self) -> BorrowedFd<'_> {
                    self.0.inner.as_fd()
                }
            }

            impl AsRawFd for $socket {
                fn as_raw_fd(&self) -> RawFd {
                    self.0.inner.as_raw_fd()
                }
            }

            impl FromRawFd for $socket {
                unsafe fn from_raw_fd(fd: RawFd) -> $socket {
                    // SAFETY: the same contract.
                    unsafe { <$std>::from_raw_fd(fd) }.into()
                }
            }

            impl IntoRawFd for $socket {
                fn into_raw_fd(self) -> RawFd {
                    <$std>::from(self).into_raw_fd()
                }
            }

            impl From<OwnedFd> for $socket {
                fn from(fd: OwnedFd) -> $socket {
                    <$std>::from(fd).into()
                }
            }

            impl From<$socket> for OwnedFd {
                fn from(socket: $socket) -> OwnedFd {
                    <$std>::from(socket).into()
                }
            }
        };

        #[cfg(windows)]
        const _: () = {
            use std::os::windows::io::{
                AsRawSocket, AsSocket, BorrowedSocket, FromRawSocket, IntoRawSocket, OwnedSocket,
                RawSocket,
            };

            impl AsSocket for $socket {
                fn as_socket(&self) -> BorrowedSocket<'_> {
                    self.0.inner.as_socket()
                }
            }

            impl AsRawSocket for $socket {
                fn as_raw_socket(&self) -> RawSocket {
                    self.0.inner.as_raw_socket()
                }
            }

            impl FromRawSocket for $socket {
                unsafe fn from_raw_socket(socket: RawSocket) -> $socket {
                    // SAFETY: the same contract.
                    unsafe { <$std>::from_raw_socket(socket) }.into()
                }
            }

            impl IntoRawSocket for $socket {
                fn into_raw_socket(self) -> RawSocket {
                    <$std>::from(self).into_raw_socket()
                }
            }

            impl From<OwnedSocket> for $socket {
                fn from(socket: OwnedSocket) -> $socket {
                    <$std>::from(socket).into()
                }
            }

            impl From<$socket> for OwnedSocket {
                fn from(socket: $socket) -> OwnedSocket {
                    <$std>::from(socket).into()
                }
            }
        };
    };
}
pub(super) use conversions;
