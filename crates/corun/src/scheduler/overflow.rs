//! The report of a coroutine that has overflowed its stack.
//!
//! `corun_context::stack::overflow` meets the fault, knows the stack, and ends the process; this adds whose stack it was. The running
//! coroutine is taken from the worker, and only if its control block lies at the top of the very stack that overflowed: a generator has a stack
//! too, and no control block there. Everything here runs in a signal handler, so it neither allocates nor locks.

use std::cell::OnceCell;
use std::fmt::{self, Write};
use std::io;
use std::sync::atomic::Ordering;

use corun_context::stack::overflow::{self, AltStack, Overflow};

use super::worker::Worker;
use crate::coroutine::task::{Control, TaskRef};

/// Installs the report for the whole process; only the first call does anything.
pub(super) fn install() -> io::Result<()> {
    // SAFETY: `report` keeps to what a signal handler may do.
    unsafe { overflow::set_reporter(report) };
    overflow::install()
}

/// Gives this thread a stack for signal handlers, for as long as it lives: when a coroutine has used up its own, there is no other.
pub(crate) fn arm_thread() {
    thread_local! {
        static STACK: OnceCell<Option<AltStack>> = const { OnceCell::new() };
    }
    // Without memory for it, an overflow still ends the process, but may do so without a word.
    STACK.with(|stack| {
        stack.get_or_init(|| AltStack::install().ok());
    });
}

fn report(overflow: &Overflow) {
    let mut out = Stderr::new();
    let kib = overflow.usable_size() / 1024;
    let running = Worker::current().and_then(|worker| Some((worker, worker.running()?)));
    // An error to write cannot be reported anywhere.
    let _ = match running {
        Some((worker, task)) if runs_on(task, overflow) => {
            // The size that was asked for: the stack may have a page more.
            let bytes = match task.stack_size() {
                0 => worker.shared().scheduler.config.stack_size,
                bytes => bytes,
            };
            let whose = Whose(task);
            writeln!(out, "\n{whose}, has overflowed its stack of {} KiB", bytes / 1024).and_then(|()| {
                out.write_str(
                    "help: give it a larger one by corun::Builder::stack_size, or all of them by the environment \
                     variable CORUN_STACK_SIZE, as in CORUN_STACK_SIZE=1M; only pages that are used take memory\n",
                )
            })
        }
        Some((_, task)) => {
            let whose = Whose(task);
            writeln!(
                out,
                "\na stack of {kib} KiB, made by corun-context and used by {whose}, has overflowed"
            )
        }
        None => writeln!(
            out,
            "\na stack of {kib} KiB, made by corun-context, has overflowed"
        ),
    };
    let _ = out.write_str("fatal runtime error: stack overflow, aborting\n");
}

/// Is this the stack that the coroutine started on?
fn runs_on(task: TaskRef, overflow: &Overflow) -> bool {
    let control = match task.migrant() {
        Some(migrant) => migrant.control.get().addr(),
        None => task.header().next.load(Ordering::Relaxed).addr(),
    };
    control == overflow.top.wrapping_sub(size_of::<Control>())
}

struct Whose(TaskRef);

impl fmt::Display for Whose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.name() {
            Some(name) => write!(f, "coroutine '{name}' ({})", self.0.id())?,
            None => write!(f, "coroutine {}", self.0.id())?,
        }
        write!(f, ", spawned at {}", self.0.site())
    }
}

/// Standard error without a lock, a line at a time where lines are not too long.
struct Stderr {
    buffer: [u8; 512],
    used: usize,
}

impl Stderr {
    fn new() -> Stderr {
        Stderr {
            buffer: [0; 512],
            used: 0,
        }
    }

    fn flush(&mut self) {
        // SAFETY: the bytes are initialised. What cannot be written is lost.
        unsafe { libc::write(libc::STDERR_FILENO, self.buffer.as_ptr().cast(), self.used) };
        self.used = 0;
    }
}

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for &byte in text.as_bytes() {
            self.buffer[self.used] = byte;
            self.used += 1;
            if self.used == self.buffer.len() {
                self.flush();
            }
        }
        if text.ends_with('\n') {
            self.flush();
        }
        Ok(())
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        if self.used != 0 {
            self.flush();
        }
    }
}
