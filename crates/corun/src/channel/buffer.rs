//! The messages of a channel: a ring for a bounded one, a chain of blocks for an unbounded one.
//!
//! Both are made of blocks: slots, and behind them a footer that says which block comes next. A ring is one block that is followed by
//! itself. So the paths of both are the same, and they learn of a block's end by comparing two pointers.
//!
//! A block of a chain that is used up becomes the one that follows the last, if that has none: so a channel that is neither growing nor
//! shrinking allocates nothing. Nothing is allocated or freed here but by [`new_block`], [`free_block`] and `Drop`: the caller does so outside
//! of its lock.
//!
//! Rejected: a growing ring for the unbounded channel, which copies all messages under the lock when it grows, and never shrinks.

use std::alloc::{self, Layout};
use std::marker::PhantomData;
use std::ptr;

/// How many slots a block of a chain has.
const CHAIN: usize = 32;

/// Behind the slots of a block.
struct Footer {
    /// The first slot of the block that follows.
    next: *mut u8,
}

/// The first slots of blocks, which also name the blocks.
pub(super) struct Buffer<T> {
    head: *mut u8,
    head_end: *mut u8,
    tail: *mut u8,
    tail_end: *mut u8,
    _messages: PhantomData<T>,
}

/// From slot to slot. Also messages without a size move the pointers.
const fn stride<T>() -> usize {
    if size_of::<T>() == 0 {
        align_of::<T>()
    } else {
        size_of::<T>()
    }
}

/// A block's layout, and where in it the footer is.
fn layout<T>(slots: usize) -> Option<(Layout, usize)> {
    let size = slots.checked_mul(stride::<T>())?;
    let slots = Layout::from_size_align(size, align_of::<T>()).ok()?;
    let (layout, footer) = slots.extend(Layout::new::<Footer>()).ok()?;
    Some((layout, footer))
}

/// The footer of the block whose slots end here.
#[inline(always)]
fn footer(end: *mut u8) -> *mut Footer {
    end.map_addr(|end| end.next_multiple_of(align_of::<Footer>()))
        .cast()
}

fn allocate<T>(slots: usize, followed_by_itself: bool) -> *mut u8 {
    let Some((layout, footer)) = layout::<T>(slots) else {
        panic!("the capacity of a channel is more than memory can be");
    };
    // SAFETY: a footer has a size.
    let block = unsafe { alloc::alloc(layout) };
    if block.is_null() {
        alloc::handle_alloc_error(layout);
    }
    let next = if followed_by_itself {
        block
    } else {
        ptr::null_mut()
    };
    // SAFETY: the layout has room for it there.
    unsafe { block.add(footer).cast::<Footer>().write(Footer { next }) };
    block
}

unsafe fn free<T>(block: *mut u8, slots: usize) {
    if let Some((layout, _)) = layout::<T>(slots) {
        // SAFETY: as the caller promises, it came from `allocate` with as many slots.
        unsafe { alloc::dealloc(block, layout) };
    }
}

/// A block for [`Buffer::extend`].
pub(super) fn new_block<T>() -> *mut u8 {
    allocate::<T>(CHAIN, false)
}

/// Frees a block of a chain; null is none.
///
/// # Safety
/// `block` came from `pop` or `new_block`, and nobody uses it.
pub(super) unsafe fn free_block<T>(block: *mut u8) {
    if !block.is_null() {
        // SAFETY: as the caller promises.
        unsafe { free::<T>(block, CHAIN) };
    }
}

impl<T> Buffer<T> {
    pub(super) fn ring(slots: usize) -> Buffer<T> {
        let mut buffer = Buffer::chain();
        if slots != 0 {
            buffer.start_at(allocate::<T>(slots, true), slots);
        }
        buffer
    }

    pub(super) fn chain() -> Buffer<T> {
        Buffer {
            head: ptr::null_mut(),
            head_end: ptr::null_mut(),
            tail: ptr::null_mut(),
            tail_end: ptr::null_mut(),
            _messages: PhantomData,
        }
    }

    fn start_at(&mut self, block: *mut u8, slots: usize) {
        let end = block.wrapping_add(slots * stride::<T>());
        (self.head, self.tail) = (block, block);
        (self.head_end, self.tail_end) = (end, end);
    }

    /// The slots of a block, given the capacity of the channel.
    #[inline(always)]
    fn slots(capacity: usize) -> usize {
        if capacity == usize::MAX {
            CHAIN
        } else {
            capacity
        }
    }

    /// Appends a message; `false` if a block is needed first, which cannot be with a ring.
    ///
    /// # Safety
    /// There are fewer messages than `capacity`; `message` is valid, and moved from if `true` is returned.
    #[inline(always)]
    pub(super) unsafe fn push(&mut self, message: *const T, capacity: usize) -> bool {
        if self.tail == self.tail_end && !self.next_tail(capacity) {
            return false;
        }
        // SAFETY: the tail is a free slot of the block.
        unsafe {
            ptr::copy_nonoverlapping(message, self.tail.cast(), 1);
            self.tail = self.tail.add(stride::<T>());
        }
        true
    }

    #[inline(always)]
    fn next_tail(&mut self, capacity: usize) -> bool {
        if self.tail_end.is_null() {
            return false;
        }
        // SAFETY: the footer is there where the slots end.
        let next = unsafe { (*footer(self.tail_end)).next };
        if next.is_null() {
            return false;
        }
        self.tail = next;
        self.tail_end = next.wrapping_add(Self::slots(capacity) * stride::<T>());
        true
    }

    /// Takes a block that `push` asked for; gives it back if it is not needed any more.
    #[must_use]
    pub(super) fn extend(&mut self, block: *mut u8) -> *mut u8 {
        if self.tail_end.is_null() {
            self.start_at(block, CHAIN);
            return ptr::null_mut();
        }
        // SAFETY: as in `next_tail`.
        let next = unsafe { &mut (*footer(self.tail_end)).next };
        if !next.is_null() {
            return block;
        }
        *next = block;
        ptr::null_mut()
    }

    /// Takes the first message. Returns a block for `free_block`.
    ///
    /// # Safety
    /// There is a message, and `to` has room for it.
    #[must_use]
    #[inline(always)]
    pub(super) unsafe fn pop(&mut self, to: *mut T, capacity: usize) -> *mut u8 {
        let mut unused = ptr::null_mut();
        // SAFETY: the head is a slot with a message, or stands at the end of a block that another one follows, as there is a message.
        unsafe {
            if self.head == self.head_end {
                let end = self.head_end;
                self.head = (*footer(end)).next;
                self.head_end = self.head.add(Self::slots(capacity) * stride::<T>());
                if capacity == usize::MAX {
                    unused = self.recycle(end);
                }
            }
            ptr::copy_nonoverlapping(self.head.cast(), to, 1);
            self.head = self.head.add(stride::<T>());
        }
        unused
    }

    /// Puts a used block behind the last one, or returns it.
    #[inline(never)]
    unsafe fn recycle(&mut self, end: *mut u8) -> *mut u8 {
        let block = end.wrapping_sub(CHAIN * stride::<T>());
        // SAFETY: both are ends of blocks of this chain.
        unsafe {
            let last = &mut (*footer(self.tail_end)).next;
            if !last.is_null() {
                return block;
            }
            (*footer(end)).next = ptr::null_mut();
            *last = block;
        }
        ptr::null_mut()
    }

    /// Frees the blocks.
    ///
    /// # Safety
    /// The messages were taken out, and the buffer is not used again.
    pub(super) unsafe fn free(&mut self, capacity: usize) {
        if self.head_end.is_null() {
            return;
        }
        let slots = Self::slots(capacity);
        let mut block = self.head_end.wrapping_sub(slots * stride::<T>());
        if capacity != usize::MAX {
            // SAFETY: the one block of a ring.
            return unsafe { free::<T>(block, slots) };
        }
        while !block.is_null() {
            // SAFETY: the blocks of a chain end with one that none follows.
            unsafe {
                let next = (*footer(block.wrapping_add(slots * stride::<T>()))).next;
                free::<T>(block, slots);
                block = next;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages in, messages out, as a channel of this capacity would.
    fn first_in_first_out<T: PartialEq + std::fmt::Debug>(
        capacity: usize,
        message: fn(usize) -> T,
    ) {
        let mut buffer = if capacity == usize::MAX {
            Buffer::chain()
        } else {
            Buffer::ring(capacity)
        };
        let (mut sent, mut received) = (0, 0);
        for round in 0..500 {
            for _ in 0..round % 41 {
                if sent - received == capacity.min(100) {
                    break;
                }
                let next = std::mem::ManuallyDrop::new(message(sent));
                // SAFETY: there is room, and the message is moved once.
                while unsafe { !buffer.push(&raw const *next, capacity) } {
                    assert!(buffer.extend(new_block::<T>()).is_null());
                }
                sent += 1;
            }
            for _ in 0..round % 37 {
                if sent == received {
                    break;
                }
                let mut slot = std::mem::MaybeUninit::uninit();
                // SAFETY: there is a message.
                unsafe {
                    free_block::<T>(buffer.pop(slot.as_mut_ptr(), capacity));
                    assert_eq!(slot.assume_init(), message(received));
                }
                received += 1;
            }
        }
        assert!(received > 400);
        while received < sent {
            let mut slot = std::mem::MaybeUninit::<T>::uninit();
            // SAFETY: there is a message.
            unsafe {
                free_block::<T>(buffer.pop(slot.as_mut_ptr(), capacity));
                slot.assume_init_drop();
            }
            received += 1;
        }
        // SAFETY: there are no messages left.
        unsafe { buffer.free(capacity) };
    }

    #[test]
    fn rings_and_chains_keep_the_order_for_all_sizes_of_messages() {
        for capacity in [1, 2, 3, 7, 64, usize::MAX] {
            first_in_first_out(capacity, |_| ());
            first_in_first_out(capacity, |n| n as u8);
            first_in_first_out(capacity, |n| [n as u8; 3]);
            first_in_first_out(capacity, |n| n as u64);
            first_in_first_out(capacity, |n| n as u128);
            first_in_first_out(capacity, |n| n.to_string());
            first_in_first_out(capacity, |n| [n; 40]);
        }
    }
}
