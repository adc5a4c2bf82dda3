//! Where the slots of the handle table come from, and where they go.
//!
//! Slots lie in segments of growing size, which are never given back; so anybody may look at any slot at any time. Free ones are kept in lists, one for
//! some of the threads, and what is too much in one goes to a common one, so that makers and releasers may be different threads.

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One place of the table: see `table.rs`.
pub(crate) struct Slot {
    pub(crate) state: AtomicU64,
    /// The object, or where it is.
    word: AtomicPtr<()>,
}

impl Slot {
    const fn empty() -> Slot {
        Slot {
            state: AtomicU64::new(0),
            word: AtomicPtr::new(ptr::null_mut()),
        }
    }

    #[inline(always)]
    pub(crate) fn set_word(&self, word: *mut ()) {
        self.word.store(word, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(crate) fn word(&self) -> *mut () {
        self.word.load(Ordering::Relaxed)
    }

    /// For whoever is inside: nobody writes it meanwhile.
    #[inline(always)]
    pub(crate) fn word_place(&self) -> *const *mut () {
        self.word.as_ptr().cast_const()
    }
}

const FIRST: usize = 1024;
const SEGMENTS: usize = 22;
const SHARDS: usize = 16;
/// So many slots go from and to the common list at once.
const BATCH: usize = 64;
const MOST: usize = 4 * BATCH;

/// Segment k has `FIRST << k` slots.
static SEGMENT: [AtomicPtr<Slot>; SEGMENTS] = [const { AtomicPtr::new(ptr::null_mut()) }; SEGMENTS];
static COMMON: Mutex<Common> = Mutex::new(Common {
    free: Vec::new(),
    made: 0,
});
static SHARD: [Shard; SHARDS] = [const { Shard(Mutex::new(Vec::new())) }; SHARDS];

struct Common {
    free: Vec<u32>,
    /// The slots from here on were never used.
    made: u32,
}

#[repr(align(64))]
struct Shard(Mutex<Vec<u32>>);

fn place(index: u32) -> (usize, usize) {
    let shifted = index as usize + FIRST;
    let segment = (shifted / FIRST).ilog2() as usize;
    (segment, shifted - (FIRST << segment))
}

/// A slot that there is.
#[inline]
pub(crate) fn get(index: u32) -> Option<&'static Slot> {
    let (segment, offset) = place(index);
    // Acquire pairs with the release in `make`.
    let first = SEGMENT.get(segment)?.load(Ordering::Acquire);
    // SAFETY: a segment has so many slots that every offset of it is inside, and lives for ever.
    (!first.is_null()).then(|| unsafe { &*first.add(offset) })
}

/// A free slot; `None` if there are no more. Never inlined: see `cell.rs`.
#[inline(never)]
pub(crate) fn take() -> Option<(u32, &'static Slot)> {
    let mut mine = lock(&SHARD[shard() % SHARDS].0);
    if mine.is_empty() {
        refill(&mut mine);
    }
    let index = mine.pop()?;
    Some((index, get(index)?))
}

/// Gives one back. Never inlined: see `cell.rs`.
#[inline(never)]
pub(crate) fn put(slot: &'static Slot) {
    put_index(index_of(slot));
}

/// The number of a slot, by the segment that its address is in.
fn index_of(slot: &'static Slot) -> u32 {
    let address = ptr::from_ref(slot).addr();
    for (segment, first) in SEGMENT.iter().enumerate() {
        let first = first.load(Ordering::Acquire).addr();
        let offset = address.wrapping_sub(first) / size_of::<Slot>();
        if first != 0 && address >= first && offset < FIRST << segment {
            return ((FIRST << segment) - FIRST + offset) as u32;
        }
    }
    unreachable!("a slot lies in a segment");
}

fn put_index(index: u32) {
    let mut mine = lock(&SHARD[shard() % SHARDS].0);
    mine.push(index);
    if mine.len() > MOST {
        let surplus = mine.len() - BATCH;
        let surplus: Vec<u32> = mine.drain(..surplus).collect();
        lock(&COMMON).free.extend(surplus);
    }
}

#[cold]
fn refill(mine: &mut Vec<u32>) {
    let mut common = lock(&COMMON);
    let kept = common.free.len().saturating_sub(BATCH);
    mine.extend(common.free.drain(kept..));
    while mine.len() < BATCH {
        let index = common.made;
        let (segment, _) = place(index);
        if segment >= SEGMENTS {
            return;
        }
        if SEGMENT[segment].load(Ordering::Relaxed).is_null() {
            let slots: Box<[Slot]> = (0..FIRST << segment).map(|_| Slot::empty()).collect();
            SEGMENT[segment].store(Box::leak(slots).as_mut_ptr(), Ordering::Release);
        }
        common.made += 1;
        mine.push(index);
    }
}

/// Which list this thread uses. Never inlined: see `cell.rs`.
#[inline(never)]
pub(crate) fn shard() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static MINE: Cell<usize> = const { Cell::new(usize::MAX) });
    MINE.with(|mine| {
        if mine.get() == usize::MAX {
            mine.set(NEXT.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        mine.get()
    })
}

/// How many handles there are.
static LIVE: [Count; SHARDS] = [const { Count(AtomicU64::new(0)) }; SHARDS];

#[repr(align(64))]
struct Count(AtomicU64);

/// How many handles there are now.
pub(crate) fn live() -> u64 {
    let sum = LIVE.iter().map(|count| count.0.load(Ordering::Relaxed));
    // Each is a difference, which may be below zero.
    sum.fold(0, u64::wrapping_add)
}

/// Counts handles that are made; or given up, by a difference below zero.
pub(crate) fn count(difference: u64) {
    let mine = shard() % LIVE.len();
    LIVE[mine].0.fetch_add(difference, Ordering::Relaxed);
}

/// Nothing in here panics half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other() {
        let mut expected = (0, 0);
        let taken: Vec<_> = (0..5_000).map(|_| take().expect("a slot")).collect();
        for (index, slot) in taken {
            assert_eq!(index_of(slot), index);
            put(slot);
        }
        for index in 0..20_000 {
            assert_eq!(place(index), expected, "{index}");
            expected.1 += 1;
            if expected.1 == FIRST << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert!(
            place(u32::MAX).0 >= SEGMENTS,
            "the table ends before the numbers do"
        );
    }

    #[test]
    fn slots_that_others_give_back_are_used_again() {
        let before = lock(&COMMON).made;
        for _ in 0..20 {
            let taken: Vec<u32> = (0..5_000).map(|_| take().expect("a slot").0).collect();
            std::thread::spawn(move || taken.into_iter().for_each(put_index))
                .join()
                .expect("no panic");
        }
        assert!(lock(&COMMON).made < before + 20_000);
    }
}
