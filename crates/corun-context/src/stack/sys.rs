//! The system calls on memory that stacks need.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU8, Ordering};

/// The error number that the last system call of this thread left.
pub(super) fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

pub(super) fn page_size() -> usize {
    use core::sync::atomic::AtomicUsize;
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    // Relaxed: whoever finds it unset gets the same answer from the system.
    let size = SIZE.load(Ordering::Relaxed);
    if size != 0 {
        return size;
    }
    // SAFETY: no preconditions.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
    SIZE.store(size, Ordering::Relaxed);
    size
}

const FLAGS: libc::c_int = {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANON;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = flags | libc::MAP_NORESERVE | libc::MAP_STACK;
    #[cfg(target_vendor = "apple")]
    let flags = flags | libc::MAP_NORESERVE;
    flags
};

/// Maps `len` bytes that take memory only as they are touched, in small pages.
pub(super) fn map(len: usize) -> Result<NonNull<u8>, i32> {
    // SAFETY: a new mapping, at an address that the system chooses, touches nothing that exists.
    let address = unsafe {
        libc::mmap(
            ptr::null_mut(),
            len,
            libc::PROT_READ | libc::PROT_WRITE,
            FLAGS,
            -1,
            0,
        )
    };
    if address == libc::MAP_FAILED {
        return Err(errno());
    }
    let address = NonNull::new(address.cast::<u8>()).ok_or(libc::ENOMEM)?;
    small_pages(address.as_ptr(), len);
    Ok(address)
}

/// Replaces a mapping by a fresh one at the same place, which frees its memory, its guards and its page tables.
///
/// # Safety
/// The range must be one mapping made by [`map`], and unused.
pub(super) unsafe fn renew(address: *mut u8, len: usize) -> Result<(), i32> {
    let (access, flags) = (libc::PROT_READ | libc::PROT_WRITE, FLAGS | libc::MAP_FIXED);
    // SAFETY: the caller owns the range, and nothing in it is in use.
    let new = unsafe { libc::mmap(address.cast(), len, access, flags, -1, 0) };
    if new == libc::MAP_FAILED {
        return Err(errno());
    }
    small_pages(address, len);
    Ok(())
}

/// A huge page would make a stack of one page cost 2 MiB.
fn small_pages(_address: *mut u8, _len: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: this advice changes no contents. That a kernel without huge pages refuses it is fine.
    unsafe {
        libc::madvise(_address.cast(), _len, libc::MADV_NOHUGEPAGE);
    }
}

/// # Safety
/// The range must be a mapping made by [`map`], and unused.
pub(super) unsafe fn unmap(address: *mut u8, len: usize) {
    // SAFETY: the caller owns the range, and nothing in it is in use.
    unsafe { libc::munmap(address.cast(), len) };
}

/// Gives the memory behind the range back to the system; guards in it stay. What the range holds afterwards is unspecified.
///
/// # Safety
/// The range must lie within a mapping made by [`map`], and hold nothing of value.
pub(super) unsafe fn discard(address: *mut u8, len: usize) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const ADVICE: libc::c_int = libc::MADV_DONTNEED;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const ADVICE: libc::c_int = libc::MADV_FREE;
    // SAFETY: the caller owns the range and needs nothing in it. A refusal (locked memory) leaves it as it was.
    unsafe { libc::madvise(address.cast(), len, ADVICE) };
}

/// How a guard is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum GuardMode {
    /// By markers in the page table (Linux 6.13), which split no mapping.
    Marker = 1,
    /// By a mapping without access, each of which counts against `vm.max_map_count`.
    Protect = 2,
}

pub(super) fn guard_mode() -> GuardMode {
    static MODE: AtomicU8 = AtomicU8::new(0);
    // Relaxed: the probe gives each thread the same answer.
    match MODE.load(Ordering::Relaxed) {
        1 => GuardMode::Marker,
        2 => GuardMode::Protect,
        _ => {
            let mode = if probe_marker() {
                GuardMode::Marker
            } else {
                GuardMode::Protect
            };
            MODE.store(mode as u8, Ordering::Relaxed);
            mode
        }
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const MADV_GUARD_INSTALL: libc::c_int = 102;

/// Whether markers work. User-mode emulators answer 0 to any advice and do nothing, so nonsense has to be refused as well.
fn probe_marker() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let Ok(page) = map(page_size()) else {
            return false;
        };
        // SAFETY: the page is ours, and unused.
        unsafe {
            let page = page.as_ptr();
            let nonsense = libc::madvise(page.cast(), page_size(), 12345);
            let marker = libc::madvise(page.cast(), page_size(), MADV_GUARD_INSTALL);
            unmap(page, page_size());
            nonsense == -1 && marker == 0
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    false
}

/// Makes any access to the range a fault.
///
/// # Safety
/// The range must consist of pages within a mapping made by [`map`], and hold nothing of value.
pub(super) unsafe fn guard(address: *mut u8, len: usize, mode: GuardMode) -> Result<(), i32> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if mode == GuardMode::Marker {
        // SAFETY: the caller owns the range and needs nothing in it.
        if unsafe { libc::madvise(address.cast(), len, MADV_GUARD_INSTALL) } == 0 {
            return Ok(());
        }
        // Locked memory (mlockall) takes no markers, but can be protected.
    }
    let _ = mode;
    // SAFETY: the caller owns the range and needs nothing in it.
    match unsafe { libc::mprotect(address.cast(), len, libc::PROT_NONE) } {
        0 => Ok(()),
        _ => Err(errno()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn locked_memory_takes_a_guard_too() {
        let page = page_size();
        let base = map(4 * page).unwrap().as_ptr();
        // SAFETY: the mapping is this test's own; nothing dereferences the guard.
        unsafe {
            // Where no memory may be locked there is nothing to test.
            if libc::mlock(base.cast(), 4 * page) == 0 {
                assert_eq!(guard(base, page, guard_mode()), Ok(()));
                let mut ends = [0; 2];
                assert_eq!(libc::pipe(ends.as_mut_ptr()), 0);
                assert_eq!(
                    libc::write(ends[1], base.cast(), 1),
                    -1,
                    "the guard can be read"
                );
                assert_eq!(libc::write(ends[1], base.add(page).cast(), 1), 1);
                for end in ends {
                    libc::close(end);
                }
            }
            unmap(base, 4 * page);
        }
    }
}
