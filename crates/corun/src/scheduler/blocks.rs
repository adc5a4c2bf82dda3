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

/// How a block for some type is allocated. Known when that is compiled, so that what allocates and frees need not be compiled for each.
pub(crate) struct Kind {
    /// What blocks are really made with: any block of a class serves any layout of the class.
    layout: Layout,
    /// `None` for large or strictly aligned ones.
    class: Option<usize>,
}

impl Kind {
    pub(crate) const fn of<T>() -> Kind {
        let layout = Layout::new::<T>();
        let class = layout.size().saturating_sub(SMALLEST).div_ceil(16);
        if layout.align() > 8 || class >= CLASSES {
            return Kind {
                layout,
                class: None,
            };
        }
        Kind {
            layout: class_layout(class),
            class: Some(class),
        }
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

/// Makes a block. Ends the process if there is no memory, as `Box::new` does.
#[inline]
pub(crate) fn allocate(kind: &Kind) -> NonNull<u8> {
    if let Some(class) = kind.class
        && let Some(worker) = Worker::current()
        && let Some(block) = worker.blocks.pop(class)
    {
        return block;
    }
    // SAFETY: nothing that is kept in blocks is of size zero.
    let block = unsafe { alloc::alloc(kind.layout) };
    match NonNull::new(block) {
        Some(block) => block,
        None => alloc::handle_alloc_error(kind.layout),
    }
}

/// Frees a block.
///
/// # Safety
/// The block must come from `allocate` with this kind, and its value must have been dropped.
#[inline]
pub(crate) unsafe fn free(block: NonNull<u8>, kind: &Kind) {
    if let Some(class) = kind.class
        && let Some(worker) = Worker::current()
        && worker.blocks.push(class, block)
    {
        return;
    }
    // SAFETY: made by `allocate` with this layout.
    unsafe { alloc::dealloc(block.as_ptr(), kind.layout) };
}
