//! Regions: large mappings, cut into slots, of which each holds a guard and a stack.
//!
//! ```text
//! Region: one mapping    | slot 0          | slot 1          | slot 2          | ...
//! Slot (pitch bytes)     | guard  | usable .................... top | stagger |
//!                        lower addresses                        higher addresses
//! ```
//!
//! # Invariants
//! - A region's place and shape never change. It is never unmapped, and its descriptor is never freed: so the overflow report can look
//!   addresses up from a signal handler, without a lock.
//! - A slot is either free (its bit in `free` is set) or belongs to exactly one [`SlabStack`](super::SlabStack).
//! - A slot in use has its guard; its bit in `guarded` says so. Guards outlast the slot's owner.
//! - A free slot holds no memory except page tables. [`Region::tidy`] maps parts of a region anew all of whose slots are free, which frees
//!   these as well, and the guards.

use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicPtr, Ordering};
use std::boxed::Box;

use super::lock::{self, Held};
use super::sys;

/// The most slots in a region.
pub(super) const MAX_SLOTS: usize = 4096;
const WORDS: usize = MAX_SLOTS / 64;

/// How a slot is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes from one slot to the next.
    pub pitch: usize,
    pub guard: usize,
}

impl Layout {
    /// Tops are lowered by up to so many steps of 64 bytes.
    const STAGGER: usize = 16;

    /// Usable bytes, at the least.
    pub fn usable(self) -> usize {
        self.pitch - self.guard - sys::page_size()
    }
}

#[derive(Debug)]
pub(super) struct Region {
    /// The next region of any class.
    next: *const Region,
    /// The next region of the same class.
    sibling: *const Region,
    pub layout: Layout,
    base: usize,
    pub slots: usize,
    bits: UnsafeCell<Bits>,
}

// SAFETY: all is immutable but `bits`, which only the holder of the lock gets at; the pointers lead to other regions.
unsafe impl Sync for Region {}

/// All regions, the newest first; nothing is ever removed.
static REGIONS: AtomicPtr<Region> = AtomicPtr::new(ptr::null_mut());

impl Region {
    /// Maps a region of `slots` slots, all free.
    pub fn map(
        layout: Layout,
        slots: usize,
        sibling: *const Region,
        _held: &mut Held,
    ) -> Result<&'static Region, i32> {
        assert!(slots <= MAX_SLOTS);
        let base = sys::map(slots * layout.pitch)?.as_ptr() as usize;
        let mut bits = Bits {
            free_count: 0,
            free: [0; WORDS],
            guarded: [0; WORDS],
        };
        bits.restore(0, slots);
        // Relaxed: the lock orders this with other writers.
        let next = REGIONS.load(Ordering::Relaxed);
        let region = Region {
            next,
            sibling,
            layout,
            base,
            slots,
            bits: UnsafeCell::new(bits),
        };
        let region = Box::leak(Box::new(region));
        // Release: pairs with the load in `find`, so that the reader sees the region's fields.
        REGIONS.store(region, Ordering::Release);
        Ok(region)
    }

    /// Frees the page tables and guards of those parts of the region that are not in use.
    pub fn tidy(&self) {
        let mut from = 0;
        loop {
            let Some((first, end)) = self.bits(&mut lock::hold()).withdraw(from, self.slots) else {
                return;
            };
            let (start, len) = (self.start(first), (end - first) * self.layout.pitch);
            // SAFETY: none of these slots is in use, and none can be taken while it is withdrawn.
            if unsafe { sys::renew(start as *mut u8, len) }.is_ok() {
                self.bits(&mut lock::hold()).restore(first, end);
            }
            // Else it is not known what is mapped there now: the slots stay withdrawn.
            from = end;
        }
    }

    /// The region of the same class that was mapped before this.
    pub fn older_sibling(&self) -> Option<&'static Region> {
        // SAFETY: regions are never freed.
        unsafe { self.sibling.as_ref() }
    }

    /// The region that an address lies in. Safe to call in a signal handler.
    pub fn find(address: usize) -> Option<&'static Region> {
        // Acquire: pairs with the store in `map`.
        let mut next = REGIONS.load(Ordering::Acquire).cast_const();
        // SAFETY: regions are never freed.
        while let Some(region) = unsafe { next.as_ref() } {
            if address.wrapping_sub(region.base) < region.slots * region.layout.pitch {
                return Some(region);
            }
            next = region.next;
        }
        None
    }

    pub fn bits<'a>(&'a self, _held: &'a mut Held) -> &'a mut Bits {
        // SAFETY: whoever gets here holds the one lock, and has lent its proof of that for as long as the result lives.
        unsafe { &mut *self.bits.get() }
    }

    /// The slot that an address of this region lies in.
    pub fn slot_of(&self, address: usize) -> usize {
        (address - self.base) / self.layout.pitch
    }

    /// The lowest address of a slot, where its guard begins.
    pub fn start(&self, slot: usize) -> usize {
        self.base + slot * self.layout.pitch
    }

    /// The lowest usable address of a slot.
    pub fn limit(&self, slot: usize) -> usize {
        self.start(slot) + self.layout.guard
    }

    pub fn top(&self, slot: usize) -> usize {
        self.start(slot + 1) - slot % Layout::STAGGER * 64
    }
}

#[derive(Debug)]
pub(super) struct Bits {
    pub free_count: usize,
    free: [u64; WORDS],
    guarded: [u64; WORDS],
}

/// So many slots, and multiples of it, are withdrawn and restored together.
const UNIT: usize = 16;

/// The word and the bits in it that stand for a unit, if there are `slots` slots in total.
fn bits_of(unit: usize, slots: usize) -> (usize, u64) {
    let (start, end) = (unit * UNIT, slots.min((unit + 1) * UNIT));
    let mask = (1 << (end - start)) - 1;
    (start / 64, mask << (start % 64))
}

/// Some slots of a region.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    /// 64 times this is the first slot.
    word: usize,
    /// A bit for each slot.
    mask: u64,
}

impl Bits {
    /// Withdraws the next run of units whose slots are all free, and some guarded: nobody can take them until `restore`.
    /// Returns the first slot of the run, and the end.
    fn withdraw(&mut self, from: usize, slots: usize) -> Option<(usize, usize)> {
        let idle = |bits: &Bits, unit: usize| {
            let (word, mask) = bits_of(unit, slots);
            bits.guarded[word] & mask != 0 && bits.free[word] & mask == mask
        };
        let units = slots.div_ceil(UNIT);
        let first = (from / UNIT..units).find(|unit| idle(self, *unit))?;
        let end = (first..units)
            .find(|unit| !idle(self, *unit))
            .unwrap_or(units);
        for unit in first..end {
            let (word, mask) = bits_of(unit, slots);
            self.free[word] &= !mask;
        }
        let (first, end) = (first * UNIT, (end * UNIT).min(slots));
        self.free_count -= end - first;
        Some((first, end))
    }

    /// Makes withdrawn slots free again, without guards.
    fn restore(&mut self, first: usize, end: usize) {
        for unit in first / UNIT..end.div_ceil(UNIT) {
            let (word, mask) = bits_of(unit, end);
            self.free[word] |= mask;
            self.guarded[word] &= !mask;
        }
        self.free_count += end - first;
    }

    /// Takes up to `count` free slots, and says which of them still need a guard; they count as guarded from here on.
    pub fn take(&mut self, count: usize) -> (Run, Run) {
        let word = self
            .free
            .iter()
            .position(|word| *word != 0)
            .expect("no free slot in a region that should have one");
        let mut mask = self.free[word];
        while mask.count_ones() as usize > count {
            mask &= !(1 << (63 - mask.leading_zeros()));
        }
        let unguarded = mask & !self.guarded[word];
        self.free[word] &= !mask;
        self.guarded[word] |= mask;
        self.free_count -= mask.count_ones() as usize;
        (
            Run { word, mask },
            Run {
                word,
                mask: unguarded,
            },
        )
    }

    /// Takes back what `take` gave, but could not be guarded.
    pub fn untake(&mut self, run: Run) {
        self.free[run.word] |= run.mask;
        self.guarded[run.word] &= !run.mask;
        self.free_count += run.mask.count_ones() as usize;
    }

    pub fn put(&mut self, slot: usize) {
        debug_assert!(
            self.free[slot / 64] & 1 << (slot % 64) == 0,
            "slot {slot} was put back twice"
        );
        self.free[slot / 64] |= 1 << (slot % 64);
        self.free_count += 1;
    }
}

impl Run {
    pub fn is_empty(self) -> bool {
        self.mask == 0
    }

    /// The slots, from the lowest.
    pub fn slots(self) -> impl DoubleEndedIterator<Item = usize> {
        (0..64)
            .filter(move |bit| self.mask & 1 << bit != 0)
            .map(move |bit| self.word * 64 + bit)
    }

    /// Those of the slots from `slot` on.
    pub fn from(self, slot: usize) -> Run {
        Run {
            mask: self.mask >> (slot % 64) << (slot % 64),
            ..self
        }
    }

    /// The slots that are not in `other`, a part of this run.
    pub fn without(self, other: Run) -> Run {
        Run {
            mask: self.mask & !other.mask,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits(slots: usize) -> Bits {
        let mut bits = Bits {
            free_count: 0,
            free: [0; WORDS],
            guarded: [0; WORDS],
        };
        bits.restore(0, slots);
        bits
    }

    #[test]
    fn every_slot_is_taken_once() {
        let mut bits = bits(100);
        let mut taken = std::vec::Vec::new();
        while bits.free_count > 0 {
            let (run, unguarded) = bits.take(24);
            assert_eq!(run.mask, unguarded.mask);
            taken.extend(run.slots());
        }
        assert!(taken.into_iter().eq(0..100));
    }

    #[test]
    fn only_idle_units_are_withdrawn() {
        let mut bits = bits(300);
        while bits.free_count > 0 {
            bits.take(64);
        }
        assert_eq!(bits.withdraw(0, 300), None);
        (0..300)
            .filter(|slot| *slot != 70)
            .for_each(|slot| bits.put(slot));
        assert_eq!(bits.withdraw(0, 300), Some((0, 64)));
        assert_eq!(bits.withdraw(64, 300), Some((80, 300)));
        assert_eq!(bits.free_count, 15);
        bits.restore(0, 64);
        bits.restore(80, 300);
        assert_eq!(bits.free_count, 299);
        assert_eq!(
            bits.withdraw(0, 300),
            None,
            "without guards they have no page tables either"
        );
        let (run, unguarded) = bits.take(64);
        assert_eq!(run.mask, unguarded.mask);
    }

    #[test]
    fn guards_outlast_owners_but_failures_do_not_count() {
        let mut bits = bits(64);
        let (run, _) = bits.take(4);
        run.slots().for_each(|slot| bits.put(slot));
        let (run, unguarded) = bits.take(6);
        assert!(unguarded.slots().eq(4..6));
        bits.untake(unguarded.from(5));
        assert!(run.without(unguarded.from(5)).slots().eq(0..5));
        let (_, unguarded) = bits.take(1);
        assert!(unguarded.slots().eq(5..6));
    }
}
