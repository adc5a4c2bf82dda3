//! Signals of the operating system: waiting for ctrl-C, or for any others that a program may handle.
//!
//! Waiting suspends a coroutine, blocks a plain thread, or is done by a future in whatever executor there is; no runtime need exist. A server that ends
//! in good order when it is told to:
//!
//! ```no_run
//! use std::time::Duration;
//! use corun::net::TcpListener;
//! use corun::{CancelToken, Runtime};
//!
//! fn main() -> std::io::Result<()> {
//!     let runtime = Runtime::new()?;
//!     let stop = CancelToken::new();
//!     let accepting = stop.clone();
//!     runtime.spawn(move || {
//!         let listener = TcpListener::bind("127.0.0.1:8080")?;
//!         let _ = accepting.run(|| {
//!             for connection in listener.incoming() {
//!                 let _ = connection.map(|connection| corun::spawn(|| drop(connection)));
//!             }
//!         });
//!         std::io::Result::Ok(())
//!     });
//!     corun::signal::ctrl_c()?;
//!     stop.cancel();
//!     if let Err(late) = runtime.shutdown(Duration::from_secs(10)) {
//!         eprintln!("{late}");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # What a signal does meanwhile
//! While somebody listens for a signal, its default action does not happen. When the last [`Signals`] that has it is dropped, what was there before is
//! put back. So a second ctrl-C ends a program that hangs while it shuts down, unless it listens again. Handlers that others have
//! installed are called as well.
//!
//! Several [`Signals`] may have the same signal, and each of them gets it. As with the system itself, a signal that comes again before it was received
//! counts once.
//!
//! In the child of a `fork`, nothing arrives before a new [`Signals`] is made there.

mod dispatch;
mod handler;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libc::c_int;

use crate::sync::Notify;

/// A kind of signal, as SIGINT.
///
/// # Examples
/// ```
/// use corun::signal::SignalKind;
///
/// assert_eq!(SignalKind::TERMINATE.to_string(), "SIGTERM");
/// assert_eq!(SignalKind::from_raw(libc::SIGTERM), SignalKind::TERMINATE);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignalKind(c_int);

impl SignalKind {
    /// SIGINT, by which ctrl-C interrupts a program.
    pub const INTERRUPT: SignalKind = SignalKind(libc::SIGINT);
    /// SIGTERM, by which a program is asked to end.
    pub const TERMINATE: SignalKind = SignalKind(libc::SIGTERM);
    /// SIGHUP: the terminal is gone; servers often read their configuration again.
    pub const HANGUP: SignalKind = SignalKind(libc::SIGHUP);
    /// SIGQUIT, by ctrl-\.
    pub const QUIT: SignalKind = SignalKind(libc::SIGQUIT);
    /// SIGUSR1.
    pub const USER1: SignalKind = SignalKind(libc::SIGUSR1);
    /// SIGUSR2.
    pub const USER2: SignalKind = SignalKind(libc::SIGUSR2);
    /// SIGALRM.
    pub const ALARM: SignalKind = SignalKind(libc::SIGALRM);
    /// SIGCHLD: a child process has ended or stopped.
    pub const CHILD: SignalKind = SignalKind(libc::SIGCHLD);
    /// SIGPIPE, which Rust programs ignore from the start.
    pub const PIPE: SignalKind = SignalKind(libc::SIGPIPE);
    /// SIGWINCH: the terminal has changed its size.
    pub const WINDOW_CHANGE: SignalKind = SignalKind(libc::SIGWINCH);

    /// The kind with the system's number. Whether there is such a one is found by [`Signals::new`].
    pub const fn from_raw(number: c_int) -> SignalKind {
        SignalKind(number)
    }

    /// The system's number.
    pub const fn as_raw(self) -> c_int {
        self.0
    }

    fn name(self) -> Option<&'static str> {
        Some(match self {
            SignalKind::INTERRUPT => "SIGINT",
            SignalKind::TERMINATE => "SIGTERM",
            SignalKind::HANGUP => "SIGHUP",
            SignalKind::QUIT => "SIGQUIT",
            SignalKind::USER1 => "SIGUSR1",
            SignalKind::USER2 => "SIGUSR2",
            SignalKind::ALARM => "SIGALRM",
            SignalKind::CHILD => "SIGCHLD",
            SignalKind::PIPE => "SIGPIPE",
            SignalKind::WINDOW_CHANGE => "SIGWINCH",
            _ => return None,
        })
    }

    /// The bit that stands for it in sets of signals.
    fn bit(self) -> u64 {
        1 << (self.0 - 1)
    }

    fn kinds_in(set: u64) -> impl Iterator<Item = SignalKind> {
        (1..=64)
            .map(SignalKind)
            .filter(move |kind| set & kind.bit() != 0)
    }
}

impl fmt::Display for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "signal {}", self.0),
        }
    }
}

impl fmt::Debug for SignalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What has arrived for one `Signals`.
struct Mailbox {
    /// Sets of signals: those listened for, and those that have come and were not received.
    wanted: u64,
    pending: AtomicU64,
    notify: Notify,
}

impl Mailbox {
    /// Notes signals. Whoever calls this calls `notify_one` after it.
    fn put(&self, arrived: u64) {
        self.pending
            .fetch_or(arrived & self.wanted, Ordering::AcqRel);
    }

    /// Takes the one with the lowest number.
    fn take(&self) -> Option<SignalKind> {
        let without_lowest = |pending: u64| pending & pending.wrapping_sub(1);
        let before = self
            .pending
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |pending| {
                (pending != 0).then(|| without_lowest(pending))
            })
            .ok()?;
        if without_lowest(before) != 0 {
            // There is one for the next receiver as well.
            self.notify.notify_one();
        }
        Some(SignalKind(before.trailing_zeros() as c_int + 1))
    }
}

/// Listens for signals from the moment that it is made until it is dropped.
///
/// Several coroutines, threads and futures may receive from it at once: each signal goes to one of them.
///
/// # Examples
/// ```
/// use corun::signal::{SignalKind, Signals};
///
/// let signals = Signals::new([SignalKind::HANGUP, SignalKind::USER1])?;
/// corun::spawn(|| {
///     // SAFETY: no preconditions.
///     unsafe { libc::raise(libc::SIGHUP) };
/// });
/// for signal in &signals {
///     match signal {
///         // Time to read the configuration again.
///         SignalKind::HANGUP => break,
///         other => println!("{other}"),
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "what comes when it is dropped is not noticed"]
pub struct Signals {
    mailbox: Arc<Mailbox>,
}

impl Signals {
    /// Listens for these from now on.
    ///
    /// # Errors
    /// `InvalidInput` for a signal that the system does not have, or that nobody may wait for: SIGKILL and SIGSTOP; SIGSEGV, SIGBUS, SIGILL, SIGFPE and
    /// SIGTRAP, which say that an instruction has failed; and SIGURG, which the runtime uses to see where a stalled coroutine is. The
    /// system's error, if there is no memory, descriptor or thread for it.
    pub fn new(kinds: impl IntoIterator<Item = SignalKind>) -> io::Result<Signals> {
        let mut wanted = 0;
        for kind in kinds {
            handler::check(kind)?;
            wanted |= kind.bit();
        }
        let mailbox = Arc::new(Mailbox {
            wanted,
            pending: AtomicU64::new(0),
            notify: Notify::new(),
        });
        dispatch::add(&mailbox)?;
        Ok(Signals { mailbox })
    }

    /// Waits for the next one. If several have come, those with lower numbers go first.
    ///
    /// # Panics
    /// If it has to wait inside [`no_suspend`](crate::no_suspend).
    pub fn recv(&self) -> SignalKind {
        loop {
            if let Some(kind) = self.mailbox.take() {
                return kind;
            }
            self.mailbox.notify.wait();
        }
    }

    /// As [`recv`](Signals::recv), for an async task of whatever executor. A future that is dropped has received nothing.
    pub async fn recv_async(&self) -> SignalKind {
        loop {
            if let Some(kind) = self.mailbox.take() {
                return kind;
            }
            self.mailbox.notify.notified().await;
        }
    }

    /// The next one, if it has come already.
    pub fn try_recv(&self) -> Option<SignalKind> {
        self.mailbox.take()
    }

    /// Waits for one after the other, without end.
    pub fn iter(&self) -> Iter<'_> {
        Iter { signals: self }
    }
}

impl Drop for Signals {
    fn drop(&mut self) {
        dispatch::remove(&self.mailbox);
    }
}

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(SignalKind::kinds_in(self.mailbox.wanted))
            .finish()
    }
}

/// What [`Signals::iter`] returns.
#[derive(Debug)]
pub struct Iter<'a> {
    signals: &'a Signals,
}

impl Iterator for Iter<'_> {
    type Item = SignalKind;

    fn next(&mut self) -> Option<SignalKind> {
        Some(self.signals.recv())
    }
}

impl<'a> IntoIterator for &'a Signals {
    type Item = SignalKind;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// Waits for ctrl-C (SIGINT), from a coroutine or a plain thread.
///
/// Only what comes during the call counts; a program that would not miss one makes a [`Signals`] and keeps it. After the call a further ctrl-C does
/// what it did before it.
///
/// # Errors
/// As [`Signals::new`].
///
/// # Examples
/// ```no_run
/// corun::spawn(|| {
///     corun::signal::ctrl_c().expect("signals can be listened for");
///     println!("good bye");
///     std::process::exit(0);
/// });
/// ```
pub fn ctrl_c() -> io::Result<()> {
    Signals::new([SignalKind::INTERRUPT])?.recv();
    Ok(())
}

/// As [`ctrl_c`], for an async task of whatever executor. It listens from its first poll on.
///
/// # Errors
/// As [`Signals::new`].
pub async fn ctrl_c_async() -> io::Result<()> {
    Signals::new([SignalKind::INTERRUPT])?.recv_async().await;
    Ok(())
}
