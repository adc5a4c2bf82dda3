//! The stacks of one worker: a pool of the default size, and one for each other size that was asked for.
//!
//! Stacks are first touched by the worker that takes them and come back to its pool, so their memory stays on its NUMA node.

use std::time::Instant;

use corun_context::stack::{SlabStack, Stack, StackError, StackPool};

pub(crate) struct Stacks {
    default: StackPool,
    default_size: usize,
    /// Few sizes are in use in any program: a list beats a map.
    others: Vec<(usize, StackPool)>,
}

/// A stack and the size class that it goes back to.
pub(crate) struct Pooled {
    stack: SlabStack,
    /// The size asked for; 0 is the default.
    size: usize,
}

impl Pooled {
    #[inline(always)]
    pub(crate) fn top(&self) -> *mut u8 {
        self.stack.top()
    }

    #[inline(always)]
    pub(crate) fn is_default(&self) -> bool {
        self.size == 0
    }
}

impl Stacks {
    pub(crate) fn new(default_size: usize) -> Stacks {
        Stacks {
            default: StackPool::new(default_size),
            default_size,
            others: Vec::new(),
        }
    }

    /// A stack of the default size, if one is at hand without a system call.
    #[inline(always)]
    pub(crate) fn take_cached(&mut self) -> Option<Pooled> {
        Some(Pooled {
            stack: self.default.take_cached()?,
            size: 0,
        })
    }

    pub(crate) fn take(&mut self, size: usize) -> Result<Pooled, StackError> {
        let size = if size == self.default_size { 0 } else { size };
        Ok(Pooled {
            stack: self.pool(size).take()?,
            size,
        })
    }

    #[inline(always)]
    pub(crate) fn put(&mut self, stack: Pooled) {
        let pool = if stack.size == 0 {
            &mut self.default
        } else {
            self.pool(stack.size)
        };
        pool.put(stack.stack);
    }

    fn pool(&mut self, size: usize) -> &mut StackPool {
        if size == 0 {
            return &mut self.default;
        }
        let position = self
            .others
            .iter()
            .position(|(of, _)| *of == size)
            .unwrap_or_else(|| {
                self.others.push((size, StackPool::new(size)));
                self.others.len() - 1
            });
        &mut self.others[position].1
    }

    fn pools(&mut self) -> impl Iterator<Item = &mut StackPool> {
        std::iter::once(&mut self.default).chain(self.others.iter_mut().map(|(_, pool)| pool))
    }

    /// The tops of the stacks that are in use.
    pub(crate) fn in_use(&mut self) -> Vec<*mut u8> {
        self.pools().flat_map(|pool| pool.in_use()).collect()
    }

    /// Is there memory of unused stacks to give back?
    pub(crate) fn need_trim(&mut self) -> bool {
        self.pools().any(|pool| pool.needs_trim())
    }

    /// Takes one step of giving it back.
    pub(crate) fn trim(&mut self) {
        if let Some(pool) = self.pools().find(|pool| pool.needs_trim()) {
            pool.trim();
        }
    }

    /// Gives back a few of the stacks that were not used for a second, if there are any.
    pub(crate) fn trim_surplus(&mut self, now: Instant) {
        self.pools().for_each(|pool| pool.trim_surplus(now));
    }
}
