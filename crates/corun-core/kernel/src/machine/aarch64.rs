//! qemu's machine `virt` for AArch64, at exception level 1: serial line, virtual timer, software interrupts of the interrupt controller (GICv2).
//!
//! Code runs on `SP_EL0`, so that interrupts, which use `SP_EL1`, have a stack of their own.

use core::arch::{asm, global_asm};
use core::sync::atomic::{AtomicU32, Ordering};
use core::time::Duration;

use corun_core::Machine;

/// The serial line: a byte written here is sent.
const UART: *mut u8 = 0x0900_0000 as *mut u8;

/// Registers of the interrupt controller: its distributor's, and the processor's.
const DISTRIBUTOR_CONTROL: *mut u32 = 0x0800_0000 as *mut u32;
const DISTRIBUTOR_ENABLE: *mut u32 = 0x0800_0100 as *mut u32;
const DISTRIBUTOR_SOFTWARE: *mut u32 = 0x0800_0f00 as *mut u32;
const PROCESSOR_CONTROL: *mut u32 = 0x0801_0000 as *mut u32;
const PROCESSOR_PRIORITY: *mut u32 = 0x0801_0004 as *mut u32;
const PROCESSOR_ACKNOWLEDGE: *mut u32 = 0x0801_000c as *mut u32;
const PROCESSOR_END: *mut u32 = 0x0801_0010 as *mut u32;

const SOFTWARE: u32 = 1;
const TIMER: u32 = 27;
/// What acknowledging gives when there is nothing.
const NONE: u32 = 1023;

// Switches on floating point and the memory management unit, with the first GiB mapped one to one as devices and the second as memory: without that, all
// memory is device memory, where exclusive accesses need not work. An interrupt saves what the ABI lets a function change.
global_asm!(
    r#"
    .section .bss.pages, "aw", @nobits
    .balign 4096
level1: .skip 4096

    .section .text.start, "ax", @progbits
    .global start
start:
    mov x0, #3 << 20
    msr cpacr_el1, x0
    isb
    adrp x0, bss_start
    add x0, x0, :lo12:bss_start
    adrp x1, bss_end
    add x1, x1, :lo12:bss_end
1:  cmp x0, x1
    b.hs 2f
    stp xzr, xzr, [x0], #16
    b 1b
2:
    adrp x0, level1
    mov x1, #0x405 // a block, accessed, of the second kind in mair_el1
    mov x2, #0x40000000
    movk x2, #0x701 // a block, accessed, shared, of the first kind
    stp x1, x2, [x0]
    mov x1, #0xff // memory that is cached; devices
    msr mair_el1, x1
    ldr x1, =0x00803519 // 39 bits of address, pages of 4 KiB, no upper half
    msr tcr_el1, x1
    msr ttbr0_el1, x0
    dsb sy
    isb
    tlbi vmalle1
    dsb sy
    isb
    mrs x0, sctlr_el1
    mov x1, #0x1005 // memory management, data and instruction caches
    orr x0, x0, x1
    msr sctlr_el1, x0
    isb

    adrp x0, interrupt_stack_top
    add x0, x0, :lo12:interrupt_stack_top
    msr spsel, #1
    mov sp, x0
    msr spsel, #0
    adrp x0, stack_top
    add x0, x0, :lo12:stack_top
    mov sp, x0
    adrp x0, vectors
    add x0, x0, :lo12:vectors
    msr vbar_el1, x0
    isb
    bl boot
    .inst 0

    .section .text.vectors, "ax", @progbits
    .balign 2048
vectors:
    // Of this level, on SP_EL0: an exception, an interrupt.
    b exception_entry
    .balign 128
    b interrupt_entry
    // All others do not happen.
    .rept 14
    .balign 128
    b exception_entry
    .endr

exception_entry:
    mrs x0, esr_el1
    mrs x1, elr_el1
    mrs x2, far_el1
    bl exception

interrupt_entry:
    sub sp, sp, #576
    stp x0, x1, [sp, #0]
    stp x2, x3, [sp, #16]
    stp x4, x5, [sp, #32]
    stp x6, x7, [sp, #48]
    stp x8, x9, [sp, #64]
    stp x10, x11, [sp, #80]
    stp x12, x13, [sp, #96]
    stp x14, x15, [sp, #112]
    stp x16, x17, [sp, #128]
    stp x18, x30, [sp, #144]
    stp q0, q1, [sp, #160]
    stp q2, q3, [sp, #192]
    stp q4, q5, [sp, #224]
    stp q6, q7, [sp, #256]
    stp q16, q17, [sp, #288]
    stp q18, q19, [sp, #320]
    stp q20, q21, [sp, #352]
    stp q22, q23, [sp, #384]
    stp q24, q25, [sp, #416]
    stp q26, q27, [sp, #448]
    stp q28, q29, [sp, #480]
    stp q30, q31, [sp, #512]
    mrs x0, fpsr
    mrs x1, fpcr
    str x0, [sp, #544]
    str x1, [sp, #552]
    bl interrupted
    ldr x0, [sp, #544]
    ldr x1, [sp, #552]
    msr fpsr, x0
    msr fpcr, x1
    ldp q30, q31, [sp, #512]
    ldp q28, q29, [sp, #480]
    ldp q26, q27, [sp, #448]
    ldp q24, q25, [sp, #416]
    ldp q22, q23, [sp, #384]
    ldp q20, q21, [sp, #352]
    ldp q18, q19, [sp, #320]
    ldp q16, q17, [sp, #288]
    ldp q6, q7, [sp, #256]
    ldp q4, q5, [sp, #224]
    ldp q2, q3, [sp, #192]
    ldp q0, q1, [sp, #160]
    ldp x18, x30, [sp, #144]
    ldp x16, x17, [sp, #128]
    ldp x14, x15, [sp, #112]
    ldp x12, x13, [sp, #96]
    ldp x10, x11, [sp, #80]
    ldp x8, x9, [sp, #64]
    ldp x6, x7, [sp, #48]
    ldp x4, x5, [sp, #32]
    ldp x2, x3, [sp, #16]
    ldp x0, x1, [sp, #0]
    add sp, sp, #576
    eret
    "#
);

/// Goes on where the boot code has set up a stack.
#[unsafe(no_mangle)]
extern "C" fn boot() -> ! {
    // SAFETY: how the interrupt controller is set up; the handlers are in place.
    unsafe {
        DISTRIBUTOR_ENABLE.write_volatile(1 << SOFTWARE | 1 << TIMER);
        DISTRIBUTOR_CONTROL.write_volatile(1);
        PROCESSOR_PRIORITY.write_volatile(0xff);
        PROCESSOR_CONTROL.write_volatile(1);
        asm!("msr daifclr, #2");
    }
    crate::kernel()
}

static SOFTWARE_INTERRUPTS: AtomicU32 = AtomicU32::new(0);

/// The handler of all interrupts.
#[unsafe(no_mangle)]
extern "C" fn interrupted() {
    // SAFETY: acknowledges what interrupts, and silences the timer, which the executor sets anew before it waits again.
    unsafe {
        let what = PROCESSOR_ACKNOWLEDGE.read_volatile();
        match what & 0x3ff {
            TIMER => {
                asm!("msr cntv_ctl_el0, xzr", "isb");
                super::timer_has_fired();
            }
            SOFTWARE => {
                super::notify();
                SOFTWARE_INTERRUPTS.fetch_add(1, Ordering::Relaxed);
            }
            NONE => return,
            other => panic!("interrupt {other}"),
        }
        PROCESSOR_END.write_volatile(what);
    }
}

/// Everything else that could come.
#[unsafe(no_mangle)]
extern "C" fn exception(syndrome: u64, at: u64, address: u64) -> ! {
    panic!("exception {syndrome:#x} at {at:#x}, address {address:#x}")
}

/// Sets the timer to some microseconds from now.
pub fn interrupt_soon() {
    set_timer_to(counter() + 2_500);
}

/// Interrupts this processor.
pub fn raise_interrupt() {
    let before = SOFTWARE_INTERRUPTS.load(Ordering::Relaxed);
    // SAFETY: asks the interrupt controller for it.
    unsafe { DISTRIBUTOR_SOFTWARE.write_volatile(2 << 24 | SOFTWARE) };
    while SOFTWARE_INTERRUPTS.load(Ordering::Relaxed) == before {
        core::hint::spin_loop();
    }
}

/// Sends a byte over the serial line.
pub fn put(byte: u8) {
    // SAFETY: the register of the serial line; qemu's is always ready.
    unsafe { UART.write_volatile(byte) }
}

/// Ends the emulation, with exit status 0 if all went well, else 1.
pub fn power_off(well: bool) -> ! {
    const EXIT: u64 = 0x18;
    const APPLICATION_EXIT: u64 = 0x20026;
    let how = [APPLICATION_EXIT, u64::from(!well)];
    // SAFETY: a call to the emulator (semihosting), which reads `how`.
    unsafe { asm!("hlt #0xf000", in("x0") EXIT, in("x1") &how) };
    loop {
        core::hint::spin_loop();
    }
}

/// The machine as the executor sees it.
pub struct Clock;

const NANOSECONDS: u128 = 1_000_000_000;

fn counter() -> u64 {
    let counter: u64;
    // SAFETY: reads a register.
    unsafe { asm!("isb", "mrs {}, cntvct_el0", out(reg) counter, options(nostack)) };
    counter
}

fn frequency() -> u128 {
    let frequency: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, cntfrq_el0", out(reg) frequency, options(nomem, nostack)) };
    frequency.into()
}

impl Machine for Clock {
    fn now(&self) -> Duration {
        // In 64 bits, nanoseconds last for 584 years.
        Duration::from_nanos((u128::from(counter()) * NANOSECONDS / frequency()) as u64)
    }

    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
        // SAFETY: masked, an interrupt stays pending, and `wfi` returns while one is. So none that comes after `woken` was asked is slept through, and
        // those that are pending are handled as soon as they are unmasked.
        unsafe {
            asm!("msr daifset, #2");
            if !woken() {
                if let Some(deadline) = deadline {
                    set_timer(deadline);
                }
                asm!("wfi");
            }
            asm!("msr daifclr, #2");
        }
    }
}

/// The interrupt comes at once if the moment has passed.
fn set_timer(deadline: Duration) {
    let counter = deadline
        .as_nanos()
        .saturating_mul(frequency())
        .div_ceil(NANOSECONDS);
    set_timer_to(u64::try_from(counter).unwrap_or(u64::MAX));
}

fn set_timer_to(counter: u64) {
    // SAFETY: sets the timer, whose interrupt there is a handler for.
    unsafe {
        asm!("msr cntv_cval_el0, {}", "msr cntv_ctl_el0, {}", "isb", in(reg) counter, in(reg) 1u64)
    }
}
