//! A PC as qemu emulates it, started in 32-bit mode (PVH): serial line, HPET as clock and timer, power switch.
//!
//! Compiled for a target without SSE and without a red zone: interrupts save general registers only, and may use the stack that they meet. They have
//! one of their own all the same, through the interrupt stack table.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::time::Duration;

use corun_core::Machine;

// From 32-bit mode without paging to 64-bit mode, with the first 4 GiB mapped one to one by pages of 2 MiB.
global_asm!(
    r#"
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 8, 18 // XEN_ELFNOTE_PHYS32_ENTRY
    .asciz "Xen"
    .quad start

    .section .bss.pages, "aw", @nobits
    .balign 4096
level4: .skip 4096
level3: .skip 4096
level2: .skip 4 * 4096

    .section .rodata.gdt, "a", @progbits
    .balign 8
gdt:
    .quad 0, 0x00af9a000000ffff, 0x00cf92000000ffff
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt

    .section .text.start, "ax", @progbits
    .code32
    .global start
start:
    cld
    mov $bss_start, %edi
    mov $bss_end, %ecx
    sub %edi, %ecx
    xor %eax, %eax
    rep stosb

    movl $level3 + 3, level4
    mov $level3, %edi
    mov $level2 + 3, %eax
1:  mov %eax, (%edi)
    add $8, %edi
    add $4096, %eax
    cmp $level3 + 4 * 8, %edi
    jne 1b
    mov $level2, %edi
    mov $0x83, %eax
2:  mov %eax, (%edi)
    add $8, %edi
    add $0x200000, %eax
    jnc 2b

    mov %cr4, %eax
    or $0x20, %eax // physical address extension
    mov %eax, %cr4
    mov $level4, %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax // long mode
    wrmsr
    mov %cr0, %eax
    or $0x80000001, %eax // paging
    mov %eax, %cr0
    lgdt gdt_pointer
    ljmp $0x08, $long

    .code64
long:
    mov $0x10, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $stack_top, %esp
    call boot
    ud2

    .section .text.interrupts, "ax", @progbits
    .macro interrupt name, handler
    .global \name
\name:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %r8
    push %r9
    push %r10
    push %r11
    cld
    call \handler
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    iretq
    .endm
    interrupt timer_entry, timer
    interrupt software_entry, software

    // One entry of 16 bytes for each of the 32 exceptions.
    .global exceptions
    .balign 16
exceptions:
    .set vector, 0
    .rept 32
    .balign 16
    push $vector
    jmp exception_entry
    .set vector, vector + 1
    .endr
exception_entry:
    mov %rsp, %rdi
    mov %cr2, %rsi
    and $-16, %rsp
    cld
    call exception
    "#,
    options(att_syntax)
);

unsafe extern "C" {
    static interrupt_stack_top: u8;
    fn exceptions();
    fn timer_entry();
    fn software_entry();
}

/// Where the legacy interrupt controller puts its first interrupt, the timer's.
const TIMER: u8 = 0x20;
const SOFTWARE: u8 = 0x40;

/// What the processor reads.
struct Tables {
    gdt: [u64; 5],
    tss: [u32; 26],
    idt: [[u64; 2]; 256],
}

#[repr(align(16))]
struct Shared(UnsafeCell<Tables>);

// SAFETY: written once, before interrupts are taken; after that only the processor reads it.
unsafe impl Sync for Shared {}

static TABLES: Shared = Shared(UnsafeCell::new(Tables {
    gdt: [0, 0x00af_9a00_0000_ffff, 0x00cf_9200_0000_ffff, 0, 0],
    tss: [0; 26],
    idt: [[0; 2]; 256],
}));

/// What `lgdt` and `lidt` load.
#[repr(C, packed)]
struct Pointer(u16, u64);

/// An interrupt gate: segment 8, stack 1 of the table, interrupts masked.
fn gate(handler: u64) -> [u64; 2] {
    let low = handler & 0xffff | 8 << 16 | 1 << 32 | 0x8e << 40 | (handler >> 16 & 0xffff) << 48;
    [low, handler >> 32]
}

impl Tables {
    fn fill(&mut self) {
        let stack = (&raw const interrupt_stack_top).addr() as u64;
        self.tss[9] = stack as u32; // IST1
        self.tss[10] = (stack >> 32) as u32;
        let (tss, size) = (
            (&raw const self.tss).addr() as u64,
            size_of_val(&self.tss) as u64,
        );
        self.gdt[3] = (size - 1) | (tss & 0xff_ffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56;
        self.gdt[4] = tss >> 32;
        for vector in 0..32 {
            self.idt[vector] = gate(exceptions as *const () as u64 + 16 * vector as u64);
        }
        self.idt[usize::from(TIMER)] = gate(timer_entry as *const () as u64);
        self.idt[usize::from(SOFTWARE)] = gate(software_entry as *const () as u64);
    }

    /// # Safety
    /// The tables are filled, and stay.
    unsafe fn load(&self) {
        let gdt = Pointer(
            size_of_val(&self.gdt) as u16 - 1,
            (&raw const self.gdt).addr() as u64,
        );
        let idt = Pointer(
            size_of_val(&self.idt) as u16 - 1,
            (&raw const self.idt).addr() as u64,
        );
        // SAFETY: the segments in use are the same in the new table.
        unsafe {
            asm!("lgdt [{}]", "lidt [{}]", "ltr {:x}", in(reg) &gdt, in(reg) &idt, in(reg) 0x18u16);
        }
    }
}

/// The event timer.
mod hpet {
    const BASE: usize = 0xfed0_0000;
    const PERIOD: usize = 0x4;
    const CONFIGURATION: usize = 0x10;
    const COUNTER: usize = 0xf0;
    const TIMER_CONFIGURATION: usize = 0x100;
    const TIMER_COMPARATOR: usize = 0x108;
    /// The timer interrupts.
    const INTERRUPT: u32 = 1 << 2;

    /// Registers of 64 bits are two of 32.
    fn register(offset: usize) -> *mut u32 {
        core::ptr::with_exposed_provenance_mut(BASE + offset)
    }

    fn read(offset: usize) -> u32 {
        // SAFETY: a register of the event timer, which is mapped.
        unsafe { register(offset).read_volatile() }
    }

    fn write(offset: usize, value: u32) {
        // SAFETY: as above.
        unsafe { register(offset).write_volatile(value) }
    }

    /// Runs the counter, and puts the first timer in the place of the PC's old one.
    pub fn start() {
        write(TIMER_CONFIGURATION, 0);
        write(CONFIGURATION, 3);
    }

    /// Nanoseconds of a tick. It is 10 ns with qemu.
    pub fn tick() -> u64 {
        u64::from(read(PERIOD) / 1_000_000)
    }

    pub fn counter() -> u64 {
        loop {
            let (high, low) = (read(COUNTER + 4), read(COUNTER));
            if read(COUNTER + 4) == high {
                return u64::from(high) << 32 | u64::from(low);
            }
        }
    }

    /// Interrupts when the counter gets there; not if it has already passed it.
    pub fn interrupt_at(counter: u64) {
        write(TIMER_COMPARATOR, counter as u32);
        write(TIMER_COMPARATOR + 4, (counter >> 32) as u32);
        write(TIMER_CONFIGURATION, INTERRUPT);
    }

    pub fn silence() {
        write(TIMER_CONFIGURATION, 0);
    }
}

/// # Safety
/// As the device behind the port asks.
unsafe fn out(port: u16, value: u8) {
    // SAFETY: promised by the caller.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack)) }
}

/// Goes on where the boot code has set up a stack and 64-bit mode.
#[unsafe(no_mangle)]
extern "C" fn boot() -> ! {
    let tables = TABLES.0.get();
    // SAFETY: nobody else uses the tables yet.
    unsafe {
        (*tables).fill();
        (*tables).load();
    }
    // The interrupt controller: 16 interrupts from TIMER on, all but the timer masked.
    for (port, value) in [
        (0x20, 0x11),
        (0x21, TIMER),
        (0x21, 4),
        (0x21, 1),
        (0x21, 0xfe),
        (0xa0, 0x11),
        (0xa1, TIMER + 8),
        (0xa1, 2),
        (0xa1, 1),
        (0xa1, 0xff),
    ] {
        // SAFETY: how it is set up.
        unsafe { out(port, value) };
    }
    hpet::start();
    // SAFETY: the handlers are in place.
    unsafe { asm!("sti") };
    crate::kernel()
}

/// The handler of the timer's interrupt.
#[unsafe(no_mangle)]
extern "C" fn timer() {
    hpet::silence();
    super::timer_has_fired();
    // SAFETY: tells the interrupt controller that this interrupt has been dealt with.
    unsafe { out(0x20, 0x20) };
}

/// The handler of the interrupt that `raise_interrupt` raises.
#[unsafe(no_mangle)]
extern "C" fn software() {
    super::notify();
}

/// What the processor pushes and the entry adds; with some exceptions there is an error code in between.
#[unsafe(no_mangle)]
extern "C" fn exception(frame: &[u64; 3], address: u64) -> ! {
    let [vector, first, second] = *frame;
    panic!("exception {vector}, {first:#x} {second:#x}, address {address:#x}")
}

/// Sets the timer to some microseconds from now.
pub fn interrupt_soon() {
    hpet::interrupt_at(hpet::counter() + 4_000);
}

/// Interrupts this processor.
pub fn raise_interrupt() {
    // SAFETY: its handler returns with all registers as they were.
    unsafe { asm!("int {}", const SOFTWARE) }
}

/// Sends a byte over the serial line.
pub fn put(byte: u8) {
    // SAFETY: the register of the first serial line; qemu's is always ready.
    unsafe { out(0x3f8, byte) }
}

/// Ends the emulation, with exit status 0 if all went well, else 1.
pub fn power_off(well: bool) -> ! {
    // SAFETY: the power switch, or the device that `tools/boot-kernel` adds for failures.
    unsafe {
        if well {
            asm!("out dx, ax", in("dx") 0x604u16, in("ax") 0x2000u16);
        } else {
            out(0xf4, 0);
        }
    }
    loop {
        core::hint::spin_loop();
    }
}

/// The machine as the executor sees it.
pub struct Clock;

impl Machine for Clock {
    fn now(&self) -> Duration {
        Duration::from_nanos(hpet::counter() * hpet::tick())
    }

    fn wait(&self, deadline: Option<Duration>, woken: &dyn Fn() -> bool) {
        // SAFETY: interrupts are masked from before `woken` is asked until `hlt` has begun, since `sti` unmasks them one instruction late.
        unsafe { asm!("cli") };
        let sleeps = !woken() && deadline.is_none_or(set_timer);
        // SAFETY: as above.
        unsafe {
            if sleeps {
                asm!("sti", "hlt");
            } else {
                asm!("sti");
            }
        }
    }
}

/// Returns false if the moment has passed, or passed just now, so that the interrupt may not come.
fn set_timer(deadline: Duration) -> bool {
    let tick = u128::from(hpet::tick());
    let counter = u64::try_from(deadline.as_nanos().div_ceil(tick)).unwrap_or(u64::MAX);
    hpet::interrupt_at(counter);
    hpet::counter() < counter
}
