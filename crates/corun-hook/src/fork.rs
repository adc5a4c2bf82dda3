//! The tables over a `fork`: see `docs/blocking.md`.
//!
//! They are locked before it, and unlocked after it on both sides. The child is a plain thread, in which nobody waits. One that was made by `vfork`
//! runs in the parent's memory, without these handlers, and closes descriptors that are its own, but have the numbers of the parent's: so
//! whoever has found a waiter asks whether he is in the process that the tables belong to.

use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering};

use crate::{mode, mutex, queue, wait};

/// The process that the tables belong to.
static PROCESS: AtomicI32 = AtomicI32::new(0);

pub(crate) fn watch() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        PROCESS.store(this_process(), Ordering::Relaxed);
        // SAFETY: functions of the right type, which do not unwind. It fails only without memory for three pointers; then a fork while another
        // thread is at the tables leaves them locked in the child, as in any program without such handlers.
        unsafe { libc::pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    });
}

pub(crate) fn is_this_process() -> bool {
    this_process() == PROCESS.load(Ordering::Relaxed)
}

fn this_process() -> i32 {
    // SAFETY: no preconditions.
    unsafe { libc::getpid() }
}

extern "C" fn prepare() {
    mutex::hold();
    mode::hold();
    wait::hold();
    queue::hold();
}

extern "C" fn parent() {
    // SAFETY: `prepare` has held them.
    unsafe {
        queue::free(false);
        wait::free(false);
        mode::free();
        mutex::free(false);
    }
}

extern "C" fn child() {
    PROCESS.store(this_process(), Ordering::Relaxed);
    // SAFETY: `prepare` has held them.
    unsafe {
        queue::free(true);
        wait::free(true);
        mode::free();
        mutex::free(true);
    }
}
