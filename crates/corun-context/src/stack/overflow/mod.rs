//! The report of a stack overflow.
//!
//! An overflow meets the guard below the stack, which raises SIGSEGV (SIGBUS on some systems). [`install`] sets a handler that tells
//! such faults from all others by their address. It reports an overflow through the function that
//! [`set_reporter`] was given, or a plain message, and then aborts the process, as std does for its threads: nothing is sound after an
//! overflow, so nothing is unwound. Any other fault goes to whoever handled the signal before, so std's own report, a
//! debugger's or a sanitizer's handler all go on working.
//!
//! The handler needs a stack of its own, which [`AltStack`] gives to a thread. Threads made by std have a small one already.

mod alt;
mod handler;

pub use alt::AltStack;
pub use handler::{install, set_reporter};

use super::os;
use super::region::Region;

/// A stack that has overflowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overflow {
    /// The address in the guard that was touched.
    pub address: usize,
    /// The stack's [`top`](super::Stack::top).
    pub top: usize,
    /// The stack's [`limit`](super::Stack::limit).
    pub limit: usize,
}

impl Overflow {
    /// The stack whose guard an address lies in. Takes no lock, so that it can be called in a signal handler.
    ///
    /// # Examples
    /// ```
    /// use corun_context::stack::{DEFAULT_SIZE, SlabStack, Stack, overflow::Overflow};
    ///
    /// let stack = SlabStack::new(DEFAULT_SIZE)?;
    /// let below = Overflow::at(stack.limit() as usize - 1).unwrap();
    /// assert_eq!(below.top, stack.top() as usize);
    /// assert_eq!(Overflow::at(stack.limit() as usize), None);
    /// # Ok::<(), corun_context::stack::StackError>(())
    /// ```
    pub fn at(address: usize) -> Option<Overflow> {
        if let Some(region) = Region::find(address) {
            let slot = region.slot_of(address);
            let (limit, top) = (region.limit(slot), region.top(slot));
            return (address < limit).then_some(Overflow {
                address,
                top,
                limit,
            });
        }
        let (limit, top) = os::find_guard(address)?;
        Some(Overflow {
            address,
            top,
            limit,
        })
    }

    /// How many bytes the stack has.
    pub fn usable_size(&self) -> usize {
        self.top - self.limit
    }
}
