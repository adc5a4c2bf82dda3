//! The signal handler.

use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::fmt::{self, Write};
use core::mem::{self, MaybeUninit};
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::io;
use std::sync::OnceLock;

use super::Overflow;

const SIGNALS: [c_int; 2] = [libc::SIGSEGV, libc::SIGBUS];

/// What was done on the signals before; written before the handler is installed, and only read afterwards.
struct Previous([UnsafeCell<MaybeUninit<libc::sigaction>>; 2]);

// SAFETY: written once, before the handler that reads it is installed.
unsafe impl Sync for Previous {}

static PREVIOUS: Previous = Previous([const { UnsafeCell::new(MaybeUninit::uninit()) }; 2]);

/// A `fn(&Overflow)`, or null.
static REPORTER: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Makes overflows of stacks of this crate end the process with a report. Only the first call does anything.
///
/// # Errors
/// If the system does not let the handlers be installed.
pub fn install() -> io::Result<()> {
    static DONE: OnceLock<Result<(), i32>> = OnceLock::new();
    let result =
        DONE.get_or_init(|| install_now().map_err(|error| error.raw_os_error().unwrap_or(0)));
    result.map_err(io::Error::from_raw_os_error)
}

fn install_now() -> io::Result<()> {
    for (signal, previous) in SIGNALS.into_iter().zip(&PREVIOUS.0) {
        let check = |result| {
            if result == 0 {
                Ok(())
            } else {
                Err(io::Error::last_os_error())
            }
        };
        // SAFETY: the previous action is stored before the handler that reads it can run. A zeroed action is a valid one.
        unsafe {
            let previous = (*previous.get()).as_mut_ptr();
            check(libc::sigaction(signal, ptr::null(), previous))?;
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_fault as *const () as usize;
            action.sa_flags =
                libc::SA_SIGINFO | libc::SA_ONSTACK | (*previous).sa_flags & libc::SA_RESTART;
            action.sa_mask = (*previous).sa_mask;
            check(libc::sigaction(signal, &action, ptr::null_mut()))?;
        }
    }
    Ok(())
}

/// Sets the function that reports an overflow before the process is aborted, in place of a plain message.
///
/// # Safety
/// The function runs in a signal handler, which may have interrupted anything: it must not allocate, lock, panic, or call
/// anything else that is not async-signal-safe. It has some 32 KiB of stack on threads with an [`AltStack`](super::AltStack), but only 4 KiB
/// on others.
pub unsafe fn set_reporter(reporter: fn(&Overflow)) {
    // Release: pairs with the load in `report`, for whatever the function reads.
    REPORTER.store(reporter as *mut (), Ordering::Release);
}

unsafe extern "C" fn on_fault(
    signal: c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the system passes a valid `info`. Codes above 0 are the kernel's own, which come with an address.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code > 0
        && let Some(overflow) = Overflow::at(address)
    {
        report(&overflow);
        // SAFETY: no preconditions.
        unsafe { libc::abort() }
    }
    // SAFETY: these are the system's arguments.
    unsafe { pass_on(signal, info, context) }
}

fn report(overflow: &Overflow) {
    let reporter = REPORTER.load(Ordering::Acquire);
    if reporter.is_null() {
        let kib = overflow.usable_size() / 1024;
        let _ = writeln!(
            Stderr,
            "\nA coroutine has overflowed its stack of {kib} KiB. Give it a larger one."
        );
        return;
    }
    // SAFETY: only `set_reporter` stores anything, a function of this type.
    let reporter: fn(&Overflow) = unsafe { mem::transmute(reporter) };
    reporter(overflow);
}

/// Does what would have been done without this handler.
unsafe fn pass_on(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let index = usize::from(signal != SIGNALS[0]);
    // SAFETY: it was written before this handler was installed.
    let previous = unsafe { (*PREVIOUS.0[index].get()).assume_init_ref() };
    // SAFETY: the system passes a valid `info`.
    let from_kernel = unsafe { (*info).si_code } > 0;
    match previous.sa_sigaction {
        // A fault cannot be ignored: the system would kill the process.
        libc::SIG_IGN if !from_kernel => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: a zeroed action is a valid one, which stands for the default.
            unsafe {
                let mut action: libc::sigaction = mem::zeroed();
                action.sa_sigaction = libc::SIG_DFL;
                libc::sigaction(signal, &action, ptr::null_mut());
                // The fault happens again as soon as this returns; a signal that somebody sent does not.
                if !from_kernel {
                    libc::raise(signal);
                }
            }
        }
        // SAFETY: whoever installed the function said by SA_SIGINFO that it takes three arguments.
        handler if previous.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
            type Handler = unsafe extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void);
            mem::transmute::<usize, Handler>(handler)(signal, info, context);
        },
        // SAFETY: without SA_SIGINFO it takes one.
        handler => unsafe { mem::transmute::<usize, unsafe extern "C" fn(c_int)>(handler)(signal) },
    }
}

/// Standard error, unbuffered and without a lock.
struct Stderr;

impl Write for Stderr {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // SAFETY: the bytes are readable. What cannot be written is lost.
        unsafe { libc::write(libc::STDERR_FILENO, text.as_ptr().cast(), text.len()) };
        Ok(())
    }
}
