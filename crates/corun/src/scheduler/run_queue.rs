//! The run queue of a worker: the started coroutines that are ready, oldest first.
//!
//! An entry is a saved context, one word: a coroutine that gives way is stored into the queue by the switch itself, and the
//! entry of the one to come is all that is needed to continue it. Only the worker's own thread touches the queue (a
//! started coroutine never leaves its thread), so there are no atomics.
//!
//! With many coroutines each switch misses the cache and the TLB on the stack that it continues. Since the queue
//! knows who comes later, [`RunQueue::pop`] prefetches the stack of the entry [`AHEAD`] places behind the front.
//! Rejected: an intrusive list, which cannot look ahead without taking the very misses that it wants to hide.

use std::cell::{Cell, UnsafeCell};

use corun_context::raw::Context;

/// How many places ahead of the front stacks are prefetched. Measured: with 1,000 stacks 4 to 24 are level; with 100,000, where each
/// takes a walk through cold page tables, 24 is a third faster than 8. See docs/architecture.md.
const AHEAD: usize = 24;

/// How much of a stack lies between the switch in a socket's operation and its caller, in bytes.
const FRAMES: usize = 640;

const INITIAL_CAPACITY: usize = 256;

pub(crate) struct RunQueue {
    /// The ring; its length is a power of two, at most half of it more than ever was in use.
    ring: UnsafeCell<Box<[Context]>>,
    /// Position of the front; positions grow without bound and are masked on access.
    head: Cell<usize>,
    tail: Cell<usize>,
}

impl RunQueue {
    pub(crate) fn new() -> RunQueue {
        RunQueue {
            ring: UnsafeCell::new(vec![Context::NONE; INITIAL_CAPACITY].into_boxed_slice()),
            head: Cell::new(0),
            tail: Cell::new(0),
        }
    }

    #[inline(always)]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.get() == self.tail.get()
    }

    pub(crate) fn len(&self) -> usize {
        self.tail.get().wrapping_sub(self.head.get())
    }

    #[inline(always)]
    fn slot(&self, position: usize) -> *mut Context {
        // SAFETY: the ring is only replaced by `grow`, on this thread, while no reference into it lives; the mask keeps
        // the index in bounds because the length is a power of two.
        unsafe {
            let ring = &mut *self.ring.get();
            let mask = ring.len() - 1;
            ring.as_mut_ptr().add(position & mask)
        }
    }

    /// Appends an entry and returns its slot, to be filled before anything else touches the queue.
    #[inline(always)]
    pub(crate) fn push_slot(&self) -> *mut Context {
        // SAFETY: reading the length of a ring that only this thread replaces.
        let capacity = unsafe { (&*self.ring.get()).len() };
        if self.len() == capacity {
            self.grow();
        }
        let tail = self.tail.get();
        self.tail.set(tail.wrapping_add(1));
        self.slot(tail)
    }

    #[inline(always)]
    pub(crate) fn push(&self, context: Context) {
        debug_assert!(context != Context::NONE);
        let slot = self.push_slot();
        // SAFETY: `push_slot` returns a valid slot.
        unsafe { slot.write(context) };
    }

    #[inline(always)]
    pub(crate) fn pop(&self) -> Option<Context> {
        let head = self.head.get();
        if head == self.tail.get() {
            return None;
        }
        // Behind the tail stands a stale entry, whose prefetch does no harm.
        // SAFETY: every slot of the ring is initialised.
        let ahead = unsafe { *self.slot(head.wrapping_add(AHEAD)) };
        prefetch(ahead.stack_pointer());
        self.head.set(head.wrapping_add(1));
        // SAFETY: the front holds an entry, since the queue is not empty.
        Some(unsafe { *self.slot(head) })
    }

    /// Prefetches the frames of the coroutine that comes after the next one. For one that comes from long work, such as system calls, as those
    /// who wait for sockets do: what `pop` has prefetched of their stacks is two lines, and they go back through several frames.
    #[inline]
    pub(crate) fn prefetch_frames(&self) {
        // SAFETY: every slot of the ring is initialised; a stale one does no harm.
        let later = unsafe { *self.slot(self.head.get().wrapping_add(1)) };
        for lines in 0..FRAMES / 128 {
            prefetch(later.stack_pointer().wrapping_add(128 * lines));
        }
    }

    #[cold]
    #[inline(never)]
    fn grow(&self) {
        let len = self.len();
        let head = self.head.get();
        // SAFETY: no reference into the ring is alive: `slot` gives out raw pointers that end before the next call.
        let ring = unsafe { &mut *self.ring.get() };
        let mut bigger = vec![Context::NONE; ring.len() * 2].into_boxed_slice();
        for (i, entry) in bigger.iter_mut().take(len).enumerate() {
            *entry = ring[head.wrapping_add(i) & (ring.len() - 1)];
        }
        *ring = bigger;
        self.head.set(0);
        self.tail.set(len);
    }
}

/// Hints that the lines at and above a suspended stack pointer are needed soon. Any address is harmless.
#[inline(always)]
pub(crate) fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch never faults and changes no state that a program can see.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address as *const i8);
        _mm_prefetch::<_MM_HINT_T0>(address.wrapping_add(64) as *const i8);
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("prfm pldl1keep, [{0}]", "prfm pldl1keep, [{0}, #64]", in(reg) address,
            options(nostack, preserves_flags));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = address;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(n: usize) -> Context {
        // SAFETY: the tests only compare contexts, they never continue one.
        unsafe { std::mem::transmute::<usize, Context>(n) }
    }

    #[test]
    fn first_in_first_out_across_growth_and_wrap_around() {
        let queue = RunQueue::new();
        let mut next_in = 1;
        let mut next_out = 1;
        for round in 0..2000 {
            for _ in 0..(round % 7) {
                queue.push(context(next_in));
                next_in += 1;
            }
            for _ in 0..(round % 5) {
                if let Some(got) = queue.pop() {
                    assert_eq!(got, context(next_out));
                    next_out += 1;
                }
            }
            assert_eq!(queue.len(), next_in - next_out);
        }
        while let Some(got) = queue.pop() {
            assert_eq!(got, context(next_out));
            next_out += 1;
        }
        assert_eq!(next_in, next_out);
        assert!(queue.is_empty());
    }
}
