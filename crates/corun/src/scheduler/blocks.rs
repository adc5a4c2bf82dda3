//! The free blocks of one worker: tasks of coroutines that have ended, kept for those to come.
//!
//! A block is used for some hundred nanoseconds and freed, mostly on the thread that made it: a list per size, last in, first out,
//! gives back the one that is still in the cache, for a fifth of what the system's allocator takes. What comes from
//! another thread is welcome too; a list that is full passes blocks on to the allocator.
//!
//! Sizes are odd multiples of 8 because common allocators add a word to each block and round to 16 bytes.

use std::alloc::{self, Layout};
use std::cell::UnsafeCell;
use std::ptr::NonNull;

use super::worker::Worker;

/// How many sizes there are: 56 + 16, 56 + 32, ... bytes.
const CLASSES: usize = 8;
const SMALLEST: usize = 72;
/// The most blocks kept of each size.
const KEEP: usize = 1024;

pub(crate) struct Blocks {
    /// Touched by the worker's own thread alone.
    lists: UnsafeCell<[Vec<NonNull<u8>>; CLASSES]>,
}

/// The size class of blocks for `layout`; `None` for large or strictly aligned ones.
const fn class(layout: Layout) -> Option<usize> {
    let class = layout.size().saturating_sub(SMALLEST).div_ceil(16);
    if layout.align() > 8 || class >= CLASSES {
        None
    } else {
        Some(class)
    }
}

/// What blocks for `layout` are really made with, so that any block of a class serves any layout of the class.
const fn rounded(layout: Layout) -> Layout {
    match class(layout) {
        Some(class) => class_layout(class),
        None => layout,
    }
}

const fn class_layout(class: usize) -> Layout {
    match Layout::from_size_align(SMALLEST + class * 16, 8) {
        Ok(layout) => layout,
        Err(_) => panic!("a size class is a valid layout"),
    }
}

impl Blocks {
    pub(crate) fn new() -> Blocks {
        Blocks {
            lists: UnsafeCell::default(),
        }
    }

    #[inline(always)]
    fn pop(&self, class: usize) -> Option<NonNull<u8>> {
        // SAFETY: only the worker's own thread comes here, and the reference ends with the statement.
        unsafe { (&mut *self.lists.get())[class].pop() }
    }

    #[inline(always)]
    fn push(&self, class: usize, block: NonNull<u8>) -> bool {
        // SAFETY: as in `pop`.
        let list = unsafe { &mut (&mut *self.lists.get())[class] };
        let room = list.len() < KEEP;
        if room {
            list.push(block);
        }
        room
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        for (class, list) in self.lists.get_mut().iter_mut().enumerate() {
            for block in list.drain(..) {
                // SAFETY: blocks in a list were made by `allocate` for this class and are unused.
                unsafe { alloc::dealloc(block.as_ptr(), class_layout(class)) };
            }
        }
    }
}

/// Makes a block for a `T`. Ends the process if there is no memory, as `Box::new` does.
#[inline(always)]
pub(crate) fn allocate<T>() -> NonNull<T> {
    let layout = const { Layout::new::<T>() };
    if let Some(class) = const { class(Layout::new::<T>()) }
        && let Some(worker) = Worker::current()
        && let Some(block) = worker.blocks.pop(class)
    {
        return block.cast();
    }
    // SAFETY: no task is of size zero: it has a header.
    let block = unsafe { alloc::alloc(rounded(layout)) };
    match NonNull::new(block) {
        Some(block) => block.cast(),
        None => alloc::handle_alloc_error(layout),
    }
}

/// Frees a block.
///
/// # Safety
/// The block must come from `allocate::<T>`, and its value must have been dropped.
#[inline(always)]
pub(crate) unsafe fn free<T>(block: NonNull<T>) {
    if let Some(class) = const { class(Layout::new::<T>()) }
        && let Some(worker) = Worker::current()
        && worker.blocks.push(class, block.cast())
    {
        return;
    }
    // SAFETY: made by `allocate` with this layout.
    unsafe { alloc::dealloc(block.as_ptr().cast(), rounded(Layout::new::<T>())) };
}
