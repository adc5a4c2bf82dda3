//! A stall, as it is told to the user.

use std::fmt::{self, Write as _};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::coroutine::Coroutine;

/// A coroutine that has run for long without letting the others of its worker run.
///
/// Printed with `{}` it is a report of several lines: whose stall it is, for how long, and where the coroutine was.
///
/// # Examples
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// let (tell, told) = mpsc::channel();
/// let runtime = corun::Runtime::builder()
///     .on_stall(move |stall| {
///         let _ = tell.send(stall.coroutine().name().map(String::from));
///     })
///     .build()?;
/// let busy = corun::Builder::new().name("busy".into());
/// // It blocks the thread, where `corun::sleep` would let others run.
/// let busy = busy.spawn_on(runtime.handle(), || std::thread::sleep(Duration::from_millis(200)))?;
/// busy.join().unwrap();
/// assert_eq!(told.recv().unwrap().as_deref(), Some("busy"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Stall {
    pub(super) coroutine: Coroutine,
    pub(super) worker: usize,
    pub(super) duration: Duration,
    pub(super) frames: Arc<[usize]>,
}

/// Who is told of stalls.
pub(crate) type Handler = Arc<dyn Fn(&Stall) + Send + Sync>;

impl Stall {
    /// The coroutine: its number, name, spawn site, and whether it has ended since.
    pub fn coroutine(&self) -> &Coroutine {
        &self.coroutine
    }

    /// The number of the worker that it runs on, as in the name of the thread. Workers that the runtime added to stand in for stalled
    /// ones have numbers from [`Handle::workers`](crate::runtime::Handle::workers) on.
    pub fn worker(&self) -> usize {
        self.worker
    }

    /// For how long it had run when it was interrupted to see where it was, at the least.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// Where it was then: addresses of instructions, the innermost first. Empty where the system does not tell.
    pub fn frames(&self) -> &[usize] {
        &self.frames
    }

    /// Where it was, with the names of functions and places in the source, for printing. To find them takes time and memory.
    pub fn backtrace(&self) -> impl fmt::Display + '_ {
        Backtrace(&self.frames)
    }
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "coroutine ")?;
        if let Some(name) = self.coroutine.name() {
            write!(f, "'{name}' ")?;
        }
        write!(
            f,
            "({}), spawned at {}, has kept worker {} for {:?} without letting others run; where it was:\n{}",
            self.coroutine.id(),
            self.coroutine.spawn_site(),
            self.worker,
            self.duration,
            self.backtrace()
        )
    }
}

impl fmt::Debug for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stall")
            .field("coroutine", &self.coroutine)
            .field("worker", &self.worker)
            .field("duration", &self.duration)
            .finish_non_exhaustive()
    }
}

pub(crate) struct Backtrace<'a>(pub(crate) &'a [usize]);

impl fmt::Display for Backtrace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        for (number, &address) in self.0.iter().enumerate() {
            let mut known = false;
            backtrace::resolve(std::ptr::with_exposed_provenance_mut(address), |symbol| {
                result = result.and_then(|()| write_symbol(f, number, known, symbol));
                known = true;
            });
            if !known {
                result = result.and_then(|()| writeln!(f, "{number:4}: {address:#x}"));
            }
        }
        result
    }
}

/// In the form that std uses, so that editors find the places.
fn write_symbol(
    f: &mut fmt::Formatter<'_>,
    number: usize,
    inlined: bool,
    symbol: &backtrace::Symbol,
) -> fmt::Result {
    if inlined {
        f.write_str("      ")?;
    } else {
        write!(f, "{number:4}: ")?;
    }
    match symbol.name() {
        // Without the hash.
        Some(name) => writeln!(f, "{name:#}")?,
        None => f.write_str("<unknown>\n")?,
    }
    if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
        writeln!(f, "             at {}:{line}", file.display())?;
    }
    Ok(())
}

/// Prints a stall to standard error, past its lock: the stalled coroutine may hold it.
pub(super) fn print(stall: &Stall) {
    let mut text = String::new();
    let _ = write!(
        text,
        "\ncorun: {stall}help: call corun::checkpoint() in long computations, and move what blocks the thread to corun::blocking; \
         CORUN_STALL_REPORT=0 silences this\n"
    );
    // There is nowhere else to tell an error.
    #[cfg(unix)]
    {
        use std::os::fd::FromRawFd;
        // SAFETY: the descriptor is not closed here.
        let stderr = unsafe { std::fs::File::from_raw_fd(2) };
        let _ = std::mem::ManuallyDrop::new(stderr).write_all(text.as_bytes());
    }
    #[cfg(not(unix))]
    {
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}
