//! The switch for 64-bit RISC-V, with and without floating point.
//!
//! A suspended context is one word, its stack pointer. What it points to:
//!
//! ```text
//!   higher addresses
//!   |  frames of the suspended code       |
//!   |  (padding: sp stays 16-aligned)     |  sp + 24
//!   |  saved s1                           |  sp + 16
//!   |  saved s0, the frame pointer        |  sp + 8
//!   |  address to continue at             |  sp        <- Context
//! ```
//!
//! - s0 and s1 are saved by hand: inline assembly may not name the frame pointer, nor s1, which LLVM may use as base pointer.
//! - s2-s11, fs0-fs11 (where there is floating point) and ra are declared clobbered: the compiler saves those that are live around
//!   the switch. Everything else is lost in any call, the vector registers included.
//! - gp and tp belong to the program and the thread; they stay as they are, since a context stays on its thread. So does fcsr.
//!
//! The continuation is reached through t2: a jump through ra or t0 counts as a return for the return-stack predictor, and through any
//! register but t2 it would have to meet a landing pad where these are enforced (Zicfilp).

use core::arch::{asm, naked_asm};

use crate::raw::{Context, SuspendedAt};

#[inline(always)]
pub(crate) unsafe fn switch(save: *mut Context, target: Context, arg: usize) -> usize {
    let result;
    // SAFETY: the caller promises that `target` is suspended and that `save` is writable. The block saves s0 and s1 and declares every
    // other register clobbered, so nothing of this frame is lost across the switch; sp is as it was when the block is left.
    unsafe {
        asm!(
            "addi sp, sp, -32",
            "sd s1, 16(sp)",
            "sd s0, 8(sp)",
            "lla t2, 2f",
            "sd t2, 0(sp)",
            "sd sp, 0(a1)",
            "ld t2, 0(a2)",
            "mv sp, a2",
            "jr t2",
            "2:",
            "ld s0, 8(sp)",
            "ld s1, 16(sp)",
            "addi sp, sp, 32",
            inlateout("a0") arg => result,
            in("a1") save,
            in("a2") target.0,
            lateout("s2") _, lateout("s3") _, lateout("s4") _, lateout("s5") _, lateout("s6") _,
            lateout("s7") _, lateout("s8") _, lateout("s9") _, lateout("s10") _, lateout("s11") _,
            lateout("fs0") _, lateout("fs1") _, lateout("fs2") _, lateout("fs3") _, lateout("fs4") _, lateout("fs5") _,
            lateout("fs6") _, lateout("fs7") _, lateout("fs8") _, lateout("fs9") _, lateout("fs10") _, lateout("fs11") _,
            clobber_abi("C"),
        );
    }
    result
}

/// Where a context that `switch` has suspended goes on.
pub(crate) unsafe fn suspended_at(context: Context) -> SuspendedAt {
    let saved = core::ptr::with_exposed_provenance::<usize>(context.0);
    // SAFETY: the caller promises that the context is suspended, so its words lie there.
    unsafe {
        SuspendedAt {
            program_counter: saved.add(0).read(),
            stack_pointer: context.0 + 32,
            frame_pointer: saved.add(1).read(),
            base_pointer: saved.add(2).read(),
        }
    }
}

/// Leaves the current context for good.
#[inline(always)]
pub(crate) unsafe fn switch_final(target: Context, arg: usize) -> ! {
    // SAFETY: the caller promises that `target` is suspended and that nothing returns to this context.
    unsafe {
        asm!(
            "ld t2, 0(a2)",
            "mv sp, a2",
            "jr t2",
            in("a2") target.0,
            in("a0") arg,
            options(noreturn),
        )
    }
}

/// Lays out a new stack so that the first switch to it calls `entry` with the value that the switch passes, and `top`.
pub(crate) unsafe fn prepare(_limit: *mut u8, top: *mut u8, entry: *const ()) -> Context {
    // SAFETY: the caller promises that at least `raw::MIN_STACK` bytes below `top` are writable and `top` is 16-aligned.
    unsafe {
        let sp = top.cast::<usize>().sub(4);
        sp.add(0).write(trampoline as *const () as usize);
        sp.add(1).write(0);
        sp.add(2).write(entry as usize);
        sp.add(3).write(0);
        Context(sp as usize)
    }
}

/// The root frame of every stack: unwinders stop here, since its caller is declared undefined, and the chain of frame pointers ends.
///
/// It jumps to the entry, which never returns, with a return address into itself: a call would leave the return-stack predictor one
/// entry too deep, so that the resumer's own returns would miss.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".cfi_startproc",
        ".cfi_undefined ra",
        "ld t2, 16(sp)",
        "addi sp, sp, 32",
        "mv a1, sp",
        "li s0, 0",
        "lla ra, 2f",
        "jr t2",
        "unimp",
        "2:",
        "unimp",
        ".cfi_endproc",
    )
}
