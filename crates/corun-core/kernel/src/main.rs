//! The smallest kernel that shows what corun-core does in one: it boots, runs coroutines that alternate, wait for timers and are woken by an interrupt,
//! says so on the serial line, and powers the machine off. `tools/boot-kernel` runs it and compares what it says with `expected.txt`.
#![no_std]
#![no_main]

extern crate alloc;

mod demo;
mod heap;
mod machine;

use core::fmt::{self, Write};
use core::panic::PanicInfo;

/// The serial line.
struct Serial;

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(machine::put);
        Ok(())
    }
}

macro_rules! println {
    ($($argument:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::Serial, $($argument)*); // It cannot fail.
    }};
}
pub(crate) use println;

/// Called by the boot code, on the stack and with the registers that the linker script and the ABI ask for.
#[unsafe(no_mangle)]
extern "C" fn kernel() -> ! {
    demo::run();
    println!("power off");
    machine::power_off(true)
}

#[panic_handler]
fn panic(info: &PanicInfo) -> ! {
    println!("{info}");
    machine::power_off(false)
}
