//! The switch for AArch64 with the procedure call standard of Arm (AAPCS64), as Linux, the BSDs and macOS use it.
//!
//! A suspended context is one word, its stack pointer. What it points to:
//!
//! ```text
//!   higher addresses
//!   |  frames of the suspended code       |
//!   |  (padding: sp stays 16-aligned)     |  sp + 24
//!   |  address to continue at             |  sp + 16
//!   |  saved x29, the frame pointer       |  sp + 8
//!   |  saved x19                          |  sp        <- Context
//! ```
//!
//! - x29 and x19 are saved by hand: inline assembly may not name the frame pointer, nor x19, which LLVM may use as base pointer.
//! - x20-x28, d8-d15 (the halves of v8-v15 that a callee has to preserve) and x30, the link register, are declared clobbered: the
//!   compiler saves those that are live around the switch. Everything else is lost in any call.
//! - x18 belongs to the platform; it stays as it is, since a context stays on its thread. So do FPCR and TPIDR_EL0.
//!
//! The continuation is reached by `br x17`, not `ret`, which would miss the return-stack predictor. A branch through x17 may land on
//! `bti c` or `bti j` where branch targets are enforced; these are hints, which do nothing elsewhere. Return addresses that were signed
//! (PAC) lie in frames that are left and entered at the same sp that signed them; the continuation address itself is not signed.

use core::arch::{asm, naked_asm};

use crate::raw::{Context, SuspendedAt};

#[inline(always)]
pub(crate) unsafe fn switch(save: *mut Context, target: Context, arg: usize) -> usize {
    let result;
    // SAFETY: the caller promises that `target` is suspended and that `save` is writable. The block saves x19 and x29 and declares every
    // other register clobbered, so nothing of this frame is lost across the switch; sp is as it was when the block is left.
    unsafe {
        asm!(
            "stp x19, x29, [sp, #-32]!",
            "adr x17, 2f",
            "str x17, [sp, #16]",
            "mov x16, sp",
            "str x16, [x1]",
            "ldr x17, [x2, #16]",
            "mov sp, x2",
            "br x17",
            "2:",
            "hint #36", // bti j
            "ldp x19, x29, [sp], #32",
            inlateout("x0") arg => result,
            in("x1") save,
            in("x2") target.0,
            lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _, lateout("x24") _,
            lateout("x25") _, lateout("x26") _, lateout("x27") _, lateout("x28") _,
            lateout("v8") _, lateout("v9") _, lateout("v10") _, lateout("v11") _,
            lateout("v12") _, lateout("v13") _, lateout("v14") _, lateout("v15") _,
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
            program_counter: saved.add(2).read(),
            stack_pointer: context.0 + 32,
            frame_pointer: saved.add(1).read(),
            base_pointer: saved.add(0).read(),
        }
    }
}

/// Leaves the current context for good.
#[inline(always)]
pub(crate) unsafe fn switch_final(target: Context, arg: usize) -> ! {
    // SAFETY: the caller promises that `target` is suspended and that nothing returns to this context.
    unsafe {
        asm!(
            "ldr x17, [x2, #16]",
            "mov sp, x2",
            "br x17",
            in("x2") target.0,
            in("x0") arg,
            options(noreturn),
        )
    }
}

/// Lays out a new stack so that the first switch to it calls `entry` with the value that the switch passes, and `top`.
pub(crate) unsafe fn prepare(_limit: *mut u8, top: *mut u8, entry: *const ()) -> Context {
    // SAFETY: the caller promises that at least `raw::MIN_STACK` bytes below `top` are writable and `top` is 16-aligned.
    unsafe {
        let sp = top.cast::<usize>().sub(4);
        sp.add(0).write(entry as usize);
        sp.add(1).write(0);
        sp.add(2).write(trampoline as *const () as usize);
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
        ".cfi_undefined x30",
        "hint #38", // bti jc
        "ldr x17, [sp], #32",
        "mov x1, sp",
        "mov x29, xzr",
        "adr x30, 2f",
        "br x17",
        "brk #1",
        "2:",
        "brk #1",
        ".cfi_endproc",
    )
}
