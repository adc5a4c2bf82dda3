//! Two ends in one slot, as a future and its promise (`promise.rs`): the second end is taken out by whoever gives up its one reference, while others look at it,
//! and the first end, and with it the slot's word, come and go meanwhile.

use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::primitive::atomic::{AtomicU64, Ordering, fence};
use crate::primitive::{Mistake, with_mistake};
use crate::table::{Counts, Kind, Object, insert_both, release, visit};
use crate::{Handle, check, slots};

/// What both ends refer to.
struct Block {
    references: AtomicU64,
    /// What is the second end's: visitors look, and who takes it out changes it.
    kept: UnsafeCell<u32>,
}

/// The first end, and in place of the second: the address of a block.
struct Share(NonNull<Block>);

// SAFETY: it is for loom to find out whether it is used as it must be.
unsafe impl Send for Share {}
// SAFETY: as above.
unsafe impl Sync for Share {}

impl Share {
    fn block(&self) -> &Block {
        // SAFETY: a share is a reference, or in the place of one.
        unsafe { self.0.as_ref() }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        if self.block().references.fetch_sub(1, Ordering::Release) == 1 {
            fence(Ordering::Acquire);
            // SAFETY: this was the last.
            let block = unsafe { Box::from_raw(self.0.as_ptr()) };
            // Whoever has looked has done so before.
            block.kept.with_mut(|_| ());
        }
    }
}

impl Object for Share {
    const KIND: Kind = Kind::Future;
    const NAME: &'static str = "first end";
    const COUNTS: Counts = Counts::MOST;
}

/// In place of the second end, whose reference was forgotten.
struct Second(ManuallyDrop<Share>);

impl Object for Second {
    const KIND: Kind = Kind::Promise;
    const SLOT: Kind = Kind::Future;
    const NAME: &'static str = "second end";
    const COUNTS: Counts = Counts::FEW;
}

fn ends(number: u32) -> (Handle, Handle) {
    let block = Box::new(Block {
        references: AtomicU64::new(2),
        kept: UnsafeCell::new(number),
    });
    let share = Share(NonNull::from(Box::leak(block)));
    let (first, second) = insert_both::<Share, Second, (), ()>(share).unwrap();
    (Handle(first), Handle(second))
}

/// Takes the second end out, as `redeem` does, and keeps it. Returns whether this call did.
fn redeem(second: Handle, alone: bool) -> bool {
    let Ok(visit) = release::<Second, ()>(second.get()) else {
        return false;
    };
    if alone {
        visit.alone();
    }
    let share = Share(visit.0.0);
    drop(visit);
    // SAFETY: nobody else has it any more.
    share.block().kept.with_mut(|kept| unsafe { *kept = 0 });
    true
}

fn look(second: Handle) {
    if let Ok(visit) = visit::<Second, ()>(second.get()) {
        // SAFETY: who takes it out waits for this visit.
        let number = visit.0.block().kept.with(|kept| unsafe { *kept });
        assert_eq!(number, 1, "it was not kept, and is not another");
    }
}

/// One looks at the second end and another keeps it, while the first goes and the slot is used again.
fn kept_and_looked_at(alone: bool) {
    let (first, second) = ends(1);
    let looker = thread::spawn(move || look(second));
    let keeper = thread::spawn(move || assert!(redeem(second, alone)));
    drop(release::<Share, ()>(first.get()).unwrap());
    assert!(visit::<Share, ()>(first.get()).is_err());
    looker.join().unwrap();
    keeper.join().unwrap();
    assert!(visit::<Second, ()>(second.get()).is_err());
    assert_eq!(slots::free(), 2);
}

/// The two ends go at once, and others come into their place.
fn both_go() {
    let (first, second) = ends(1);
    let keeper = thread::spawn(move || {
        assert!(redeem(second, true));
        // Perhaps in the same place.
        let (first, second) = ends(2);
        assert!(redeem(second, true));
        drop(release::<Share, ()>(first.get()).unwrap());
    });
    let looker = thread::spawn(move || {
        if let Ok(share) = visit::<Share, ()>(first.get()) {
            assert_ne!(share.block().references.load(Ordering::Relaxed), 0);
        }
    });
    drop(release::<Share, ()>(first.get()).unwrap());
    keeper.join().unwrap();
    looker.join().unwrap();
    assert!(visit::<Share, ()>(first.get()).is_err());
    assert_eq!(slots::free(), 2);
}

/// Two want to keep it: one does.
fn kept_by_one() {
    let (first, second) = ends(1);
    let other = thread::spawn(move || redeem(second, true));
    let mine = redeem(second, true);
    assert_ne!(mine, other.join().unwrap());
    drop(release::<Share, ()>(first.get()).unwrap());
    assert_eq!(slots::free(), 2);
}

#[test]
fn who_keeps_it_waits_for_those_who_look() {
    check(3, || kept_and_looked_at(true));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn who_does_not_wait_changes_it_under_their_eyes() {
    check(3, || kept_and_looked_at(false));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_looks_and_changes_are_not_in_order() {
    with_mistake(Mistake::Relaxed, || check(3, || kept_and_looked_at(true)));
}

#[test]
fn the_last_end_gives_the_place_back() {
    check(3, both_go);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_fences_the_place_is_used_again_under_the_eyes_of_the_other_end() {
    with_mistake(Mistake::NoFences, || check(3, both_go));
}

#[test]
fn one_of_two_keeps_it() {
    check(3, kept_by_one);
}
