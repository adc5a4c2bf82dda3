//! Standard input.
//!
//! Lines are taken out of the buffer when they are whole, and not piece by piece, as the default methods of `BufRead` would: so whoever is
//! cancelled in the middle of a line has taken nothing, and the next reader gets it all.

use std::io::{self, BufRead, IsTerminal, Lines, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use super::standard::Standard;
use crate::sync::{Mutex, MutexGuard};

/// How much is asked for at once.
const CHUNK: usize = 8 << 10;

static INPUT: Mutex<Input> = Mutex::new(Input {
    bytes: Vec::new(),
    taken: 0,
});

/// What was read, and how much of it somebody has had.
struct Input {
    bytes: Vec<u8>,
    taken: usize,
}

impl Input {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Reads more. Returns how much; nothing at the end.
    fn read_more(&mut self) -> io::Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        // Apart, so that nothing is left half-done if the wait is cancelled.
        let mut chunk = [0; CHUNK];
        loop {
            match Standard::Input.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let count = read?;
                    self.bytes.extend_from_slice(&chunk[..count]);
                    return Ok(count);
                }
            }
        }
    }

    /// Waits until there is a whole line, or the end; returns how long it is.
    fn find(&mut self, delimiter: u8) -> io::Result<usize> {
        let mut searched = 0;
        loop {
            let rest = self.rest();
            if let Some(place) = rest[searched..].iter().position(|byte| *byte == delimiter) {
                return Ok(searched + place + 1);
            }
            searched = rest.len();
            if self.read_more()? == 0 {
                return Ok(searched);
            }
        }
    }
}

/// Standard input: the counterpart of [`std::io::Stdin`], made by [`stdin`].
///
/// It is buffered, by corun and for all who read through corun; what [`std::io::stdin`] has read ahead is in std's buffer, so a program should use one
/// of the two. The descriptor stays in the mode that it is in, since the shell and others share it.
#[derive(Debug)]
pub struct Stdin(());

/// Exclusive use of standard input: made by [`Stdin::lock`].
#[must_use = "it is given back at once"]
pub struct StdinLock<'a>(MutexGuard<'a, Input>);

/// Standard input. Whoever waits for a line parks his coroutine only, and can be cancelled without a loss.
///
/// ```no_run
/// for line in corun::io::stdin().lines() {
///     println!("{}", line?);
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn stdin() -> Stdin {
    Stdin(())
}

impl Stdin {
    /// Waits until nobody else reads, and keeps others out until the result is dropped.
    pub fn lock(&self) -> StdinLock<'static> {
        // A reader that panicked has left whole lines.
        StdinLock(
            INPUT
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner),
        )
    }

    /// Reads a line, its end included, and adds it to `buf`. Nothing: it was the end.
    ///
    /// # Errors
    /// [`InvalidData`](io::ErrorKind::InvalidData) for a line that is not UTF-8, which is gone then; else the system's.
    pub fn read_line(&self, buf: &mut String) -> io::Result<usize> {
        self.lock().read_line(buf)
    }

    /// The lines, without their ends.
    pub fn lines(self) -> Lines<StdinLock<'static>> {
        self.lock().lines()
    }

    /// Does a person sit there, perhaps?
    pub fn is_terminal(&self) -> bool {
        self.as_fd().is_terminal()
    }
}

impl Read for StdinLock<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.fill_buf()?.read(buf)?;
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for StdinLock<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.0.rest().is_empty() {
            self.0.read_more()?;
        }
        Ok(self.0.rest())
    }

    fn consume(&mut self, amount: usize) {
        self.0.taken = (self.0.taken + amount).min(self.0.bytes.len());
    }

    fn read_until(&mut self, byte: u8, buf: &mut Vec<u8>) -> io::Result<usize> {
        let count = self.0.find(byte)?;
        buf.extend_from_slice(&self.0.rest()[..count]);
        self.consume(count);
        Ok(count)
    }

    fn read_line(&mut self, buf: &mut String) -> io::Result<usize> {
        let count = self.0.find(b'\n')?;
        let line = str::from_utf8(&self.0.rest()[..count]).map(|line| buf.push_str(line));
        self.consume(count);
        line.map(|()| count).map_err(|_| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                "a line of standard input is not valid UTF-8",
            )
        })
    }
}

macro_rules! reads {
    ($($stdin:ty),*) => {$(
        impl Read for $stdin {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                self.lock().read(buf)
            }

            fn read_to_end(&mut self, buf: &mut Vec<u8>) -> io::Result<usize> {
                self.lock().read_to_end(buf)
            }

            fn read_to_string(&mut self, buf: &mut String) -> io::Result<usize> {
                self.lock().read_to_string(buf)
            }

            fn read_exact(&mut self, buf: &mut [u8]) -> io::Result<()> {
                self.lock().read_exact(buf)
            }
        }
    )*};
}

reads!(Stdin, &Stdin);

macro_rules! descriptor {
    ($($stdin:ty),*) => {$(
        impl AsFd for $stdin {
            fn as_fd(&self) -> BorrowedFd<'_> {
                Standard::Input.descriptor()
            }
        }

        impl AsRawFd for $stdin {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }
    )*};
}

descriptor!(Stdin, StdinLock<'_>);

impl std::fmt::Debug for StdinLock<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StdinLock").finish_non_exhaustive()
    }
}
