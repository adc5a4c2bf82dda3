//! The memory that all stacks of a size come from, shared by all threads.
//!
//! ```text
//! Region: one mapping     | slot 0          | slot 1          | slot 2          | ...
//! Slot (pitch bytes)      | guard (64 KiB) | usable ................... top | colour |
//!                         lower addresses                                   higher addresses
//! ```
//!
//! # Invariants
//! - A region's place and shape never change, and it is never unmapped nor its descriptor freed: so the overflow report can look
//!   addresses up in the list of regions from a signal handler, without a lock.
//! - A slot is either free (its bit in `free` is set) or belongs to exactly one [`SlabStack`].
//! - A slot that belongs to a [`SlabStack`] has its guard. A slot's bit in `guarded` says so; guards outlast the slot's owner.
//! - A free slot holds no memory except page tables. When all slots of a region are free, the region is renewed, which frees
//!   these as well.
//! - [`LOCK`] protects the bits. It is held for a few instructions, or while a new region is mapped; guards are installed and
//!   memory is given back outside of it. Around `fork` it is held by the forking thread, so that the child finds the bits whole.
//!
//! # Staggering
//! Tops that all lie at the same offset in a page compete for the same few sets of the first-level cache, and slots that lie a
//! power of two apart compete for the same sets of the TLB and of the page-table entries' cache. So the pitch is an odd number of
//! pages, and the top is lowered by 0 to 15 times 64 bytes.

use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use std::boxed::Box;
use std::vec::Vec;

use super::sys;
use super::{MAX_SIZE, MIN_SIZE, Stack, StackError};

/// At least so much below each stack faults, so that C frames that skip over some of it meet it too.
const GUARD: usize = 64 * 1024;
/// The most slots in a region, and the most bytes.
const MAX_SLOTS: usize = 4096;
const MAX_REGION: usize = 1 << 30;
/// Slots in the first region of a class.
const FIRST_SLOTS: usize = 256;
const WORDS: usize = MAX_SLOTS / 64;
/// Steps of 64 bytes by which tops are lowered.
const COLOURS: usize = 16;
/// Pages that a trimmed stack in a pool keeps.
const KEPT_PAGES: usize = 4;

/// A size of stacks.
#[derive(Debug)]
pub(super) struct Class {
    next: Option<&'static Class>,
    /// Bytes from one slot to the next.
    pitch: usize,
    guard: usize,
    /// The newest region of the class.
    regions: AtomicPtr<Region>,
    /// Where a free slot was found last. Under LOCK.
    current: AtomicPtr<Region>,
}

#[derive(Debug)]
pub(super) struct Region {
    /// The next region of any class.
    #[expect(dead_code, reason = "for the overflow report")]
    next: *const Region,
    /// The next region of the same class.
    sibling: *const Region,
    class: &'static Class,
    base: usize,
    slots: usize,
    bits: UnsafeCell<Bits>,
}

// SAFETY: all is immutable but `bits`, which only the holder of LOCK touches; addresses are only numbers here.
unsafe impl Sync for Region {}

#[derive(Debug)]
struct Bits {
    free_count: usize,
    free: [u64; WORDS],
    guarded: [u64; WORDS],
}

static REGIONS: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());
static CLASSES: AtomicPtr<Class> = AtomicPtr::new(ptr::null_mut());
static LOCK: Lock = Lock::new();

/// A mutex that can be locked in one function and unlocked in another, as handlers of `fork` have to.
struct Lock(UnsafeCell<libc::pthread_mutex_t>);

// SAFETY: it is a lock.
unsafe impl Sync for Lock {}

impl Lock {
    const fn new() -> Lock {
        Lock(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER))
    }

    fn lock(&self) {
        // SAFETY: a static mutex, never moved nor destroyed.
        unsafe { libc::pthread_mutex_lock(self.0.get()) };
    }

    /// # Safety
    /// This thread must hold the lock.
    unsafe fn unlock(&self) {
        // SAFETY: the caller holds it.
        unsafe { libc::pthread_mutex_unlock(self.0.get()) };
    }

    fn with<R>(&self, critical: impl FnOnce() -> R) -> R {
        struct Unlock<'a>(&'a Lock);
        impl Drop for Unlock<'_> {
            fn drop(&mut self) {
                // SAFETY: it was locked below.
                unsafe { self.0.unlock() }
            }
        }
        self.lock();
        let _unlock = Unlock(self);
        critical()
    }
}

extern "C" fn before_fork() {
    LOCK.lock();
}

extern "C" fn after_fork() {
    // SAFETY: `before_fork` locked it on this thread, of which the child's is the continuation.
    unsafe { LOCK.unlock() }
}

/// The class of stacks with at least `size` usable bytes; makes it if need be.
pub(super) fn class(size: usize) -> Result<&'static Class, StackError> {
    if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
        return Err(StackError::size(size));
    }
    let page = sys::page_size();
    // Sizes that differ by little share a class, so that the number of classes is bounded: four to each doubling.
    let step = (size.next_power_of_two() / 8).max(page);
    let usable = size.next_multiple_of(step);
    let guard = GUARD.next_multiple_of(page);
    let pitch = guard + usable + page;
    let pitch = if (pitch / page).is_multiple_of(2) {
        pitch + page
    } else {
        pitch
    };
    let find = || {
        // Acquire: pairs with the store below.
        let mut next = CLASSES.load(Ordering::Acquire);
        // SAFETY: classes are never freed.
        while let Some(class) = unsafe { next.as_ref() } {
            if class.pitch == pitch {
                return Some(class);
            }
            next = class
                .next
                .map_or(ptr::null_mut(), |class| ptr::from_ref(class).cast_mut());
        }
        None
    };
    if let Some(class) = find() {
        return Ok(class);
    }
    LOCK.with(|| {
        if let Some(class) = find() {
            return Ok(class);
        }
        // SAFETY: classes are never freed.
        let next = unsafe { CLASSES.load(Ordering::Acquire).as_ref() };
        if next.is_none() {
            // SAFETY: the handlers are functions of this program. Without them, `fork` is a little less safe, no more.
            unsafe { libc::pthread_atfork(Some(before_fork), Some(after_fork), Some(after_fork)) };
        }
        let class = Class {
            next,
            pitch,
            guard,
            regions: AtomicPtr::default(),
            current: AtomicPtr::default(),
        };
        let class = Box::leak(Box::new(class));
        CLASSES.store(class, Ordering::Release);
        Ok(&*class)
    })
}

impl Class {
    /// Usable bytes, at the least.
    fn usable(&self) -> usize {
        self.pitch - self.guard - sys::page_size()
    }

    /// A region with a free slot. Under LOCK.
    fn region(&'static self) -> Result<&'static Region, StackError> {
        // Relaxed, here and below: LOCK orders them. Only the overflow report reads without it, and it reads `REGIONS`.
        let mut next = self.current.load(Ordering::Relaxed).cast_const();
        let mut listed = self.regions.load(Ordering::Relaxed).cast_const();
        loop {
            // SAFETY: regions are never freed.
            if let Some(region) = unsafe { next.as_ref() } {
                // SAFETY: LOCK is held.
                if unsafe { (*region.bits.get()).free_count } > 0 {
                    self.current.store(next.cast_mut(), Ordering::Relaxed);
                    return Ok(region);
                }
            }
            // SAFETY: as above.
            let Some(region) = (unsafe { listed.as_ref() }) else {
                break;
            };
            next = listed;
            listed = region.sibling;
        }
        // SAFETY: LOCK is held.
        let region = unsafe { self.grow()? };
        self.current
            .store(ptr::from_ref(region).cast_mut(), Ordering::Relaxed);
        Ok(region)
    }

    /// Maps another region, twice as large as the last, or as large as the system allows.
    ///
    /// # Safety
    /// LOCK must be held.
    unsafe fn grow(&'static self) -> Result<&'static Region, StackError> {
        let newest = self.regions.load(Ordering::Relaxed).cast_const();
        // SAFETY: regions are never freed.
        let wanted = unsafe { newest.as_ref() }.map_or(FIRST_SLOTS, |region| region.slots * 2);
        let mut slots = wanted.min(MAX_SLOTS).min((MAX_REGION / self.pitch).max(1));
        let base = loop {
            match sys::map(slots * self.pitch) {
                Ok(base) => break base,
                Err(_) if slots > 1 => slots /= 2,
                Err(errno) => return Err(StackError::map(self.usable(), errno)),
            }
        };
        let region = Box::leak(Box::new(Region {
            next: REGIONS.load(Ordering::Relaxed),
            sibling: newest,
            class: self,
            base: base.as_ptr() as usize,
            slots,
            bits: UnsafeCell::new(Bits {
                free_count: 0,
                free: [0; WORDS],
                guarded: [0; WORDS],
            }),
        }));
        region.bits.get_mut().free_all(slots);
        // Release: the overflow report on another thread must see the region's fields.
        REGIONS.store(region, Ordering::Release);
        self.regions.store(region, Ordering::Relaxed);
        Ok(region)
    }
}

impl Bits {
    fn free_all(&mut self, slots: usize) {
        self.free_count = slots;
        for (index, word) in self.free.iter_mut().enumerate() {
            *word = match slots.saturating_sub(index * 64) {
                0 => 0,
                count @ 1..64 => (1 << count) - 1,
                _ => u64::MAX,
            };
        }
        self.guarded = [0; WORDS];
    }
}

impl Region {
    fn top(&self, slot: usize) -> usize {
        self.base + (slot + 1) * self.class.pitch - slot % COLOURS * 64
    }

    fn slot_of(&self, address: usize) -> usize {
        (address - self.base) / self.class.pitch
    }

    fn guard_of(&self, slot: usize) -> usize {
        self.base + slot * self.class.pitch
    }
}

/// Adds up to `count` stacks to `stacks`, at least one, the lowest last.
pub(super) fn take(
    class: &'static Class,
    count: usize,
    stacks: &mut Vec<SlabStack>,
) -> Result<(), StackError> {
    stacks.reserve(count);
    let (region, word, taken, unguarded) = LOCK.with(|| {
        let region = class.region()?;
        // SAFETY: LOCK is held.
        let bits = unsafe { &mut *region.bits.get() };
        let word = bits
            .free
            .iter()
            .position(|word| *word != 0)
            .expect("a region with free slots has none");
        let mut taken = bits.free[word];
        while taken.count_ones() as usize > count {
            taken &= !(1 << (63 - taken.leading_zeros()));
        }
        let unguarded = taken & !bits.guarded[word];
        bits.free[word] &= !taken;
        bits.guarded[word] |= taken;
        bits.free_count -= taken.count_ones() as usize;
        Ok((region, word, taken, unguarded))
    })?;
    let (mut failed, mut errno) = (0, 0);
    for bit in ones(unguarded) {
        let guard = region.guard_of(word * 64 + bit);
        // SAFETY: the slot is this function's alone, and unused.
        if let Err(error) = unsafe { sys::guard(guard as *mut u8, class.guard, sys::guard_mode()) }
        {
            (failed, errno) = (unguarded >> bit << bit, error);
            break;
        }
    }
    if failed != 0 {
        LOCK.with(|| {
            // SAFETY: LOCK is held.
            let bits = unsafe { &mut *region.bits.get() };
            bits.free[word] |= failed;
            bits.guarded[word] &= !failed;
            bits.free_count += failed.count_ones() as usize;
        });
        if failed == taken {
            return Err(StackError::guard(class.usable(), errno));
        }
    }
    for bit in ones((taken & !failed).reverse_bits()) {
        let top = region.top(word * 64 + 63 - bit) as *mut u8;
        stacks.push(SlabStack {
            top: NonNull::new(top).expect("a mapping at the null page"),
            region,
        });
    }
    Ok(())
}

/// The positions of the ones, from the lowest.
fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let bit = (word != 0).then(|| word.trailing_zeros() as usize)?;
        word &= word - 1;
        Some(bit)
    })
}

/// Gives the memory of stacks back to the system, neighbours at once, and the slots to whoever asks next.
pub(super) fn release(stacks: &mut Vec<SlabStack>) {
    stacks.sort_unstable_by_key(|stack| stack.top);
    let mut rest = stacks.as_slice();
    while let Some(first) = rest.first() {
        let region = first.region;
        let start = region.slot_of(first.limit() as usize);
        let same = |(index, stack): &(usize, &SlabStack)| {
            ptr::eq(stack.region, region) && region.slot_of(stack.limit() as usize) == start + index
        };
        let count = rest.iter().enumerate().take_while(same).count();
        rest = &rest[count..];
        // SAFETY: these slots' owners gave them up; nothing in them is of value. Guards survive it.
        unsafe {
            sys::discard(
                region.guard_of(start) as *mut u8,
                count * region.class.pitch,
            )
        };
        free_slots(region, start, count);
    }
    // The slots are the slab's again: forget the values.
    // SAFETY: shortening a vector is sound.
    unsafe { stacks.set_len(0) };
}

fn free_slots(region: &'static Region, start: usize, count: usize) {
    let renew = LOCK.with(|| {
        // SAFETY: LOCK is held.
        let bits = unsafe { &mut *region.bits.get() };
        for slot in start..start + count {
            bits.free[slot / 64] |= 1 << (slot % 64);
        }
        bits.free_count += count;
        let current = ptr::eq(region.class.current.load(Ordering::Relaxed), region);
        let renew = bits.free_count == region.slots && !current;
        if renew {
            // Nobody finds a free slot in it meanwhile.
            (bits.free_count, bits.free) = (0, [0; WORDS]);
        }
        renew
    });
    if !renew {
        return;
    }
    // SAFETY: no slot is in use, and none can be taken. If the system refuses, the region stays unused.
    if unsafe { sys::renew(region.base as *mut u8, region.slots * region.class.pitch) }.is_ok() {
        LOCK.with(|| {
            // SAFETY: LOCK is held.
            unsafe { (*region.bits.get()).free_all(region.slots) }
        });
    }
}

/// A stack from the slab: a slot of a large region, with a guard of 64 KiB below it.
///
/// Dropping it gives its memory back to the system and its slot to whoever asks next, on any thread; to keep it warm, put it
/// into a [`StackPool`](super::StackPool) instead.
#[derive(Debug)]
pub struct SlabStack {
    top: NonNull<u8>,
    region: &'static Region,
}

// SAFETY: it owns its slot, and its methods only compute addresses.
unsafe impl Send for SlabStack {}
// SAFETY: as above.
unsafe impl Sync for SlabStack {}

impl SlabStack {
    /// Takes a stack with at least `size` usable bytes straight from the slab that all threads share.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    pub fn new(size: usize) -> Result<SlabStack, StackError> {
        let mut one = Vec::with_capacity(1);
        take(class(size)?, 1, &mut one)?;
        Ok(one.pop().expect("the slab gave no stack and no error"))
    }

    /// Gives back the pages below the first few.
    pub(super) fn discard_depth(&self) {
        let kept = KEPT_PAGES * sys::page_size();
        let (limit, top) = (self.limit() as usize, self.top.as_ptr() as usize);
        let end = top.next_multiple_of(sys::page_size()) - kept;
        if end > limit {
            // SAFETY: the stack is unused: only its owner can call this, and it is in a pool.
            unsafe { sys::discard(limit as *mut u8, end - limit) };
        }
    }
}

// SAFETY: the slot is mapped, and owned by this value; its top is computed once, from page-aligned numbers less steps of 64.
unsafe impl Stack for SlabStack {
    #[inline(always)]
    fn top(&self) -> *mut u8 {
        self.top.as_ptr()
    }

    #[inline]
    fn limit(&self) -> *mut u8 {
        let region = self.region;
        (region.guard_of(region.slot_of(self.top.as_ptr() as usize - 1)) + region.class.guard)
            as *mut u8
    }
}

impl Drop for SlabStack {
    fn drop(&mut self) {
        let region = self.region;
        let slot = region.slot_of(self.top.as_ptr() as usize - 1);
        // SAFETY: the owner gives the slot up; nothing in it is of value. The guard survives it.
        unsafe { sys::discard(self.limit(), region.class.pitch - region.class.guard) };
        free_slots(region, slot, 1);
    }
}
