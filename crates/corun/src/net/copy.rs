//! Copying from stream to stream without a buffer for each.
//!
//! # How
//! Whoever copies waits for something to read *without* a buffer. Once there is something, it is read into the one scratch buffer of the
//! thread and written from there, before anything else runs on the thread: so the buffer is never in use twice, and is always
//! in the cache. Only what the writer does not take at once is moved to a buffer of the copy's own, of just that size, which
//! is freed when it has been written. Idle connections, of which a proxy has many, hold nothing.
//!
//! The buffer is taken out of its place while it is used: if code of the user ever came in between, it would find none and make its own.
//!
//! Measured: "What a stack for each connection costs" in docs/architecture.md. Tests: `tests/net/copy.rs`.
//!
//! Rejected: splice(2), for which each direction needs a pipe, that is two descriptors and a buffer of the kernel's own, for as long as
//! it lasts: more than a buffer of ours would take.

use std::cell::Cell;
use std::io;

use super::socket::{Socket, StdSocket};
use super::tcp_stream::TcpStream;
#[cfg(unix)]
use super::unix::UnixStream;
use crate::platform::stream;
use crate::scheduler::in_coroutine;

/// How much is read at once, in bytes.
const SIZE: usize = 64 * 1024;

type Buffer = Box<[u8]>;

thread_local! {
    static SCRATCH: Cell<Option<Buffer>> = const { Cell::new(None) };
}

/// Runs `f`, which does not suspend, with the thread's scratch buffer.
#[inline]
fn with_scratch<R>(f: impl FnOnce(&mut [u8]) -> R) -> R {
    #[cold]
    fn make() -> Buffer {
        vec![0; SIZE].into_boxed_slice()
    }
    // Not inlined, as the address of a thread local must not be kept across suspensions, and those come between two calls of this.
    #[inline(never)]
    fn take() -> Option<Buffer> {
        SCRATCH.try_with(Cell::take).ok().flatten()
    }
    #[inline(never)]
    fn give_back(buffer: Buffer) {
        // While the thread's locals are being dropped it is freed here instead.
        let _ = SCRATCH.try_with(|scratch| scratch.set(Some(buffer)));
    }
    let mut buffer = take().unwrap_or_else(make);
    let result = f(&mut buffer);
    give_back(buffer);
    result
}

/// What [`copy`] can copy between: [`TcpStream`], `UnixStream`, and references to them.
pub trait Stream: End {}

impl<S: End + ?Sized> Stream for S {}

/// What `copy` has to know of a stream. Nobody else can name this trait.
pub trait End {
    #[doc(hidden)]
    type Std: StdSocket;
    /// A short count proves that there is nothing more to do: see `reactor/entry.rs`.
    #[doc(hidden)]
    const SHORT_COUNTS: bool;

    #[doc(hidden)]
    fn socket(&self) -> &Socket<Self::Std>;
    #[doc(hidden)]
    fn receive(&self, buffer: &mut [u8]) -> io::Result<usize>;
    #[doc(hidden)]
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
}

macro_rules! end {
    ($stream:ty, $std:ty, $short_counts:expr) => {
        impl End for $stream {
            type Std = $std;
            const SHORT_COUNTS: bool = $short_counts;

            #[inline]
            fn socket(&self) -> &Socket<$std> {
                &self.0
            }

            #[inline]
            fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
                stream::receive(&self.0.inner, buffer)
            }

            #[inline]
            fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                stream::send(&self.0.inner, bytes)
            }
        }
    };
}

end!(TcpStream, std::net::TcpStream, true);
#[cfg(unix)]
end!(UnixStream, std::os::unix::net::UnixStream, false);

macro_rules! end_by_reference {
    ($($reference:ty)*) => {$(
        impl<S: End + ?Sized> End for $reference {
            type Std = S::Std;
            const SHORT_COUNTS: bool = S::SHORT_COUNTS;

            #[inline]
            fn socket(&self) -> &Socket<S::Std> {
                (**self).socket()
            }

            #[inline]
            fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
                (**self).receive(buffer)
            }

            #[inline]
            fn send(&self, bytes: &[u8]) -> io::Result<usize> {
                (**self).send(bytes)
            }
        }
    )*};
}

end_by_reference!(&S &mut S);

/// Copies everything from one stream to another until the first ends, and returns the number of bytes: the counterpart of
/// [`std::io::copy`] for sockets.
///
/// While there is nothing to copy it needs no buffer: a proxy of many connections, most of them idle, takes less memory than with a loop
/// of `read` and `write_all`, and less time, since all connections share a buffer that stays in the processor's cache.
///
/// Reading goes on only after everything that was read has been written, so a slow receiver slows the sender down. The ends are
/// not shut down: see the example.
///
/// # Errors
/// The first error of either stream, but [`Interrupted`](io::ErrorKind::Interrupted): that is tried again. A timeout of the reader or the
/// writer ends the copying with [`WouldBlock`](io::ErrorKind::WouldBlock). What had been read by then and could not be written is lost.
///
/// # Examples
/// One direction of a proxy:
/// ```
/// use std::io::{Read, Write};
/// use corun::io;
/// use corun::net::{Shutdown, TcpListener, TcpStream};
///
/// fn forward(from: &TcpStream, to: &TcpStream) -> std::io::Result<u64> {
///     let count = io::copy(from, to)?;
///     to.shutdown(Shutdown::Write)?;
///     Ok(count)
/// }
///
/// let listener = TcpListener::bind("127.0.0.1:0")?;
/// let mut client = TcpStream::connect(listener.local_addr()?)?;
/// let (echo, _) = listener.accept()?;
/// let server = corun::spawn(move || forward(&echo, &echo));
///
/// client.write_all(b"there and back")?;
/// client.shutdown(Shutdown::Write)?;
/// let mut answer = String::new();
/// client.read_to_string(&mut answer)?;
/// assert_eq!(answer, "there and back");
/// assert_eq!(server.join().unwrap()?, 14);
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn copy<R, W>(reader: &R, writer: &W) -> io::Result<u64>
where
    R: Stream + ?Sized,
    W: Stream + ?Sized,
{
    let mut total = 0;
    let mut hint = 0;
    loop {
        let moved = if in_coroutine() && !reader.socket().limits.is_nonblocking() {
            pass(reader, writer, &mut hint)
        } else {
            pass_on_thread(reader, writer)
        };
        match moved {
            Ok(0) => return Ok(total),
            Ok(count) => total += count as u64,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Waits until there is something to read, and passes it on.
#[inline(always)]
fn pass<R, W>(reader: &R, writer: &W, hint: &mut usize) -> io::Result<usize>
where
    R: Stream + ?Sized,
    W: Stream + ?Sized,
{
    let mut left = Ok(Vec::new());
    let count = reader.socket().read_when_ready(
        |count| R::SHORT_COUNTS && *count != 0 && *count < SIZE,
        || {
            *hint = writer.socket().prefetch(*hint);
            with_scratch(|buffer| {
                let count = reader.receive(buffer)?;
                left = send_what_goes(writer, &buffer[..count]);
                Ok(count)
            })
        },
    )?;
    let Some(count) = count else {
        return pass_at_last(reader, writer);
    };
    settle(writer, left)?;
    Ok(count)
}

/// As `pass`, where a coroutine would not wait.
#[cold]
#[inline(never)]
fn pass_on_thread<R, W>(reader: &R, writer: &W) -> io::Result<usize>
where
    R: Stream + ?Sized,
    W: Stream + ?Sized,
{
    let mut left = Ok(Vec::new());
    let count = reader
        .socket()
        .read(|| receive_and_send(reader, writer, &mut left))?;
    settle(writer, left)?;
    Ok(count)
}

/// As `pass`, when the time for reading is up.
#[cold]
#[inline(never)]
fn pass_at_last<R, W>(reader: &R, writer: &W) -> io::Result<usize>
where
    R: Stream + ?Sized,
    W: Stream + ?Sized,
{
    let mut left = Ok(Vec::new());
    let count = reader
        .socket()
        .read_at_last(|| receive_and_send(reader, writer, &mut left))?;
    settle(writer, left)?;
    Ok(count)
}

fn receive_and_send<R, W>(
    reader: &R,
    writer: &W,
    left: &mut io::Result<Vec<u8>>,
) -> io::Result<usize>
where
    R: Stream + ?Sized,
    W: Stream + ?Sized,
{
    with_scratch(|buffer| {
        let count = reader.receive(buffer)?;
        *left = send_what_goes(writer, &buffer[..count]);
        Ok(count)
    })
}

/// Sends as much as goes without waiting, and returns the rest.
#[inline(always)]
fn send_what_goes<W>(writer: &W, bytes: &[u8]) -> io::Result<Vec<u8>>
where
    W: Stream + ?Sized,
{
    let sent = writer
        .socket()
        .write_at_once(offered::<W>(bytes), || writer.send(bytes));
    match sent {
        Some(Ok(count)) if count == bytes.len() => Ok(Vec::new()),
        Some(Ok(0)) => Err(io::ErrorKind::WriteZero.into()),
        Some(Ok(count)) => Ok(bytes[count..].to_vec()),
        Some(Err(error)) if error.kind() != io::ErrorKind::Interrupted => Err(error),
        Some(Err(_)) | None => Ok(bytes.to_vec()),
    }
}

/// What proves that the stream is full if it takes less.
#[inline(always)]
fn offered<W: Stream + ?Sized>(bytes: &[u8]) -> usize {
    if W::SHORT_COUNTS { bytes.len() } else { 0 }
}

/// Sends what has to wait.
#[inline(always)]
fn settle<W>(writer: &W, left: io::Result<Vec<u8>>) -> io::Result<()>
where
    W: Stream + ?Sized,
{
    match left {
        Ok(left) if left.is_empty() => Ok(()),
        Ok(left) => send_all(writer, left),
        Err(error) => Err(error),
    }
}

#[cold]
#[inline(never)]
fn send_all<W>(writer: &W, bytes: Vec<u8>) -> io::Result<()>
where
    W: Stream + ?Sized,
{
    let mut left = &bytes[..];
    while !left.is_empty() {
        let sent = writer
            .socket()
            .write_stream(offered::<W>(left), || writer.send(left));
        match sent {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => left = &left[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
