//! qemu's machine `virt` for RISC-V, in machine mode and with no firmware below: serial line, timer, software interrupt and power switch.

use core::arch::{asm, global_asm};
use core::time::Duration;

use corun_core::Machine;

/// The serial line: a byte written here is sent.
const UART: *mut u8 = 0x1000_0000 as *mut u8;
/// Writing here ends the emulation.
const POWER: *mut u32 = 0x0010_0000 as *mut u32;
/// Writing 1 here raises the software interrupt of processor 0, and 0 takes it back.
const SOFTWARE_INTERRUPT: *mut u32 = 0x0200_0000 as *mut u32;
/// The timer interrupt of processor 0 is pending while the clock is not below this.
const TIMER: *mut u64 = 0x0200_4000 as *mut u64;
/// The clock, in ticks of 100 ns.
const CLOCK: *const u64 = 0x0200_bff8 as *const u64;
const TICK: u64 = 100;

/// `mstatus.MIE`: interrupts are taken.
const INTERRUPTS: usize = 1 << 3;
/// `mie.MSIE` and `mie.MTIE`: software and timer interrupts are.
const SOURCES: usize = 1 << 3 | 1 << 7;
const CAUSE_SOFTWARE: usize = 1 << 63 | 3;
const CAUSE_TIMER: usize = 1 << 63 | 7;

// Processor 0 goes on, others sleep for ever. Floating point has to be switched on, since this is compiled for riscv64gc: the executor's switch, like any
// function, keeps those of its registers that the ABI says. An interrupt saves what the ABI lets a function change, on a stack of its own.
global_asm!(
    r#"
    .attribute arch, "rv64gc" // The assembler of an optimised build does not look at the target.
    .section .text.start
    .global start
start:
    csrr t0, mhartid
    bnez t0, 4f
    .option push
    .option norelax
    la gp, __global_pointer$
    .option pop
    li t0, 1 << 13
    csrs mstatus, t0
    csrw fcsr, zero
    la t0, bss_start
    la t1, bss_end
2:  bgeu t0, t1, 3f
    sd zero, 0(t0)
    addi t0, t0, 8
    j 2b
3:  la sp, stack_top
    la t0, interrupt_stack_top
    csrw mscratch, t0
    la t0, trap
    csrw mtvec, t0
    csrwi mie, 0
    call boot
4:  wfi
    j 4b

    .macro each_integer instruction
    \instruction ra, 0(sp)
    \instruction t0, 8(sp)
    \instruction t1, 16(sp)
    \instruction t2, 24(sp)
    \instruction t3, 32(sp)
    \instruction t4, 40(sp)
    \instruction t5, 48(sp)
    \instruction t6, 56(sp)
    \instruction a0, 64(sp)
    \instruction a1, 72(sp)
    \instruction a2, 80(sp)
    \instruction a3, 88(sp)
    \instruction a4, 96(sp)
    \instruction a5, 104(sp)
    \instruction a6, 112(sp)
    \instruction a7, 120(sp)
    .endm
    .macro each_float instruction
    \instruction ft0, 128(sp)
    \instruction ft1, 136(sp)
    \instruction ft2, 144(sp)
    \instruction ft3, 152(sp)
    \instruction ft4, 160(sp)
    \instruction ft5, 168(sp)
    \instruction ft6, 176(sp)
    \instruction ft7, 184(sp)
    \instruction ft8, 192(sp)
    \instruction ft9, 200(sp)
    \instruction ft10, 208(sp)
    \instruction ft11, 216(sp)
    \instruction fa0, 224(sp)
    \instruction fa1, 232(sp)
    \instruction fa2, 240(sp)
    \instruction fa3, 248(sp)
    \instruction fa4, 256(sp)
    \instruction fa5, 264(sp)
    \instruction fa6, 272(sp)
    \instruction fa7, 280(sp)
    .endm

    .section .text.trap
    .balign 4
trap:
    csrrw sp, mscratch, sp
    addi sp, sp, -304
    each_integer sd
    each_float fsd
    frcsr t0
    sd t0, 288(sp)
    csrr a0, mcause
    csrr a1, mepc
    csrr a2, mtval
    call interrupted
    ld t0, 288(sp)
    fscsr t0
    each_float fld
    each_integer ld
    addi sp, sp, 304
    csrrw sp, mscratch, sp
    mret
    "#
);

/// Goes on where the boot code has set up a stack.
#[unsafe(no_mangle)]
extern "C" fn boot() -> ! {
    // SAFETY: this is how the timer is silenced, and from here on the handler can deal with the two interrupts.
    unsafe {
        TIMER.write_volatile(u64::MAX);
        asm!("csrw mie, {}", in(reg) SOURCES);
        asm!("csrs mstatus, {}", in(reg) INTERRUPTS);
    }
    crate::kernel()
}

/// The handler of everything that interrupts, on the stack for interrupts and with no other interrupt in between.
#[unsafe(no_mangle)]
extern "C" fn interrupted(cause: usize, at: usize, value: usize) {
    match cause {
        CAUSE_TIMER => {
            // SAFETY: silences the timer. The executor sets it anew before it waits again.
            unsafe { TIMER.write_volatile(u64::MAX) };
            super::timer_has_fired();
        }
        CAUSE_SOFTWARE => {
            // SAFETY: takes the interrupt back.
            unsafe { SOFTWARE_INTERRUPT.write_volatile(0) };
            super::notify();
        }
        _ => panic!("exception {cause:#x} at {at:#x}, value {value:#x}"),
    }
}

/// Sets the timer to some microseconds from now.
pub fn interrupt_soon() {
    // SAFETY: the registers of the clock and the timer.
    unsafe { TIMER.write_volatile(CLOCK.read_volatile() + 400) }
}

/// Interrupts this processor.
pub fn raise_interrupt() {
    // SAFETY: it is taken at once or a few instructions later; the fence and the read see to it that it has arrived.
    unsafe {
        SOFTWARE_INTERRUPT.write_volatile(1);
        while SOFTWARE_INTERRUPT.read_volatile() != 0 {}
    }
}

/// Sends a byte over the serial line.
pub fn put(byte: u8) {
    // SAFETY: the register of the serial line; qemu's is always ready.
    unsafe { UART.write_volatile(byte) }
}

/// Ends the emulation, with exit status 0 if all went well, else 1.
pub fn power_off(well: bool) -> ! {
    // SAFETY: the register of the power switch.
    unsafe { POWER.write_volatile(if well { 0x5555 } else { 1 << 16 | 0x3333 }) };
    loop {
        core::hint::spin_loop();
    }
}

/// The machine as the executor sees it.
pub struct Clock;

impl Machine for Clock {
    fn now(&self) -> Duration {
        // SAFETY: the register of the clock.
        Duration::from_nanos(unsafe { CLOCK.read_volatile() } * TICK)
    }

    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
        // SAFETY: masked, an interrupt stays pending, and `wfi` returns while one is. So none that comes after `woken` was asked is slept through, and
        // those that are pending are handled as soon as they are unmasked.
        unsafe {
            asm!("csrc mstatus, {}", in(reg) INTERRUPTS);
            if !woken() {
                TIMER.write_volatile(deadline.map_or(u64::MAX, ticks));
                asm!("wfi");
            }
            asm!("csrs mstatus, {}", in(reg) INTERRUPTS);
        }
    }
}

/// Rounded up, so that no timer is early.
fn ticks(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos().div_ceil(TICK.into())).unwrap_or(u64::MAX)
}
