//! The limit that the proxy is measured against: loops over raw epoll, with nothing between them and the system calls.
//!
//! They are written for this measurement only. Messages are so short that a socket always takes them whole.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A set of descriptors to read from.
pub struct Epoll {
    fd: OwnedFd,
    events: [libc::epoll_event; 256],
}

impl Epoll {
    pub fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no pointer.
        let fd = match unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) } {
            -1 => return Err(io::Error::last_os_error()),
            // SAFETY: a new descriptor, which nobody else knows of.
            fd => unsafe { OwnedFd::from_raw_fd(fd) },
        };
        Ok(Epoll {
            fd,
            events: [libc::epoll_event { events: 0, u64: 0 }; 256],
        })
    }

    pub fn add(&self, socket: &impl AsRawFd) -> io::Result<()> {
        let fd = socket.as_raw_fd();
        let mut event = libc::epoll_event {
            events: libc::EPOLLIN as u32,
            u64: fd as u64,
        };
        // SAFETY: `event` is read during the call only.
        match unsafe { libc::epoll_ctl(self.fd.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The descriptors that can be read; none if `timeout` has passed.
    pub fn wait(&mut self, ready: &mut Vec<RawFd>, timeout: i32) -> io::Result<()> {
        let (events, room) = (self.events.as_mut_ptr(), self.events.len() as i32);
        // SAFETY: the pointer and the length are those of one array.
        let n = unsafe { libc::epoll_wait(self.fd.as_raw_fd(), events, room, timeout) };
        ready.clear();
        match n {
            -1 if io::Error::last_os_error().kind() == ErrorKind::Interrupted => Ok(()),
            -1 => Err(io::Error::last_os_error()),
            n => {
                ready.extend(
                    self.events[..n as usize]
                        .iter()
                        .map(|event| event.u64 as RawFd),
                );
                Ok(())
            }
        }
    }
}

/// What belongs to a descriptor stands at its number.
pub type ByDescriptor<T> = Vec<Option<T>>;

pub fn put<T>(table: &mut ByDescriptor<T>, fd: RawFd, value: T) {
    let index = fd as usize;
    table.resize_with(table.len().max(index + 1), || None);
    table[index] = Some(value);
}

pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)
}

/// Accepts on `listener` and serves all connections until `quit` is connected to. `open` says where what arrives on the new connection
/// goes: back to it (nowhere else), or to a connection of its own.
fn serve(
    listener: &TcpListener,
    quit: &TcpListener,
    open: impl Fn() -> io::Result<Option<TcpStream>>,
) -> io::Result<()> {
    let mut epoll = Epoll::new()?;
    epoll.add(listener)?;
    epoll.add(quit)?;
    // By descriptor: the stream, and the descriptor of the one that its messages go to.
    let mut streams: ByDescriptor<(TcpStream, RawFd)> = ByDescriptor::new();
    let (mut ready, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        epoll.wait(&mut ready, -1)?;
        for &fd in &ready {
            if fd == quit.as_raw_fd() {
                return Ok(());
            }
            if fd == listener.as_raw_fd() {
                let (near, _) = listener.accept()?;
                prepare(&near)?;
                epoll.add(&near)?;
                let mut target = near.as_raw_fd();
                if let Some(far) = open()? {
                    prepare(&far)?;
                    epoll.add(&far)?;
                    target = far.as_raw_fd();
                    put(&mut streams, target, (far, near.as_raw_fd()));
                }
                put(&mut streams, near.as_raw_fd(), (near, target));
                continue;
            }
            // The other half of a pair may have gone earlier in this round.
            let Some((stream, target)) = &streams[fd as usize] else {
                continue;
            };
            match (&*stream).read(&mut buffer) {
                Ok(n) if n > 0 => {
                    let to = streams[*target as usize].as_ref();
                    let mut to = &to.expect("pairs go together").0;
                    assert_eq!(
                        to.write(&buffer[..n])?,
                        n,
                        "a socket takes messages of this size whole"
                    );
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Closing takes a descriptor out of the epoll set.
                _ => {
                    let target = *target as usize;
                    (streams[fd as usize], streams[target]) = (None, None);
                }
            }
        }
    }
}

/// An echo server.
pub fn echo(listener: &TcpListener, quit: &TcpListener) -> io::Result<()> {
    serve(listener, quit, || Ok(None))
}

/// A proxy for the server at `upstream`.
pub fn proxy(listener: &TcpListener, quit: &TcpListener, upstream: SocketAddr) -> io::Result<()> {
    serve(listener, quit, || TcpStream::connect(upstream).map(Some))
}
