//! Stacks that are mappings of their own.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::boxed::Box;

use super::lock::{self, Held};
use super::{GUARD, MAX_SIZE, MIN_SIZE, Stack, StackError, sys};

/// A stack in a mapping of its own, protected by a guard of 64 KiB of pages without access.
///
/// It works the same on all systems, but costs two mappings and some microseconds, and counts twice against Linux's `vm.max_map_count`:
/// use a [`StackPool`](super::StackPool) for many.
#[derive(Debug)]
pub struct OsStack {
    base: NonNull<u8>,
    len: usize,
    entry: Option<&'static Entry>,
}

// SAFETY: it owns its mapping, which no thread is tied to.
unsafe impl Send for OsStack {}
// SAFETY: its methods on `&self` only compute addresses.
unsafe impl Sync for OsStack {}

impl OsStack {
    /// Maps a stack of `size` usable bytes, rounded up to whole pages.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    ///
    /// # Examples
    /// ```
    /// use corun_context::stack::{OsStack, Stack};
    ///
    /// let stack = OsStack::new(1 << 20)?;
    /// assert_eq!(stack.top() as usize - stack.limit() as usize, 1 << 20);
    /// # Ok::<(), corun_context::stack::StackError>(())
    /// ```
    pub fn new(size: usize) -> Result<OsStack, StackError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return Err(StackError::size(size));
        }
        let guard = GUARD.next_multiple_of(sys::page_size());
        let len = guard + size.next_multiple_of(sys::page_size());
        let base = sys::map(len).map_err(|errno| StackError::map(size, errno))?;
        // From here on the mapping has an owner.
        let mut this = OsStack {
            base,
            len,
            entry: None,
        };
        // SAFETY: the mapping is new.
        let guarded = unsafe { sys::guard(base.as_ptr(), guard, sys::GuardMode::Protect) };
        guarded.map_err(|errno| StackError::guard(size, errno))?;
        this.entry = Some(Entry::add(
            base.as_ptr() as usize,
            this.limit() as usize,
            this.top() as usize,
        ));
        Ok(this)
    }
}

// SAFETY: the memory is mapped until the value is dropped, and this value's alone; page ends are aligned.
unsafe impl Stack for OsStack {
    fn top(&self) -> *mut u8 {
        self.base.as_ptr().wrapping_add(self.len)
    }

    fn limit(&self) -> *mut u8 {
        self.base
            .as_ptr()
            .wrapping_add(GUARD.next_multiple_of(sys::page_size()))
    }
}

impl Drop for OsStack {
    fn drop(&mut self) {
        if let Some(entry) = self.entry {
            entry.remove();
        }
        // SAFETY: the value owns the mapping, and nothing runs on it any more.
        unsafe { sys::unmap(self.base.as_ptr(), self.len) };
    }
}

/// A place in the list of guards that the overflow report looks addresses up in, without a lock.
///
/// Entries are never freed, but used again. A reader that meets one while it changes notices by `base`: a change sets it to 0 first, and a
/// guard whose address has just faulted does not change.
#[derive(Debug)]
struct Entry {
    /// Where the guard begins; 0 if the entry is unused.
    base: AtomicUsize,
    /// Where the guard ends.
    limit: AtomicUsize,
    top: AtomicUsize,
    next: *const Entry,
    /// The next unused entry. Under the lock.
    next_unused: AtomicPtr<Entry>,
}

// SAFETY: `next` never changes, and leads to another entry.
unsafe impl Sync for Entry {}

/// All entries, the newest first.
static ENTRIES: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());
/// Unused entries. Under the lock.
static UNUSED: AtomicPtr<Entry> = AtomicPtr::new(ptr::null_mut());

impl Entry {
    fn add(base: usize, limit: usize, top: usize) -> &'static Entry {
        let mut held = lock::hold();
        let entry = Entry::unused(&mut held);
        // Release: pairs with the fence in `find_guard`. A reader that sees what follows sees that `base` is 0, or later.
        fence(Ordering::Release);
        entry.limit.store(limit, Ordering::Relaxed);
        entry.top.store(top, Ordering::Relaxed);
        // Release: pairs with the first load in `find_guard`.
        entry.base.store(base, Ordering::Release);
        entry
    }

    fn unused(_held: &mut Held) -> &'static Entry {
        // Relaxed: the lock orders them.
        // SAFETY: entries are never freed.
        if let Some(entry) = unsafe { UNUSED.load(Ordering::Relaxed).as_ref() } {
            UNUSED.store(entry.next_unused.load(Ordering::Relaxed), Ordering::Relaxed);
            return entry;
        }
        let entry = Box::leak(Box::new(Entry {
            base: AtomicUsize::new(0),
            limit: AtomicUsize::new(0),
            top: AtomicUsize::new(0),
            next: ENTRIES.load(Ordering::Relaxed),
            next_unused: AtomicPtr::default(),
        }));
        // Release: pairs with the load of it in `find_guard`.
        ENTRIES.store(entry, Ordering::Release);
        entry
    }

    fn remove(&'static self) {
        let _held = lock::hold();
        self.base.store(0, Ordering::Relaxed);
        self.next_unused
            .store(UNUSED.load(Ordering::Relaxed), Ordering::Relaxed);
        UNUSED.store(ptr::from_ref(self).cast_mut(), Ordering::Relaxed);
    }
}

/// The limit and top of the [`OsStack`] whose guard an address lies in. Safe to call in a signal handler.
pub(super) fn find_guard(address: usize) -> Option<(usize, usize)> {
    let mut next = ENTRIES.load(Ordering::Acquire).cast_const();
    // SAFETY: entries are never freed.
    while let Some(entry) = unsafe { next.as_ref() } {
        let base = entry.base.load(Ordering::Acquire);
        let (limit, top) = (
            entry.limit.load(Ordering::Relaxed),
            entry.top.load(Ordering::Relaxed),
        );
        // Acquire: pairs with the fence in `add`.
        fence(Ordering::Acquire);
        if base != 0
            && (base..limit).contains(&address)
            && entry.base.load(Ordering::Relaxed) == base
        {
            return Some((limit, top));
        }
        next = entry.next;
    }
    None
}
