//! A pool of stacks on Windows: each in a reservation of its own, and the last ones that were used kept.
//!
//! The system hands out addresses in steps of 64 KiB, and commits a stack as a whole, so that slabs of many stacks would gain nothing here.

use std::collections::HashSet;
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::{OsStack, Stack, StackError};

/// So many unused stacks are kept.
const KEEP: usize = 64;

/// How many are given back at once.
const STEP: usize = 64;

/// What was unused all the time for so long is surplus.
const PERIOD: Duration = Duration::from_secs(1);

/// A stack from a [`StackPool`].
#[derive(Debug)]
pub struct SlabStack(OsStack);

// SAFETY: the bounds of the stack that this value owns.
unsafe impl Stack for SlabStack {
    #[inline]
    fn top(&self) -> *mut u8 {
        self.0.top()
    }

    #[inline]
    fn limit(&self) -> *mut u8 {
        self.0.limit()
    }
}

/// Stacks of one size for one thread: those that come back are handed out again, the last one first.
#[derive(Debug)]
pub struct StackPool {
    size: usize,
    unused: Vec<SlabStack>,
    /// The tops of those that were handed out and have not come back.
    used: HashSet<usize>,
    /// The fewest that were unused at a time since `period` began.
    low: usize,
    period: Option<Instant>,
}

impl StackPool {
    /// A pool of stacks with `size` usable bytes, rounded up to whole pages. An unusable size is reported when the first stack is taken.
    pub fn new(size: usize) -> StackPool {
        StackPool {
            size,
            unused: Vec::new(),
            used: HashSet::new(),
            low: 0,
            period: None,
        }
    }

    /// Takes a stack.
    ///
    /// # Errors
    /// If the size is out of range, or the system gives no memory.
    pub fn take(&mut self) -> Result<SlabStack, StackError> {
        if let Some(stack) = self.take_cached() {
            return Ok(stack);
        }
        let stack = SlabStack(OsStack::new(self.size)?);
        self.used.insert(stack.top().expose_provenance());
        Ok(stack)
    }

    /// Takes a stack, if one is at hand without a system call.
    pub fn take_cached(&mut self) -> Option<SlabStack> {
        let stack = self.unused.pop()?;
        self.low = self.low.min(self.unused.len());
        self.used.insert(stack.top().expose_provenance());
        Some(stack)
    }

    /// Takes a stack back. The caller may still run on it, so that its memory stays where it is.
    pub fn put(&mut self, stack: SlabStack) {
        self.used.remove(&stack.top().addr());
        self.unused.push(stack);
    }

    /// Is there memory of unused stacks to give back by [`trim`](StackPool::trim)?
    pub fn needs_trim(&self) -> bool {
        self.unused.len() > KEEP
    }

    /// How many unused stacks there are.
    pub fn len(&self) -> usize {
        self.unused.len()
    }

    /// Whether there is no unused stack.
    pub fn is_empty(&self) -> bool {
        self.unused.is_empty()
    }

    /// The tops of the stacks that were taken and have not come back.
    pub fn in_use(&self) -> Vec<*mut u8> {
        let tops = self.used.iter();
        tops.map(|&top| core::ptr::with_exposed_provenance_mut(top))
            .collect()
    }

    /// Gives a few of the stacks back that are too many to keep. Not to be called on one of them.
    pub fn trim(&mut self) {
        self.release(self.unused.len().saturating_sub(KEEP));
    }

    /// Gives back a few of the stacks that were not used for a second, if there are any. Not to be called on one of them.
    pub fn trim_surplus(&mut self, now: Instant) {
        match self.period {
            Some(began) if now.duration_since(began) < PERIOD => return,
            Some(_) => self.release(self.low.saturating_sub(KEEP)),
            None => {}
        }
        self.low = self.unused.len();
        self.period = Some(now);
    }

    /// Those that were used the longest time ago are at the front.
    fn release(&mut self, count: usize) {
        self.unused.drain(..count.min(STEP).min(self.unused.len()));
    }
}
