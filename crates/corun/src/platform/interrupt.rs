//! Asking another thread, by a signal, to look at itself.
//!
//! The signal is SIGURG: ignored by default, so that one that arrives late or astray does no harm, and hardly used by anyone. The
//! handler is installed when it is first needed. A signal that is not ours goes to the handler that was there before.

#[cfg(target_os = "linux")]
pub(crate) use linux::{admit, current_thread, install, interrupt};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{admit, current_thread, install, interrupt};

#[cfg(target_os = "linux")]
mod linux {
    use std::mem;
    use std::ptr;
    use std::sync::OnceLock;

    use libc::{c_int, c_void, siginfo_t};

    const SIGNAL: c_int = libc::SIGURG;

    struct Installed {
        answer: fn() -> bool,
        before: libc::sigaction,
    }

    static INSTALLED: OnceLock<Installed> = OnceLock::new();

    /// Has interrupted threads call `answer`, which returns whether anybody had asked. It runs in a signal handler and must keep to what
    /// that allows. Only the first call does anything.
    pub(crate) fn install(answer: fn() -> bool) {
        let mut first = false;
        INSTALLED.get_or_init(|| {
            first = true;
            // SAFETY: a zeroed action is a valid one to be written over.
            let before = unsafe {
                let mut before: libc::sigaction = mem::zeroed();
                libc::sigaction(SIGNAL, ptr::null(), &raw mut before);
                before
            };
            Installed { answer, before }
        });
        if !first {
            return;
        }
        // SAFETY: the handler is a function of the right type, and what it reads is written already. It cannot fail for a signal that exists.
        unsafe {
            let mut action: libc::sigaction = mem::zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            // Restarting: the user's system calls should not fail because of us, where the system can help it.
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
            libc::sigaction(SIGNAL, &raw const action, ptr::null_mut());
        }
    }

    /// Lets this thread be interrupted, whatever mask it was started with.
    pub(crate) fn admit() {
        // SAFETY: the set is initialised before it is used.
        unsafe {
            let mut set: libc::sigset_t = mem::zeroed();
            libc::sigemptyset(&raw mut set);
            libc::sigaddset(&raw mut set, SIGNAL);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        }
    }

    /// The calling thread, as `interrupt` wants it; never 0.
    pub(crate) fn current_thread() -> i32 {
        // SAFETY: no preconditions.
        unsafe { libc::gettid() }
    }

    /// Interrupts a thread of this process. If it has ended nothing happens, or another one with the same number finds that nobody asked.
    pub(crate) fn interrupt(thread: i32) {
        // SAFETY: no preconditions.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, SIGNAL) };
    }

    unsafe extern "C" fn on_signal(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: always valid.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: as above; the interrupted code must find the value that it left.
        let saved = unsafe { *errno };
        // A look at a `OnceLock` that is set neither locks nor allocates.
        if let Some(installed) = INSTALLED.get()
            && !(installed.answer)()
        {
            // SAFETY: these are the system's arguments.
            unsafe { pass_on(&installed.before, signal, info, context) };
        }
        // SAFETY: as above.
        unsafe { *errno = saved };
    }

    /// Calls the handler that was there before, if any; the default is to ignore the signal.
    unsafe fn pass_on(
        before: &libc::sigaction,
        signal: c_int,
        info: *mut siginfo_t,
        context: *mut c_void,
    ) {
        type Informed = unsafe extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
        match before.sa_sigaction {
            libc::SIG_DFL | libc::SIG_IGN => {}
            // SAFETY: whoever installed the function said by SA_SIGINFO that it takes three arguments.
            handler if before.sa_flags & libc::SA_SIGINFO != 0 => unsafe {
                mem::transmute::<usize, Informed>(handler)(signal, info, context);
            },
            // SAFETY: without SA_SIGINFO it takes one.
            handler => unsafe {
                mem::transmute::<usize, unsafe extern "C" fn(c_int)>(handler)(signal);
            },
        }
    }
}

/// Elsewhere nobody is interrupted, so that no questions are answered.
#[cfg(not(target_os = "linux"))]
mod other {
    pub(crate) fn install(_: fn() -> bool) {}

    pub(crate) fn admit() {}

    pub(crate) fn current_thread() -> i32 {
        1
    }

    pub(crate) fn interrupt(_: i32) {}
}
