//! The one handler of all signals that somebody listens for, and how it is put in place and taken away.
//!
//! # Invariants
//! - The handler touches atomics and calls `write`, nothing else; then it calls the handler that was there before, if it was a function. The
//!   default action and "ignore" are replaced by being listened to.
//! - What was there before is published before the handler is installed, and never freed, as a handler may be running on any thread.
//! - When nobody listens any more, what was there before is put back, if the handler in place is still ours. If somebody else's stands there, and
//!   calls ours, then ours goes on passing signals on to whom it knows.
//! - While it runs all signals wait, since it may run on the small alternate stack of a thread of std's.
//! - All but the handler itself happens under the lock of `dispatch.rs`.
//!
//! Rejected: the crate `signal-hook-registry`, which does the same for all but the end: it leaves its handler in place, so that a program that has once
//! waited for ctrl-C can never again be ended by it.

use std::io;
use std::mem;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicPtr, AtomicU64, Ordering};

use libc::{c_int, c_void, siginfo_t};

use super::SignalKind;

/// The signals that have come and were not dispatched.
static ARRIVED: AtomicU64 = AtomicU64::new(0);
/// Those that are listened for.
static LISTENED: AtomicU64 = AtomicU64::new(0);
/// Where a byte is written for each signal; not blocking.
static WRITE_END: AtomicI32 = AtomicI32::new(-1);
/// By the number of the signal: what was there before.
static BEFORE: [AtomicPtr<libc::sigaction>; 65] = [const { AtomicPtr::new(ptr::null_mut()) }; 65];

/// May somebody listen for it?
pub(super) fn check(kind: SignalKind) -> io::Result<()> {
    let why = match kind.as_raw() {
        number if !(1..=64).contains(&number) => "there is no such signal",
        libc::SIGKILL | libc::SIGSTOP => "nobody can listen for SIGKILL and SIGSTOP",
        libc::SIGSEGV | libc::SIGBUS | libc::SIGILL | libc::SIGFPE | libc::SIGTRAP => {
            "a signal for an instruction that has failed cannot be waited for"
        }
        libc::SIGURG => "corun uses SIGURG to see where a stalled coroutine is",
        _ => return Ok(()),
    };
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!("{kind}: {why}"),
    ))
}

/// Has arrivals told there.
pub(super) fn write_to(descriptor: RawFd) {
    WRITE_END.store(descriptor, Ordering::Release);
}

/// Takes those that have arrived.
pub(super) fn take_arrived() -> u64 {
    ARRIVED.swap(0, Ordering::AcqRel)
}

fn ours() -> usize {
    on_signal as *const () as usize
}

fn action_of(number: c_int) -> io::Result<libc::sigaction> {
    // SAFETY: a zeroed action is a valid one to be written over.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        match libc::sigaction(number, ptr::null(), &raw mut action) {
            0 => Ok(action),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Installs the handler for a signal that nobody has listened for.
pub(super) fn install(kind: SignalKind) -> io::Result<()> {
    let number = kind.as_raw();
    let before = action_of(number)?;
    if before.sa_sigaction != ours() {
        let known = &BEFORE[number as usize];
        // SAFETY: what was stored is never freed.
        let same = unsafe { known.load(Ordering::Relaxed).as_ref() }.is_some_and(|known| {
            (known.sa_sigaction, known.sa_flags) == (before.sa_sigaction, before.sa_flags)
        });
        if !same {
            known.store(Box::into_raw(Box::new(before)), Ordering::Release);
        }
        // SAFETY: the handler is a function of the right type, and what it reads is written already.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = ours();
            // Restarting: the user's system calls should not fail because of us.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            // One at a time: threads that handle overflows do so on small stacks, which several handlers at once do not fit.
            libc::sigfillset(&raw mut action.sa_mask);
            if libc::sigaction(number, &raw const action, ptr::null_mut()) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    LISTENED.fetch_or(kind.bit(), Ordering::AcqRel);
    Ok(())
}

/// Puts back what was there before, as nobody listens any more.
pub(super) fn restore(kind: SignalKind) {
    LISTENED.fetch_and(!kind.bit(), Ordering::AcqRel);
    let number = kind.as_raw();
    let before = BEFORE[number as usize].load(Ordering::Acquire);
    if action_of(number).is_ok_and(|action| action.sa_sigaction == ours()) {
        // SAFETY: `before` came from the system, and is never freed. It cannot fail for a signal that exists.
        unsafe { libc::sigaction(number, before, ptr::null_mut()) };
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn errno() -> *mut c_int {
    // SAFETY: always valid.
    unsafe { libc::__errno_location() }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn errno() -> *mut c_int {
    // SAFETY: always valid.
    unsafe { libc::__error() }
}

unsafe extern "C" fn on_signal(number: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the place of the thread's error number; the interrupted code must find the value that it left.
    let saved = unsafe { *errno() };
    let bit = SignalKind(number).bit();
    if LISTENED.load(Ordering::Acquire) & bit != 0 {
        // Release pairs with the swap of whoever reads the byte.
        ARRIVED.fetch_or(bit, Ordering::AcqRel);
        let byte = 0_u8;
        // SAFETY: one byte to read. If there is no room, there are bytes that were not read.
        unsafe {
            libc::write(
                WRITE_END.load(Ordering::Acquire),
                (&raw const byte).cast(),
                1,
            )
        };
    }
    // SAFETY: what was stored came from the system, and is never freed.
    if let Some(before) = unsafe { BEFORE[number as usize].load(Ordering::Acquire).as_ref() } {
        // SAFETY: these are the system's arguments.
        unsafe { pass_on(before, number, info, context) };
    }
    // SAFETY: as above.
    unsafe { *errno() = saved };
}

/// Calls the handler that was there before, if it was a function.
unsafe fn pass_on(
    before: &libc::sigaction,
    number: c_int,
    info: *mut siginfo_t,
    context: *mut c_void,
) {
    type Informed = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {}
        // SAFETY: whoever installed the function said by SA_SIGINFO that it takes three arguments.
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
            mem::transmute::<usize, Informed>(handler)(number, info, context);
        },
        // SAFETY: without SA_SIGINFO it takes one.
        handler => unsafe {
            mem::transmute::<usize, unsafe extern "C" fn(c_int)>(handler)(number);
        },
    }
}
