//! Two slots, whose words loom watches: no read of one may race with a write.

use loom::cell::UnsafeCell;
use loom::sync::Mutex;

use crate::primitive::atomic::AtomicU64;

pub struct Slot {
    pub state: AtomicU64,
    word: UnsafeCell<*mut ()>,
}

// SAFETY: it is for loom to find out whether it is used as it must be.
unsafe impl Sync for Slot {}
// SAFETY: as above.
unsafe impl Send for Slot {}

impl Slot {
    fn new() -> Slot {
        Slot {
            state: AtomicU64::new(0),
            word: UnsafeCell::new(std::ptr::null_mut()),
        }
    }

    pub fn set_word(&self, word: *mut ()) {
        // SAFETY: as above.
        self.word.with_mut(|place| unsafe { *place = word });
    }

    pub fn word(&self) -> *mut () {
        // SAFETY: as above.
        self.word.with(|place| unsafe { *place })
    }

    pub fn word_place(&self) -> *const *mut () {
        self.word.with(|place| place)
    }
}

struct Table {
    slots: [Slot; 2],
    free: Mutex<Vec<u32>>,
}

loom::lazy_static! {
    static ref TABLE: Table = Table {
        slots: [Slot::new(), Slot::new()],
        free: Mutex::new(vec![1, 0]),
    };
}

fn table() -> &'static Table {
    &TABLE
}

pub fn get(index: u32) -> Option<&'static Slot> {
    table().slots.get(index as usize)
}

/// The one that was given back last.
pub fn take() -> Option<(u32, &'static Slot)> {
    let index = table().free.lock().unwrap().pop()?;
    Some((index, get(index)?))
}

pub fn put(slot: &'static Slot) {
    let is_it = |other: &Slot| std::ptr::eq(slot, other);
    let index = table().slots.iter().position(is_it).expect("one of ours");
    table().free.lock().unwrap().push(index as u32);
}

/// How many are free.
pub fn free() -> usize {
    table().free.lock().unwrap().len()
}

pub fn count(_: u64) {}
