//! The switch for x86-64 with the Windows ABI.
//!
//! A suspended context is one word, its stack pointer. What it points to:
//!
//! ```text
//!   higher addresses
//!   |  frames of the suspended code       |
//!   |  saved rbx                          |  sp + 56
//!   |  saved rbp                          |  sp + 48
//!   |  ExceptionList                      |  sp + 40
//!   |  StackBase                          |  sp + 32
//!   |  StackLimit                         |  sp + 24
//!   |  DeallocationStack                  |  sp + 16
//!   |  GuaranteedStackBytes               |  sp + 8
//!   |  address to continue at             |  sp        <- Context
//! ```
//!
//! - rbx and rbp are saved by hand, because inline assembly may not name them. rsi, rdi, r12-r15 and xmm6-xmm15, which a callee has to
//!   preserve on Windows, are declared clobbered: the compiler saves those that are live around the switch.
//! - The words in the middle are fields of the thread information block that describe the stack: the exception dispatcher refuses
//!   frames outside StackLimit..StackBase, stack probes grow the stack down to StackLimit, and two others serve stack overflows.
//!   ExceptionList is the chain of handlers on the stack; Windows does not use it on x86-64, but Wine does, and takes the frames
//!   of the thread's own stack for inner ones wherever they lie lower than the coroutine's.
//! - MXCSR and the x87 control word are part of the thread's state, as on other systems, and so is the thread's fiber data.
//!
//! The continuation is reached by `jmp`, not `ret`, which would miss the return-stack predictor.

use core::arch::{asm, naked_asm};

use crate::raw::Context;

#[inline(always)]
pub(crate) unsafe fn switch(save: *mut Context, target: Context, arg: usize) -> usize {
    let result;
    // SAFETY: the caller promises that `target` is suspended and that `save` is writable. The block saves rbx and rbp and declares every
    // other register clobbered, so nothing of this frame is lost across the switch; the stack pointer and the thread information block
    // are as they were when the block is left.
    unsafe {
        asm!(
            "push rbx",
            "push rbp",
            "push qword ptr gs:[0x0]",
            "push qword ptr gs:[0x8]",
            "push qword ptr gs:[0x10]",
            "push qword ptr gs:[0x1478]",
            "mov eax, gs:[0x1748]",
            "push rax",
            "lea rax, [rip + 2f]",
            "push rax",
            "mov [r8], rsp",
            "mov rsp, rdx",
            "pop rax",
            "jmp rax",
            "2:",
            "pop rax",
            "mov gs:[0x1748], eax",
            "pop qword ptr gs:[0x1478]",
            "pop qword ptr gs:[0x10]",
            "pop qword ptr gs:[0x8]",
            "pop qword ptr gs:[0x0]",
            "pop rbp",
            "pop rbx",
            inlateout("rcx") arg => result,
            in("rdx") target.0,
            in("r8") save,
            lateout("rsi") _, lateout("rdi") _,
            lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
            lateout("xmm6") _, lateout("xmm7") _, lateout("xmm8") _, lateout("xmm9") _, lateout("xmm10") _,
            lateout("xmm11") _, lateout("xmm12") _, lateout("xmm13") _, lateout("xmm14") _, lateout("xmm15") _,
            clobber_abi("win64"),
        );
    }
    result
}

/// Leaves the current context for good.
#[inline(always)]
pub(crate) unsafe fn switch_final(target: Context, arg: usize) -> ! {
    // SAFETY: the caller promises that `target` is suspended and that nothing returns to this context.
    unsafe {
        asm!(
            "mov rsp, rdx",
            "pop rax",
            "jmp rax",
            in("rdx") target.0,
            in("rcx") arg,
            options(noreturn),
        )
    }
}

/// Lays out a new stack so that the first switch to it calls `entry` with the value that the switch passes, and `top`.
///
/// Above what a suspended context has, this leaves the 32 bytes in which a callee may store its arguments, and the return
/// address 0 at which stack walks end.
pub(crate) unsafe fn prepare(limit: *mut u8, top: *mut u8, entry: *const ()) -> Context {
    // SAFETY: the caller promises that at least `raw::MIN_STACK` bytes below `top` are writable and `top` is 16-aligned.
    unsafe {
        let sp = top.cast::<usize>().sub(13);
        sp.add(0).write(trampoline as *const () as usize);
        sp.add(1).write(0);
        sp.add(2).write(limit.addr());
        sp.add(3).write(limit.addr());
        sp.add(4).write(top.addr());
        sp.add(5).write(usize::MAX); // the end of the chain
        sp.add(6).write(entry as usize);
        for word in 7..13 {
            sp.add(word).write(0);
        }
        Context(sp as usize)
    }
}

/// The root frame of every stack: its unwind information describes a frame of 40 bytes, above which `prepare` put a return address of 0.
///
/// It jumps to the entry, which never returns, with a return address into itself: a call would leave the return-stack predictor one
/// entry too deep, so that the resumer's own returns would miss.
#[unsafe(naked)]
unsafe extern "C" fn trampoline() {
    naked_asm!(
        ".seh_proc {this}",
        ".seh_stackalloc 40",
        ".seh_endprologue",
        "pop rax",
        "mov gs:[0x1748], eax",
        "pop qword ptr gs:[0x1478]",
        "pop qword ptr gs:[0x10]",
        "pop qword ptr gs:[0x8]",
        "pop qword ptr gs:[0x0]",
        "pop r8",
        "lea rdx, [rsp + 48]",
        "xor ebp, ebp",
        "lea rax, [rip + 2f]",
        "push rax",
        "jmp r8",
        "ud2",
        "2:",
        "ud2",
        ".seh_endproc",
        this = sym trampoline,
    )
}
