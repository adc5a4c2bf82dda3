//! Memory for `alloc`: blocks whose sizes are powers of two, freed ones in a list for each size.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::Cell;
use core::ptr;

/// Blocks of 16 bytes, 32 bytes and so on up to 8 MiB.
const SIZES: usize = 20;
const LEAST: usize = 16;

struct Heap {
    /// What was never given out begins here; null before the first call.
    rest: Cell<*mut u8>,
    /// Freed blocks, each with a pointer to the next.
    free: [Cell<*mut u8>; SIZES],
    in_use: Cell<usize>,
}

// SAFETY: the kernel uses one processor, and its interrupt handlers neither allocate nor free.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap {
    rest: Cell::new(ptr::null_mut()),
    free: [const { Cell::new(ptr::null_mut()) }; SIZES],
    in_use: Cell::new(0),
};

unsafe extern "C" {
    static mut heap_start: u8;
    static mut heap_end: u8;
}

/// How many bytes are given out.
pub fn in_use() -> usize {
    HEAP.in_use.get()
}

/// Which size of block serves a layout.
fn class(layout: Layout) -> usize {
    let size = layout.size().max(layout.align()).max(LEAST);
    (size.next_power_of_two() / LEAST).trailing_zeros() as usize
}

impl Heap {
    /// A block that was never used.
    fn fresh(&self, size: usize) -> *mut u8 {
        if self.rest.get().is_null() {
            self.rest.set(&raw mut heap_start);
        }
        let rest = self.rest.get();
        let end = (&raw mut heap_end).addr();
        let start = rest.addr().next_multiple_of(size);
        match start.checked_add(size) {
            Some(next) if next <= end => {
                self.rest.set(rest.with_addr(next));
                rest.with_addr(start)
            }
            _ => ptr::null_mut(),
        }
    }
}

// SAFETY: blocks are as large as asked for or larger, aligned to their size, and in no list while they are given out.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class(layout);
        let Some(free) = self.free.get(class) else {
            return ptr::null_mut();
        };
        let mut block = free.get();
        if block.is_null() {
            block = self.fresh(LEAST << class);
        } else {
            // SAFETY: a freed block begins with a pointer to the next.
            free.set(unsafe { block.cast::<*mut u8>().read() });
        }
        if !block.is_null() {
            self.in_use.set(self.in_use.get() + (LEAST << class));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let class = class(layout);
        let free = &self.free[class];
        // SAFETY: the block is no longer used, and has room for a pointer.
        unsafe { block.cast::<*mut u8>().write(free.get()) };
        free.set(block);
        self.in_use.set(self.in_use.get() - (LEAST << class));
    }
}
