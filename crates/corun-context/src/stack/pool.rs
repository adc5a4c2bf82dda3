//! The stacks that one thread keeps at hand.
//!
//! A pool is a plain vector, last in, first out, so that the stack handed out is the one whose top is still in the cache. It
//! belongs to one thread and has no lock; it goes to the [slab](super::slab) for a run of stacks when it is empty, and gives
//! back what is too much: quickly when its thread has nothing better to do ([`StackPool::trim`]), and slowly, what was not used for a second,
//! while it has ([`StackPool::trim_surplus`]). Slots in the slab are without memory, so that a stack's pages always come from the memory next
//! to the thread that first uses it.

use std::collections::HashMap;
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::region::Region;
use super::slab::{Class, Place, release};
use super::{SlabStack, StackError};

/// How many unused stacks a pool keeps when it is trimmed.
const KEEP: usize = 256;
/// How many stacks one call of `trim` gives back, at the most: about 0.2 ms.
const STEP: usize = 256;
/// The same for `trim_surplus`: about 20 us.
const SMALL_STEP: usize = 32;
/// What was not used for so long is surplus.
const PERIOD: Duration = Duration::from_secs(1);
/// The most stacks fetched from the slab at once; the first fetches are smaller.
const MAX_BATCH: usize = 64;

/// Unused stacks of one size, for one thread: last in, first out.
#[derive(Debug)]
pub struct StackPool {
    unused: Vec<SlabStack>,
    /// So many of `unused`, from the bottom, were not used since they were last trimmed.
    clean: usize,
    /// So many of `unused`, from the bottom, were not used since `period` began.
    low: usize,
    /// So many of these, at the most, are to be given back, because they were not used in the period before either.
    surplus: usize,
    /// When the present period began; `None` before the first.
    period: Option<Instant>,
    batch: usize,
    /// The region to tidy next, and then those before it.
    untidy: Option<&'static Region>,
    /// What came from the slab and has not gone back, at hand or in use: a bit for each of 64 neighbours.
    fetched: HashMap<Place, u64>,
    class: Result<&'static Class, StackError>,
}

impl StackPool {
    /// An empty pool of stacks with at least `size` usable bytes. A size that cannot be is reported by [`take`](Self::take).
    pub fn new(size: usize) -> StackPool {
        StackPool {
            unused: Vec::new(),
            clean: 0,
            low: 0,
            surplus: 0,
            period: None,
            batch: 8,
            untidy: None,
            fetched: HashMap::new(),
            class: Class::of_size(size),
        }
    }

    /// Takes the stack that was put back last, or a new one.
    ///
    /// # Errors
    /// If there is no unused stack and the system gives no memory for another, or the size of the pool's stacks is invalid.
    #[inline]
    pub fn take(&mut self) -> Result<SlabStack, StackError> {
        match self.unused.pop() {
            Some(stack) => Ok(stack),
            None => self.refill(),
        }
    }

    /// Takes the stack that was put back last, if there is one: no system call, and little stack of the caller's own.
    #[inline]
    pub fn take_cached(&mut self) -> Option<SlabStack> {
        self.unused.pop()
    }

    /// Puts a stack back.
    ///
    /// The stack's memory is not touched, so this may be called by code that still runs on it, if that code leaves the stack
    /// for good before anything takes from the pool, trims it or drops it.
    #[inline]
    pub fn put(&mut self, stack: SlabStack) {
        let below = self.unused.len();
        self.clean = self.clean.min(below);
        self.low = self.low.min(below);
        self.unused.push(stack);
    }

    /// Whether [`trim`](Self::trim) has anything to do.
    #[inline]
    pub fn needs_trim(&self) -> bool {
        self.clean < self.unused.len() || self.untidy.is_some()
    }

    /// How many stacks are in the pool.
    pub fn len(&self) -> usize {
        self.unused.len()
    }

    /// Whether the pool has no stack at hand.
    pub fn is_empty(&self) -> bool {
        self.unused.is_empty()
    }

    /// The tops of those stacks that were taken and not put back. To find them takes a while; nothing else is slowed down by it.
    ///
    /// A stack that went elsewhere (it was dropped, or put into another pool) still counts, and one that came from elsewhere does not.
    pub fn in_use(&self) -> Vec<*mut u8> {
        let mut used = self.fetched.clone();
        for (place, bit) in self.unused.iter().map(SlabStack::place) {
            if let Some(bits) = used.get_mut(&place) {
                *bits &= !bit;
            }
        }
        used.into_iter()
            .flat_map(|(place, bits)| place.tops(bits))
            .collect()
    }

    /// Does a step of giving memory back to the system: stacks above the number worth keeping go back to the slab with all
    /// their pages, and then the page tables behind them; the others lose the pages below the first few.
    ///
    /// A step takes about a millisecond at most; call it while [`needs_trim`](Self::needs_trim), when there is nothing better to
    /// do. It must not be called on one of the pool's own stacks.
    pub fn trim(&mut self) {
        if self.unused.len() > KEEP {
            self.release_surplus();
        } else if self.clean < self.unused.len() {
            for stack in &self.unused[self.clean..] {
                stack.discard_depth();
            }
            self.clean = self.unused.len();
        } else if let Some(region) = self.untidy {
            region.tidy();
            self.untidy = region.older_sibling();
        }
    }

    /// Does a small step of giving back stacks that were not used for a second, for a thread that is never idle for long.
    ///
    /// Call it many times a second: it does nothing most of the time, and takes some 20 us if it does. It must not be called on one
    /// of the pool's own stacks.
    pub fn trim_surplus(&mut self, now: Instant) {
        // `put` keeps this; those who take, far more often, leave it to this.
        self.low = self.low.min(self.unused.len());
        // A pool that never had many stacks has none too many.
        if self.unused.len() <= KEEP && self.surplus == 0 {
            self.low = 0;
            self.period = None;
            return;
        }
        if self.surplus > 0 {
            let end = self.surplus.min(self.low);
            self.surplus = end.saturating_sub(SMALL_STEP);
            self.release(self.surplus, end);
            if self.surplus == 0 {
                self.unused.shrink_to(2 * self.unused.len());
                self.untidy = self.class.ok().and_then(|class| class.regions().next());
            }
        } else if self
            .period
            .is_none_or(|began| now.duration_since(began) >= PERIOD)
        {
            if self.period.is_some() {
                self.surplus = self.low.saturating_sub(KEEP);
            }
            self.low = self.unused.len();
            self.period = Some(now);
        }
    }

    fn release_surplus(&mut self) {
        // Those just below the ones to keep, so that little has to move.
        let end = self.unused.len() - KEEP;
        self.release(end.saturating_sub(STEP), end);
        if self.unused.len() <= KEEP {
            self.unused.shrink_to(2 * KEEP);
            self.untidy = self.class.ok().and_then(|class| class.regions().next());
        }
    }

    /// Gives these of the unused stacks back to the slab.
    fn release(&mut self, start: usize, end: usize) {
        let mut stacks: Vec<SlabStack> = self.unused.drain(start..end).collect();
        for (place, bit) in stacks.iter().map(SlabStack::place) {
            if let Some(bits) = self.fetched.get_mut(&place) {
                *bits &= !bit;
                if *bits == 0 {
                    self.fetched.remove(&place);
                }
            }
        }
        release(&mut stacks);
        for mark in [&mut self.clean, &mut self.low] {
            *mark -= (*mark).min(end) - (*mark).min(start);
        }
    }

    #[cold]
    #[inline(never)]
    fn refill(&mut self) -> Result<SlabStack, StackError> {
        let class = self.class?;
        let before = self.unused.len();
        class.take(self.batch, &mut self.unused)?;
        for (place, bit) in self.unused[before..].iter().map(SlabStack::place) {
            *self.fetched.entry(place).or_default() |= bit;
        }
        self.batch = (self.batch * 2).min(MAX_BATCH);
        let stack = self
            .unused
            .pop()
            .expect("the slab gave no stack and no error");
        self.clean = self.unused.len();
        Ok(stack)
    }
}

impl Drop for StackPool {
    fn drop(&mut self) {
        release(&mut self.unused);
        let regions = self.class.iter().flat_map(|class| class.regions());
        regions.for_each(Region::tidy);
    }
}
