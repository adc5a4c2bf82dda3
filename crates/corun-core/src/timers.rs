//! Who wakes when.
//!
//! An ordered map rather than a heap: a wait that ends before its time takes its timer away again, so that timers never outlive their waits, and
//! 10,000 timeouts that do not happen leave nothing behind.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use core::time::Duration;

use crate::task::Task;

/// The deadline, and a number that tells timers of the same moment apart: they fire in the order in which they were set.
pub(crate) type Key = (Duration, u64);

#[derive(Default)]
pub(crate) struct Timers {
    map: BTreeMap<Key, Rc<Task>>,
    set: u64,
}

impl Timers {
    pub(crate) fn set(&mut self, deadline: Duration, task: Rc<Task>) -> Key {
        self.set += 1;
        let key = (deadline, self.set);
        self.map.insert(key, task);
        key
    }

    pub(crate) fn take_back(&mut self, key: Key) {
        self.map.remove(&key);
    }

    pub(crate) fn next(&self) -> Option<Duration> {
        self.map
            .first_key_value()
            .map(|((deadline, _), _)| *deadline)
    }

    /// The next task whose deadline has come.
    pub(crate) fn pop_due(&mut self, now: Duration) -> Option<Rc<Task>> {
        let first = self.map.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}
