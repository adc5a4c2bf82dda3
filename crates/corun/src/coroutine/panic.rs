//! The panic hook: says which coroutine panics, and keeps the worker still while the message is written.
//!
//! std's message names the thread, which says little where one thread runs a million coroutines. So the first runtime puts a hook in front
//! of whatever hook the program has at that moment: it writes one line about the coroutine and goes on to the other. Outside of coroutines
//! it adds nothing. A program that sets a hook later replaces it, which is that program's right.
//!
//! While the hook runs nothing may suspend: std counts panics per thread, and another coroutine on this thread that panicked or asked
//! `thread::panicking()` meanwhile would be taken for this one. So what would park the coroutine blocks the thread until the hook is done.

use std::panic::{self, PanicHookInfo};
use std::sync::Once;
use std::thread;

use crate::coroutine::task::TaskRef;
use crate::scheduler::worker::Worker;

/// Puts the hook in place, once per process.
pub(crate) fn install() {
    static INSTALL: Once = Once::new();
    // A thread that panics may not change the hook; the next runtime will do it then.
    if !INSTALL.is_completed() && !thread::panicking() {
        INSTALL.call_once(|| {
            let previous = panic::take_hook();
            panic::set_hook(Box::new(move |info| hook(info, &*previous)));
        });
    }
}

fn hook(info: &PanicHookInfo<'_>, previous: &dyn Fn(&PanicHookInfo<'_>)) {
    let Some((worker, task)) =
        Worker::current().and_then(|worker| Some((worker, worker.running()?)))
    else {
        return previous(info);
    };
    // No guard against unwinding: a panic inside of a hook ends the process.
    let before = worker.set_in_panic_hook(true);
    announce(task);
    previous(info);
    worker.set_in_panic_hook(before);
}

/// Written with `eprintln!`, so that the output capture of test harnesses sees it, as it does the message that follows.
fn announce(task: TaskRef) {
    if stderr_is_broken() {
        return;
    }
    let (name, id, site) = (task.name().unwrap_or("<unnamed>"), task.id(), task.site());
    let what = if task.is_guest() && !task.is_migrant() {
        "async task"
    } else {
        "coroutine"
    };
    eprintln!("\n{what} '{name}' (id {id}, spawned at {site}) panicked:");
}

/// Has the reader of our standard error gone away? std's hook ignores that; `eprintln!` would panic, and so end the process.
#[cfg(unix)]
fn stderr_is_broken() -> bool {
    let mut stderr = libc::pollfd {
        fd: libc::STDERR_FILENO,
        events: 0,
        revents: 0,
    };
    // SAFETY: one descriptor, and no waiting.
    let ready = unsafe { libc::poll(&raw mut stderr, 1, 0) };
    ready == 1 && stderr.revents & libc::POLLERR != 0
}

#[cfg(not(unix))]
fn stderr_is_broken() -> bool {
    false
}
