//! The few system calls of an epoll loop, over plain descriptors, with nothing in between.

use std::io;
use std::os::fd::RawFd;

/// One epoll instance and the events of its last wait.
pub struct Epoll {
    fd: RawFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    /// With room for 1,024 events a wait.
    ///
    /// # Errors
    /// As epoll_create1(2).
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: no memory is involved.
        let fd = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } as isize)? as RawFd;
        Ok(Epoll {
            fd,
            events: vec![libc::epoll_event { events: 0, u64: 0 }; 1024],
        })
    }

    /// Reports `token` each time that `fd` becomes readable: edge-triggered, since level-triggered readiness is checked
    /// once more on the next wait.
    ///
    /// # Errors
    /// As epoll_ctl(2).
    pub fn add(&self, fd: RawFd, token: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: (libc::EPOLLIN | libc::EPOLLET) as u32,
            u64: token,
        };
        // SAFETY: the pointer is to a live event, which the call only reads.
        check(unsafe { libc::epoll_ctl(self.fd, libc::EPOLL_CTL_ADD, fd, &mut event) } as isize)
            .map(drop)
    }

    /// Waits up to `milliseconds` (-1: for ever) and returns how many tokens there are to read.
    ///
    /// # Errors
    /// As epoll_wait(2); not EINTR, which counts as no event.
    pub fn wait(&mut self, milliseconds: i32) -> io::Result<usize> {
        let room = self.events.len() as i32;
        // SAFETY: the pointer is to `room` live events.
        let result =
            unsafe { libc::epoll_wait(self.fd, self.events.as_mut_ptr(), room, milliseconds) };
        match check(result as isize) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(0),
            other => other,
        }
    }

    /// The token of one event of the last wait.
    #[inline]
    pub fn token(&self, index: usize) -> u64 {
        self.events[index].u64
    }
}

/// recv(2).
///
/// # Errors
/// As recv(2).
#[inline]
pub fn receive(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the pointer and length are of a live buffer.
    check(unsafe { libc::recv(fd, buffer.as_mut_ptr().cast(), buffer.len(), 0) })
}

/// Sends all of `bytes`. Where the socket's buffer is full, waits for room, blocking the thread.
///
/// # Errors
/// As send(2), WouldBlock excepted.
#[inline]
pub fn send_all(fd: RawFd, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        // SAFETY: the pointer and length are of a live buffer.
        match check(unsafe {
            libc::send(fd, bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL)
        }) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut poll = libc::pollfd {
                    fd,
                    events: libc::POLLOUT,
                    revents: 0,
                };
                // SAFETY: the pointer is to one live entry.
                unsafe { libc::poll(&mut poll, 1, -1) };
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Accepts one connection, non-blocking and without delay of small messages.
///
/// # Errors
/// As accept4(2).
pub fn accept(listener: RawFd) -> io::Result<RawFd> {
    let none = std::ptr::null_mut();
    // SAFETY: null pointers mean that the address is not wanted.
    let fd = check(unsafe {
        libc::accept4(
            listener,
            none,
            none.cast(),
            libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC,
        )
    } as isize)?;
    let on: libc::c_int = 1;
    // SAFETY: the pointer is to a live int of the length given.
    unsafe {
        libc::setsockopt(
            fd as RawFd,
            libc::IPPROTO_TCP,
            libc::TCP_NODELAY,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as u32,
        );
    }
    Ok(fd as RawFd)
}

/// close(2).
pub fn close(fd: RawFd) {
    // SAFETY: no memory is involved; the callers keep no other owner of the descriptor.
    unsafe { libc::close(fd) };
}

#[inline]
fn check(result: isize) -> io::Result<usize> {
    if result >= 0 {
        Ok(result as usize)
    } else {
        Err(io::Error::last_os_error())
    }
}
