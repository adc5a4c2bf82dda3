//! What belongs to a thread, and a task may ask to have for its own: the control words of the floating point unit, and the C++ exceptions that
//! are being handled.
//!
//! The switch between coroutines saves neither, as no calling convention asks for it. A task with a flag has its own put away whenever it comes into the
//! library, where alone it can wait, and gets them back on its way out. Meanwhile the thread has the defaults, so that tasks without the flag see
//! nothing of it. As long as no task has a flag this costs one look at a flag that never changes.

use std::ffi::{c_uint, c_void};
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::failure::{Failure, Outcome};
use crate::own;

/// `CORUN_TASK_SAVE_FP`.
pub const SAVE_FP: u32 = 2;
/// `CORUN_TASK_SAVE_CXX`.
pub const SAVE_CXX: u32 = 4;

static ASKED_FOR: AtomicBool = AtomicBool::new(false);

/// Notes that a task with these flags is made.
///
/// # Errors
/// If this cannot be done here.
pub(crate) fn ask_for(flags: u32) -> Outcome {
    if flags & (SAVE_FP | SAVE_CXX) == 0 {
        return Ok(());
    }
    if flags & SAVE_FP != 0 && !control::KNOWN {
        return Err(Failure::invalid(
            "CORUN_TASK_SAVE_FP is not known to this architecture",
        ));
    }
    if flags & SAVE_CXX != 0 && globals_of_thread().is_none() {
        return Err(Failure::invalid(
            "CORUN_TASK_SAVE_CXX: the program has no C++ runtime, or one that cannot be found (link it dynamically, or with -rdynamic)",
        ));
    }
    ASKED_FOR.store(true, Ordering::Relaxed);
    Ok(())
}

/// What was put away.
pub(crate) struct Kept {
    control: Option<control::Words>,
    globals: Option<Globals>,
}

#[inline(always)]
pub(crate) fn put_away() -> Option<Kept> {
    if ASKED_FOR.load(Ordering::Relaxed) {
        put_away_what_is_asked_for()
    } else {
        None
    }
}

#[cold]
#[inline(never)]
fn put_away_what_is_asked_for() -> Option<Kept> {
    let flags = own::flags_of_current();
    if flags & (SAVE_FP | SAVE_CXX) == 0 {
        return None;
    }
    let control = (flags & SAVE_FP != 0).then(|| {
        let words = control::read();
        control::write(control::DEFAULT);
        words
    });
    let globals = (flags & SAVE_CXX != 0).then(|| exchange(Globals::NONE));
    Some(Kept { control, globals })
}

impl Kept {
    #[cold]
    pub(crate) fn put_back(self) {
        if let Some(words) = self.control {
            control::write(words);
        }
        if let Some(globals) = self.globals {
            exchange(globals);
        }
    }
}

/// At the end of a task: whatever it has changed is no longer wanted.
pub(crate) fn reset(flags: u32) {
    if flags & SAVE_FP != 0 {
        control::write(control::DEFAULT);
    }
}

/// `__cxa_eh_globals` of the C++ ABI, which is the same on all systems that share that ABI but 32-bit Arm.
#[repr(C)]
#[derive(Clone, Copy)]
struct Globals {
    caught: *mut c_void,
    uncaught: c_uint,
}

impl Globals {
    const NONE: Globals = Globals {
        caught: ptr::null_mut(),
        uncaught: 0,
    };
}

type GetGlobals = unsafe extern "C" fn() -> *mut Globals;

fn globals_of_thread() -> Option<GetGlobals> {
    static FOUND: OnceLock<Option<GetGlobals>> = OnceLock::new();
    *FOUND.get_or_init(|| {
        // SAFETY: the name is a string; the symbol, if it is there, is this function of the C++ ABI.
        unsafe {
            let symbol = libc::dlsym(libc::RTLD_DEFAULT, c"__cxa_get_globals".as_ptr());
            (!symbol.is_null()).then(|| std::mem::transmute::<*mut c_void, GetGlobals>(symbol))
        }
    })
}

fn exchange(globals: Globals) -> Globals {
    match globals_of_thread() {
        // SAFETY: it returns the globals of this thread, which nobody else touches.
        Some(of_thread) => unsafe { ptr::replace(of_thread(), globals) },
        None => Globals::NONE,
    }
}

#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    #[derive(Clone, Copy)]
    pub(super) struct Words {
        mxcsr: u32,
        x87: u16,
    }

    pub(super) const KNOWN: bool = true;
    /// What the ABI has a program begin with.
    pub(super) const DEFAULT: Words = Words {
        mxcsr: 0x1f80,
        x87: 0x37f,
    };

    pub(super) fn read() -> Words {
        let (mut mxcsr, mut x87) = (0u32, 0u16);
        // SAFETY: both store to the variables, and change nothing.
        unsafe {
            asm!(
                "stmxcsr [{mxcsr}]",
                "fnstcw [{x87}]",
                mxcsr = in(reg) &raw mut mxcsr,
                x87 = in(reg) &raw mut x87,
                options(nostack, preserves_flags),
            );
        }
        Words { mxcsr, x87 }
    }

    pub(super) fn write(words: Words) {
        // SAFETY: the words were read from the same registers, or are the defaults; no code of ours depends on them.
        unsafe {
            asm!(
                "ldmxcsr [{mxcsr}]",
                "fldcw [{x87}]",
                mxcsr = in(reg) &raw const words.mxcsr,
                x87 = in(reg) &raw const words.x87,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
}

#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    #[derive(Clone, Copy)]
    pub(super) struct Words(u64);

    pub(super) const KNOWN: bool = true;
    pub(super) const DEFAULT: Words = Words(0);

    pub(super) fn read() -> Words {
        let words;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, fpcr", out(reg) words, options(nomem, nostack, preserves_flags)) };
        Words(words)
    }

    pub(super) fn write(words: Words) {
        // SAFETY: as in the module for x86-64.
        unsafe { asm!("msr fpcr, {}", in(reg) words.0, options(nomem, nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control {
    #[derive(Clone, Copy)]
    pub(super) struct Words;

    pub(super) const KNOWN: bool = false;
    pub(super) const DEFAULT: Words = Words;

    pub(super) fn read() -> Words {
        Words
    }

    pub(super) fn write(_: Words) {}
}
