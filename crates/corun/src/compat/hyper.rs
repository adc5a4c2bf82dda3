//! hyper 1 on corun: what its `rt` traits ask for. Feature `hyper`.
//!
//! - [`Io`] makes connections of streams: those of [`corun::net`](crate::net), and whatever else implements `futures_io::{AsyncRead, AsyncWrite}`;
//! - [`Executor`] spawns async tasks;
//! - [`Timer`] is the clock for time limits.
//!
//! hyper's own features (`http1`, `server`, `client`, ...) are for the program to choose, in its own dependency on hyper.
//!
//! ```text
//! // A server: an async task for each connection. The whole of it is the example `hyper_server`.
//! for stream in listener.incoming() {
//!     let connection = http1::Builder::new()
//!         .timer(corun::hyper::Timer)
//!         .serve_connection(corun::hyper::Io::new(stream?), service_fn(answer));
//!     corun::spawn_async(connection);
//! }
//!
//! // A client: its connection is an async task, and a coroutine waits for the answer.
//! let stream = TcpStream::connect(address)?;
//! let (mut sender, connection) = corun::block_on(handshake(corun::hyper::Io::new(stream)))?;
//! corun::spawn_async(connection);
//! let response = corun::block_on(sender.send_request(request))?;
//! ```
//!
//! ```
//! use corun::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let connection = corun::hyper::Io::new(TcpStream::connect(listener.local_addr()?)?);
//! fn can_be_served(_: &(impl hyper::rt::Read + hyper::rt::Write + Unpin)) {}
//! can_be_served(&connection);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use ::hyper::rt::{self, ReadBufCursor};
use futures_io::{AsyncRead, AsyncWrite};

#[doc(inline)]
pub use super::io::Io;

/// The most that is read at once: the buffer is cleared first, which for all of a large one would take longer than the read.
const MOST: usize = 64 * 1024;

impl<T: AsyncRead + Unpin> rt::Read for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let most = buf.remaining().min(MOST);
        let bytes = buf.initialize_unfilled_to(most);
        let count = ready!(self.inner().poll_read(cx, bytes))?;
        assert!(count <= most, "more was read than there is room for");
        // SAFETY: so many bytes have been initialised.
        unsafe { buf.advance(count) };
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> rt::Write for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bufs)
    }
}

/// Spawns what hyper wants to have run beside a connection, by [`spawn_async`](crate::spawn_async).
#[derive(Clone, Copy, Debug, Default)]
pub struct Executor;

impl<F> rt::Executor<F> for Executor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        drop(crate::spawn_async(future));
    }
}

/// The clock of corun, for hyper's time limits: it stands still where that of the runtime does (see [`time::pause`](crate::time::pause())).
#[derive(Clone, Copy, Debug, Default)]
pub struct Timer;

/// What [`Timer`] makes.
struct Sleep(crate::time::Sleep);

impl rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(crate::time::sleep_async(duration)))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn rt::Sleep>> {
        Box::pin(Sleep(crate::time::sleep_until_async(deadline)))
    }

    fn now(&self) -> Instant {
        crate::time::now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn rt::Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<Sleep>() {
            Some(known) => known.inner().reset(new_deadline),
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

impl Sleep {
    fn inner(self: Pin<&mut Self>) -> Pin<&mut crate::time::Sleep> {
        // SAFETY: the only field is pinned with the value.
        unsafe { self.map_unchecked_mut(|this| &mut this.0) }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.inner().poll(cx)
    }
}

impl rt::Sleep for Sleep {}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
