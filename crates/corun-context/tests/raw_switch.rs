//! The bare switch passes values both ways.

use corun_context::raw::{self, Context};

static mut MAIN: Context = Context::NONE;
static mut OTHER: Context = Context::NONE;

unsafe extern "C" fn adder(first: usize) -> ! {
    let mut value = first;
    loop {
        // SAFETY: `MAIN` was saved by the test, on this thread, and is suspended while this runs.
        value = unsafe { raw::switch(&raw mut OTHER, MAIN, value + 1) };
    }
}

#[test]
fn values_travel_both_ways() {
    let mut stack = vec![0u128; 4096];
    let top = stack.as_mut_ptr_range().end.cast::<u8>();
    // SAFETY: the stack is 64 KiB, aligned, and outlives the context, which is never continued after the test.
    unsafe {
        OTHER = raw::prepare(top, adder);
        for n in 0..1000 {
            assert_eq!(raw::switch(&raw mut MAIN, OTHER, n), n + 1);
        }
    }
}
