//! Standard output and standard error.

use std::io::{self, IsTerminal, LineWriter, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::OnceLock;

use super::reentrant::{Guard, Reentrant};
use super::standard::{Standard, write_in_place_from_now_on};

type Output = Reentrant<LineWriter<Standard>>;
type Errors = Reentrant<Standard>;

static OUTPUT: OnceLock<Output> = OnceLock::new();
static ERRORS: OnceLock<Errors> = OnceLock::new();

fn output() -> &'static Output {
    OUTPUT.get_or_init(|| {
        // SAFETY: a function that may be called at the end of the process. If the system has no room for it, an unfinished line is lost.
        unsafe { libc::atexit(flush_at_exit) };
        Reentrant::new(LineWriter::new(Standard::Output))
    })
}

fn errors() -> &'static Errors {
    ERRORS.get_or_init(|| Reentrant::new(Standard::Error))
}

/// Writes what has no end of line yet, unless somebody is writing.
extern "C" fn flush_at_exit() {
    write_in_place_from_now_on();
    if let Some(guard) = OUTPUT.get().and_then(Reentrant::try_lock)
        && let Ok(mut writer) = guard.value().try_borrow_mut()
    {
        let _ = writer.flush();
    }
}

macro_rules! stream {
    (
        $(#[$doc:meta])* $stream:ident,
        $(#[$lock_doc:meta])* $lock:ident, $inner:ty,
        $(#[$make_doc:meta])* $make:ident, $get:ident, $standard:expr
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $stream(());

        $(#[$lock_doc])*
        #[must_use = "it is given back at once"]
        pub struct $lock<'a>(Guard<'a, $inner>);

        $(#[$make_doc])*
        pub fn $make() -> $stream {
            $stream(())
        }

        impl $stream {
            /// Waits until nobody else writes, and keeps others out until the result is dropped. Whoever has it may lock again.
            pub fn lock(&self) -> $lock<'static> {
                $lock($get().lock())
            }

            /// Does a person sit there, perhaps?
            pub fn is_terminal(&self) -> bool {
                self.as_fd().is_terminal()
            }
        }

        impl Write for $lock<'_> {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.0.value().borrow_mut().write(buf)
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.0.value().borrow_mut().write_all(buf)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.0.value().borrow_mut().flush()
            }
        }

        stream!(@write $stream);
        stream!(@write &$stream);

        impl AsFd for $stream {
            fn as_fd(&self) -> BorrowedFd<'_> {
                $standard.descriptor()
            }
        }

        impl AsRawFd for $stream {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl AsFd for $lock<'_> {
            fn as_fd(&self) -> BorrowedFd<'_> {
                $standard.descriptor()
            }
        }

        impl AsRawFd for $lock<'_> {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl std::fmt::Debug for $lock<'_> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_struct(stringify!($lock)).finish_non_exhaustive()
            }
        }
    };
    (@write $stream:ty) => {
        impl Write for $stream {
            fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
                self.lock().write(buf)
            }

            fn write_all(&mut self, buf: &[u8]) -> io::Result<()> {
                self.lock().write_all(buf)
            }

            fn write_fmt(&mut self, arguments: std::fmt::Arguments<'_>) -> io::Result<()> {
                self.lock().write_fmt(arguments)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.lock().flush()
            }
        }
    };
}

stream! {
    /// Standard output: the counterpart of [`std::io::Stdout`], made by [`stdout`].
    ///
    /// It is written line by line, and an unfinished line when it is flushed or the process ends. `println!` uses std's own buffer, so that an unfinished line
    /// of one and one of the other may change places.
    Stdout,
    /// Exclusive use of standard output: made by [`Stdout::lock`].
    StdoutLock, LineWriter<Standard>,
    /// Standard output. Whoever waits for the terminal, or for the process at the other end of a pipe, parks his coroutine only.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// let mut out = corun::io::stdout().lock();
    /// writeln!(out, "these lines")?;
    /// writeln!(out, "stay together")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    stdout, output, Standard::Output
}

stream! {
    /// Standard error: the counterpart of [`std::io::Stderr`], made by [`stderr`]. It is not buffered.
    Stderr,
    /// Exclusive use of standard error: made by [`Stderr::lock`].
    StderrLock, Standard,
    /// Standard error. Whoever waits for the terminal, or for the process at the other end of a pipe, parks his coroutine only.
    ///
    /// ```
    /// use std::io::Write;
    ///
    /// writeln!(corun::io::stderr(), "a warning")?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    stderr, errors, Standard::Error
}
