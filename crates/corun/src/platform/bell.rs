//! A descriptor that becomes readable when it is rung: to get a thread out of `poll(2)`.

use std::io;

use crate::reactor::BorrowedDescriptor;

/// Rung by any thread; muted by the one that waits for it.
pub(crate) struct Bell(imp::Ends);

impl Bell {
    /// # Errors
    /// If the process has no descriptor left for it.
    pub(crate) fn new() -> io::Result<Bell> {
        imp::new().map(Bell)
    }

    /// Makes it readable, and stay so.
    pub(crate) fn ring(&self) {
        // It fails only if it has been rung very often already.
        imp::ring(&self.0);
    }

    /// Ends the ringing, if there is any.
    pub(crate) fn mute(&self) {
        imp::mute(&self.0);
    }
}

impl Bell {
    /// What becomes readable.
    pub(crate) fn descriptor(&self) -> BorrowedDescriptor<'_> {
        imp::readable(&self.0)
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod imp {
    use std::io;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{EventfdFlags, eventfd};

    pub(super) type Ends = OwnedFd;

    pub(super) fn new() -> io::Result<Ends> {
        Ok(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)
    }

    pub(super) fn ring(bell: &Ends) {
        let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
    }

    pub(super) fn mute(bell: &Ends) {
        let _ = rustix::io::read(bell, &mut [0; 8]);
    }

    pub(super) fn readable(bell: &Ends) -> BorrowedFd<'_> {
        bell.as_fd()
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod imp {
    use std::io::{self, Read, Write};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::UnixStream;

    /// Who rings writes to the second.
    pub(super) type Ends = (UnixStream, UnixStream);

    pub(super) fn new() -> io::Result<Ends> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        Ok((near, far))
    }

    pub(super) fn ring((_, far): &Ends) {
        let mut far = far;
        let _ = far.write(&[1]);
    }

    pub(super) fn mute((near, _): &Ends) {
        let mut near = near;
        while near.read(&mut [0; 64]).is_ok_and(|count| count == 64) {}
    }

    pub(super) fn readable((near, _): &Ends) -> BorrowedFd<'_> {
        near.as_fd()
    }
}

#[cfg(windows)]
mod imp {
    use std::io;
    use std::net::{Ipv4Addr, UdpSocket};
    use std::os::windows::io::{AsSocket, BorrowedSocket};

    /// Who rings sends it a datagram of its own.
    pub(super) type Ends = UdpSocket;

    pub(super) fn new() -> io::Result<Ends> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(socket.local_addr()?)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    }

    pub(super) fn ring(bell: &Ends) {
        let _ = bell.send(&[1]);
    }

    pub(super) fn mute(bell: &Ends) {
        while bell.recv(&mut [0; 8]).is_ok() {}
    }

    pub(super) fn readable(bell: &Ends) -> BorrowedSocket<'_> {
        bell.as_socket()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    fn is_readable(bell: &Bell) -> bool {
        let now = Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        poll(
            &mut [PollFd::new(&bell.descriptor(), PollFlags::IN)],
            Some(&now),
        )
        .unwrap()
            == 1
    }

    #[test]
    fn it_rings_until_it_is_muted() {
        let bell = Bell::new().unwrap();
        bell.mute();
        assert!(!is_readable(&bell));
        (0..1_000).for_each(|_| bell.ring());
        assert!(is_readable(&bell) && is_readable(&bell));
        bell.mute();
        assert!(!is_readable(&bell));
        bell.ring();
        assert!(is_readable(&bell));
    }
}
