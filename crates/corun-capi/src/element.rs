//! Elements of channels, whose size the user says: small ones lie in the channel itself, large ones in boxes.

use std::alloc::{self, Layout};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

/// What a channel carries: so many bytes, copied from the user's memory and to it.
pub(crate) trait Element: Send + Sized + 'static {
    /// # Safety
    /// `size` bytes, of which this has room for, can be read at `from`. (If `size` is 0, `from` may be anything.)
    unsafe fn read(from: *const u8, size: usize) -> Self;

    /// # Safety
    /// `size` bytes, as many as were read, can be written at `to`.
    unsafe fn write(self, to: *mut u8, size: usize);
}

/// Up to `8 * N` bytes.
#[derive(Clone, Copy)]
pub(crate) struct Words<const N: usize>([MaybeUninit<u64>; N]);

impl<const N: usize> Element for Words<N> {
    #[inline]
    unsafe fn read(from: *const u8, size: usize) -> Words<N> {
        let mut words = [const { MaybeUninit::uninit() }; N];
        if size == 8 * N {
            // SAFETY: promised by the caller. A constant size is a move, and no call.
            unsafe {
                words
                    .as_mut_ptr()
                    .cast::<u8>()
                    .copy_from_nonoverlapping(from, 8 * N)
            };
        } else if size != 0 {
            // SAFETY: as above; there is room.
            unsafe {
                words
                    .as_mut_ptr()
                    .cast::<u8>()
                    .copy_from_nonoverlapping(from, size)
            };
        }
        Words(words)
    }

    #[inline]
    unsafe fn write(self, to: *mut u8, size: usize) {
        if size == 8 * N {
            // SAFETY: promised by the caller.
            unsafe { to.copy_from_nonoverlapping(self.0.as_ptr().cast(), 8 * N) };
        } else if size != 0 {
            // SAFETY: as above.
            unsafe { to.copy_from_nonoverlapping(self.0.as_ptr().cast(), size) };
        }
    }
}

/// Any number of bytes but 0.
pub(crate) struct Large {
    bytes: NonNull<u8>,
    layout: Layout,
}

// SAFETY: it owns its bytes; what they mean is the user's affair, who has promised that they may go to any thread.
unsafe impl Send for Large {}

impl Element for Large {
    unsafe fn read(from: *const u8, size: usize) -> Large {
        let Ok(layout) = Layout::from_size_align(size.max(1), 16) else {
            unreachable!("sizes are checked when channels are made");
        };
        // SAFETY: the layout is not of size 0.
        let bytes = unsafe { alloc::alloc(layout) };
        let Some(bytes) = NonNull::new(bytes) else {
            alloc::handle_alloc_error(layout);
        };
        // SAFETY: promised by the caller; the block is new.
        unsafe { ptr::copy_nonoverlapping(from, bytes.as_ptr(), size) };
        Large { bytes, layout }
    }

    unsafe fn write(self, to: *mut u8, size: usize) {
        // SAFETY: so many bytes were read.
        unsafe { ptr::copy_nonoverlapping(self.bytes.as_ptr(), to, size) };
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        // SAFETY: it came from `alloc` with this layout.
        unsafe { alloc::dealloc(self.bytes.as_ptr(), self.layout) };
    }
}
