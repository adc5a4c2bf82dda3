//! The memory that all stacks of a size come from, shared by all threads.
//!
//! Stacks are taken and given back in runs, by the [pools](super::pool). The lock protects which slots are free; guards are
//! installed and memory is given back without it, by the thread that has the slots at that time.

use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicPtr, Ordering};
use std::boxed::Box;
use std::vec::Vec;

use super::lock::{self, Held};
use super::region::{Layout, MAX_SLOTS, Region};
use super::{GUARD, MAX_SIZE, MIN_SIZE, Stack, StackError, sys};

/// Slots in the first region of a class; each further one is twice as large, up to `MAX_SLOTS` or `MAX_REGION` bytes.
const FIRST_SLOTS: usize = 256;
const MAX_REGION: usize = 1 << 30;
const MIN_REGION: usize = 4 << 20;
/// Pages that a trimmed stack in a pool keeps.
const KEPT_PAGES: usize = 4;

/// A size of stacks, with the regions for it.
#[derive(Debug)]
pub(super) struct Class {
    next: Option<&'static Class>,
    layout: Layout,
    /// The newest region of the class; written under the lock.
    regions: AtomicPtr<Region>,
    /// Where a free slot was found last. Only touched under the lock, so that all accesses can be relaxed.
    current: AtomicPtr<Region>,
}

/// All classes, the newest first; nothing is ever removed. Under the lock.
static CLASSES: AtomicPtr<Class> = AtomicPtr::new(ptr::null_mut());

impl Class {
    /// The class of stacks with at least `size` usable bytes.
    pub fn of_size(size: usize) -> Result<&'static Class, StackError> {
        if !(MIN_SIZE..=MAX_SIZE).contains(&size) {
            return Err(StackError::size(size));
        }
        let page = sys::page_size();
        // Sizes that differ by little share a class, so that the number of classes is bounded: four to each doubling.
        // A page of each slot is for the stagger. The pitch is an odd number of pages: one less than a round number.
        let guard = GUARD.next_multiple_of(page);
        let unit = (size.next_power_of_two() / 8).max(2 * page);
        let layout = Layout {
            pitch: guard.next_multiple_of(2 * page) + (size + 2 * page).next_multiple_of(unit)
                - page,
            guard,
        };

        let _held = lock::hold();
        // SAFETY: classes are never freed.
        let first: Option<&'static Class> = unsafe { CLASSES.load(Ordering::Relaxed).as_ref() };
        let mut known = core::iter::successors(first, |class| class.next);
        if let Some(class) = known.find(|class| class.layout == layout) {
            return Ok(class);
        }
        let class = Class {
            next: first,
            layout,
            regions: AtomicPtr::default(),
            current: AtomicPtr::default(),
        };
        let class = Box::leak(Box::new(class));
        CLASSES.store(class, Ordering::Relaxed);
        Ok(class)
    }

    /// A region with a free slot.
    fn region(&'static self, held: &mut Held) -> Result<&'static Region, StackError> {
        // SAFETY: regions are never freed.
        let current: Option<&'static Region> =
            unsafe { self.current.load(Ordering::Relaxed).as_ref() };
        let found = current
            .into_iter()
            .chain(self.regions())
            .find(|region| region.bits(held).free_count > 0);
        let region = match found {
            Some(region) => region,
            None => self.grow(held)?,
        };
        self.current
            .store(ptr::from_ref(region).cast_mut(), Ordering::Relaxed);
        Ok(region)
    }

    /// Maps another region, twice as large as the last, or as large as the system allows.
    fn grow(&'static self, held: &mut Held) -> Result<&'static Region, StackError> {
        let newest = self.regions().next();
        let wanted = newest.map_or(FIRST_SLOTS, |region| region.slots * 2);
        let mut slots = wanted
            .min(MAX_SLOTS)
            .min(MAX_REGION / self.layout.pitch)
            .max(1);
        let sibling = newest.map_or(ptr::null(), ptr::from_ref);
        loop {
            match Region::map(self.layout, slots, sibling, held) {
                Ok(region) => {
                    // Release: pairs with the load in `regions`.
                    self.regions
                        .store(ptr::from_ref(region).cast_mut(), Ordering::Release);
                    return Ok(region);
                }
                // A region that is too small would take the last of the address space from the rest of the process.
                Err(_) if slots > 1 && slots * self.layout.pitch > MIN_REGION => slots /= 2,
                Err(errno) => return Err(StackError::map(self.layout.usable(), errno)),
            }
        }
    }

    /// Adds up to `count` stacks to `stacks`, at least one, the lowest last.
    pub fn take(
        &'static self,
        count: usize,
        stacks: &mut Vec<SlabStack>,
    ) -> Result<(), StackError> {
        stacks.reserve(count);
        let (region, run, unguarded) = {
            let mut held = lock::hold();
            let region = self.region(&mut held)?;
            let (run, unguarded) = region.bits(&mut held).take(count);
            (region, run, unguarded)
        };
        let mut usable = run;
        for slot in unguarded.slots() {
            let guard = region.start(slot) as *mut u8;
            // SAFETY: the slot is this function's alone, and unused.
            if let Err(errno) = unsafe { sys::guard(guard, self.layout.guard, sys::guard_mode()) } {
                let failed = unguarded.from(slot);
                region.bits(&mut lock::hold()).untake(failed);
                usable = run.without(failed);
                if usable.is_empty() {
                    return Err(StackError::guard(self.layout.usable(), errno));
                }
                break;
            }
        }
        stacks.extend(usable.slots().rev().map(|slot| {
            let top =
                NonNull::new(region.top(slot) as *mut u8).expect("a mapping at the null page");
            SlabStack { top, region }
        }));
        Ok(())
    }

    /// All regions of the class, the newest first.
    pub fn regions(&self) -> impl Iterator<Item = &'static Region> + use<> {
        // Acquire: pairs with the store in `grow`, since this may be called without the lock.
        // SAFETY: regions are never freed.
        let newest: Option<&'static Region> =
            unsafe { self.regions.load(Ordering::Acquire).as_ref() };
        core::iter::successors(newest, |region| region.older_sibling())
    }
}

/// Gives the memory of stacks back to the system, that of neighbours at once, and their slots to whoever asks next.
pub(super) fn release(stacks: &mut Vec<SlabStack>) {
    stacks.sort_unstable_by_key(|stack| stack.top);
    for run in stacks.chunk_by(|a, b| ptr::eq(a.region, b.region) && a.slot() + 1 == b.slot()) {
        let (region, first) = (run[0].region, run[0].slot());
        let (start, end) = (region.start(first), region.start(first + run.len()));
        // SAFETY: these stacks are given up, and nothing in them is of value. Guards survive it.
        unsafe { sys::discard(start as *mut u8, end - start) };
        let mut held = lock::hold();
        let bits = region.bits(&mut held);
        (first..first + run.len()).for_each(|slot| bits.put(slot));
    }
    // SAFETY: shortening a vector is sound; the values must not be dropped, since the slots have no owner any more.
    unsafe { stacks.set_len(0) };
}

/// 64 neighbouring slots of a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Place {
    region: *const Region,
    word: usize,
}

// SAFETY: regions are never freed, and what is used of them here does not change.
unsafe impl Send for Place {}
// SAFETY: as above.
unsafe impl Sync for Place {}

impl Place {
    /// The tops of the slots that these bits stand for.
    pub(super) fn tops(self, bits: u64) -> impl Iterator<Item = *mut u8> {
        // SAFETY: regions are never freed.
        let region: &'static Region = unsafe { &*self.region };
        (0..64)
            .filter(move |bit| bits & 1 << bit != 0)
            .map(move |bit| region.top(self.word * 64 + bit) as *mut u8)
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

// SAFETY: it owns its slot, which no thread is tied to.
unsafe impl Send for SlabStack {}
// SAFETY: its methods on `&self` only compute addresses.
unsafe impl Sync for SlabStack {}

impl SlabStack {
    /// Takes a stack with at least `size` usable bytes straight from the slab that all threads share.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    ///
    /// # Examples
    /// ```
    /// use corun_context::stack::{DEFAULT_SIZE, SlabStack, Stack};
    ///
    /// let stack = SlabStack::new(DEFAULT_SIZE)?;
    /// assert!(stack.top() as usize - stack.limit() as usize >= DEFAULT_SIZE);
    /// # Ok::<(), corun_context::stack::StackError>(())
    /// ```
    pub fn new(size: usize) -> Result<SlabStack, StackError> {
        let mut one = Vec::with_capacity(1);
        Class::of_size(size)?.take(1, &mut one)?;
        Ok(one.pop().expect("the slab gave no stack and no error"))
    }

    fn slot(&self) -> usize {
        // The top of a slot without stagger is where the next slot starts.
        self.region.slot_of(self.top.as_ptr() as usize - 1)
    }

    /// Where it lies, with its bit among its neighbours.
    pub(super) fn place(&self) -> (Place, u64) {
        let slot = self.slot();
        let place = Place {
            region: ptr::from_ref(self.region),
            word: slot / 64,
        };
        (place, 1 << (slot % 64))
    }

    /// Gives back the pages below the first few. Nothing may run on the stack.
    pub(super) fn discard_depth(&self) {
        let page = sys::page_size();
        let (start, limit) = (self.region.start(self.slot() + 1), self.limit() as usize);
        if let Some(len) = (start - limit).checked_sub(KEPT_PAGES * page) {
            // SAFETY: the stack is unused, and this value owns it.
            unsafe { sys::discard(limit as *mut u8, len) };
        }
    }
}

// SAFETY: the slot is mapped for good, and this value's alone; a top is a page's end less a multiple of 64.
unsafe impl Stack for SlabStack {
    #[inline(always)]
    fn top(&self) -> *mut u8 {
        self.top.as_ptr()
    }

    #[inline]
    fn limit(&self) -> *mut u8 {
        self.region.limit(self.slot()) as *mut u8
    }
}

impl Drop for SlabStack {
    fn drop(&mut self) {
        let (region, slot) = (self.region, self.slot());
        // SAFETY: the stack is given up, and nothing in it is of value. The guard survives it.
        unsafe { sys::discard(self.limit(), region.layout.pitch - region.layout.guard) };
        region.bits(&mut lock::hold()).put(slot);
    }
}
