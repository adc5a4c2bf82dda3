//! Futures that insist on tokio's reactor, in coroutines and in async tasks of corun. Feature `tokio`.
//!
//! What is made with tokio's own sockets and timers (reqwest, tokio-postgres, sqlx, tonic, ...) panics outside of a tokio runtime. This module
//! keeps one runtime of tokio's, with one thread, which watches those sockets and timers and runs what the libraries spawn. It is started on
//! first use, and lasts as long as the process. The futures themselves are polled where they are awaited:
//!
//! - [`block_on`] waits for one in a coroutine, which alone is suspended, or on a thread;
//! - [`wrap`] makes one fit for [`spawn_async`](crate::spawn_async) and for any other executor;
//! - [`enter`] is for what is no future, but has to be made in a tokio runtime, or does something there;
//! - [`Io`] gives sockets of corun the traits of `tokio::io`, for libraries that are generic over these. No tokio runtime is needed for it.
//!
//! ```
//! use std::time::Duration;
//!
//! let sleepers: Vec<_> = (0..100)
//!     .map(|_| corun::spawn(|| corun::tokio::block_on(|| tokio::time::sleep(Duration::from_millis(20)))))
//!     .collect();
//! sleepers.into_iter().for_each(|sleeper| sleeper.join().unwrap());
//! ```
//!
//! ```
//! use corun::net::{TcpListener, TcpStream};
//!
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let stream = corun::tokio::Io::new(TcpStream::connect(listener.local_addr()?)?);
//! fn can_carry_tls(_: &(impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin)) {}
//! can_carry_tls(&stream);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! The first three take a closure, since much of tokio has not only to be polled, but also to be made in its runtime: `tokio::time::sleep(..)`, as an
//! argument, would panic before it is passed. `|| client.get(url).send()` or `async || { .. }` cannot go wrong in this way.
//!
//! Name the module in full (`corun::tokio::block_on`): imported, it would hide the crate `tokio`.
//!
//! # Which runtime
//! On a thread that is in a tokio runtime already, that one. Everywhere else the one that was passed to [`use_runtime`] or, if there was none, that of
//! this module.
//!
//! # How it works
//! tokio knows its current runtime by a thread local, set for a scope that is left in reverse order. A coroutine that was suspended in such a
//! scope would leave it in any order, and would let others into it. So the scope is entered around each single poll, around the drop of a
//! future, and never held while anybody waits: what would suspend the coroutine inside of `poll` panics instead, as it does in
//! [`no_suspend`](crate::no_suspend).

use std::fmt;
use std::future::IntoFuture;
use std::io;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll, ready};

use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::runtime::{Builder, Handle};

#[doc(inline)]
pub use super::io::Io;

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// The tokio runtime that futures get to see here: see [the module](self#which-runtime).
///
/// # Panics
/// If that of this module is needed, and cannot be started.
///
/// ```
/// // What is spawned on it runs on tokio's thread, and is to be had by coroutines.
/// let task = corun::tokio::handle().spawn(async { 42 });
/// assert_eq!(corun::tokio::block_on(|| task).unwrap(), 42);
/// ```
pub fn handle() -> Handle {
    Handle::try_current().unwrap_or_else(|_| HANDLE.get_or_init(start).clone())
}

fn start() -> Handle {
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name("corun-tokio")
        .enable_all()
        .build()
        .unwrap_or_else(|error| panic!("failed to start a runtime of tokio's: {error}"));
    let handle = runtime.handle().clone();
    // It lasts as long as the process; to drop it would end it.
    std::mem::forget(runtime);
    handle
}

/// Has coroutines use a runtime of the program's own, instead of one that this module starts. It must have its I/O and its timers enabled, and last
/// as long as anybody uses it here.
///
/// # Errors
/// The handle, if a runtime is in use already.
pub fn use_runtime(handle: Handle) -> Result<(), Handle> {
    HANDLE.set(handle)
}

/// Waits for the future that a closure makes: in a coroutine only that coroutine is suspended, on a plain thread the thread is blocked.
///
/// # Panics
/// With a panic of the closure or the future; if one of them calls something that would suspend the coroutine; in an async task, which has to
/// `.await` the future, [wrapped](wrap), instead; and if tokio's runtime cannot be started.
///
/// ```
/// use tokio::net::UdpSocket;
///
/// let coroutine = corun::spawn(|| {
///     corun::tokio::block_on(async || {
///         let here = UdpSocket::bind("127.0.0.1:0").await?;
///         let there = UdpSocket::bind("127.0.0.1:0").await?;
///         here.send_to(b"ping", there.local_addr()?).await?;
///         let mut buffer = [0; 4];
///         there.recv_from(&mut buffer).await?;
///         Ok::<_, std::io::Error>(buffer)
///     })
/// });
/// assert_eq!(&coroutine.join().unwrap()?, b"ping");
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn block_on<M, F>(make: M) -> F::Output
where
    M: FnOnce() -> F,
    F: IntoFuture,
{
    crate::block_on(wrap(make))
}

/// Makes the future that a closure returns fit for any executor: it finds itself in a tokio runtime when it is made, which is at once, whenever it
/// is polled, and when it is dropped.
///
/// # Panics
/// With a panic of the closure; if tokio's runtime cannot be started. In `poll`, as [`block_on`].
///
/// ```
/// use std::time::Duration;
///
/// let nap = corun::tokio::wrap(async || {
///     tokio::time::sleep(Duration::from_millis(5)).await;
///     "rested"
/// });
/// assert_eq!(corun::spawn_async(nap).join().unwrap(), "rested");
/// ```
pub fn wrap<M, F>(make: M) -> Wrapped<F::IntoFuture>
where
    M: FnOnce() -> F,
    F: IntoFuture,
{
    let handle = handle();
    let future = ManuallyDrop::new(inside(&handle, || make().into_future()));
    Wrapped { handle, future }
}

/// Calls a closure in a tokio runtime, for what has to be made there: a socket from one of std, an interval, a pool of connections.
///
/// # Panics
/// With the panic of the closure; if the closure calls something that would suspend the coroutine; if tokio's runtime cannot be started.
///
/// ```
/// use std::time::Duration;
///
/// let mut ticks = corun::tokio::enter(|| tokio::time::interval(Duration::from_millis(1)));
/// corun::tokio::block_on(|| ticks.tick());
/// corun::tokio::block_on(|| ticks.tick());
/// ```
pub fn enter<R>(f: impl FnOnce() -> R) -> R {
    inside(&handle(), f)
}

/// The scope of tokio's thread local: never across a suspension.
fn inside<R>(handle: &Handle, f: impl FnOnce() -> R) -> R {
    crate::no_suspend(|| {
        let _inside = handle.enter();
        f()
    })
}

/// What [`wrap`] returns.
#[must_use = "futures do nothing unless they are polled"]
pub struct Wrapped<F> {
    handle: Handle,
    /// Dropped inside of the runtime.
    future: ManuallyDrop<F>,
}

impl<F: Future> Future for Wrapped<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: the future is pinned with this value: it is never moved, and dropped in its place.
        let (handle, future) = unsafe {
            let this = self.get_unchecked_mut();
            (&this.handle, Pin::new_unchecked(&mut *this.future))
        };
        inside(handle, || future.poll(cx))
    }
}

impl<F> Drop for Wrapped<F> {
    fn drop(&mut self) {
        // SAFETY: dropped once, here.
        inside(&self.handle, || unsafe {
            ManuallyDrop::drop(&mut self.future);
        });
    }
}

impl<F> fmt::Debug for Wrapped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad("Wrapped { .. }")
    }
}

impl<T: futures_io::AsyncRead + Unpin> AsyncRead for Io<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let count = ready!(self.inner().poll_read(cx, buf.initialize_unfilled()))?;
        buf.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl<T: futures_io::AsyncWrite + Unpin> AsyncWrite for Io<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.inner().poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner().poll_close(cx)
    }
}
