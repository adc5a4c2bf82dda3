//! Unit tests of `table.rs`, which the models include without them.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::number::{Kind, LAST_GENERATION, Object};
use crate::status;
use crate::table::{insert, release, retain, visit};

struct Thing(Arc<AtomicUsize>);

impl Object for Thing {
    const KIND: Kind = Kind::Mutex;
    const NAME: &'static str = "thing";
}

impl Drop for Thing {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Other;

impl Object for Other {
    const KIND: Kind = Kind::Semaphore;
    const NAME: &'static str = "other";
}

fn refused<T: Object>(handle: *mut ()) -> bool {
    visit::<T, ()>(handle).is_err_and(|failure| failure.status() == status::ERR_HANDLE)
}

#[test]
fn the_last_to_leave_drops_the_object_and_the_handle_is_dead_for_ever() {
    let drops = Arc::new(AtomicUsize::new(0));
    let handle: *mut () = insert(Thing(Arc::clone(&drops))).unwrap();
    let inside = visit::<Thing, ()>(handle).unwrap();
    retain::<Thing, ()>(handle).unwrap();
    drop(release::<Thing, ()>(handle).unwrap());
    assert!(visit::<Thing, ()>(handle).is_ok());
    drop(release::<Thing, ()>(handle).unwrap());
    assert!(refused::<Thing>(handle));
    assert_eq!(drops.load(Ordering::Relaxed), 0, "somebody is inside");
    drop(inside);
    assert_eq!(drops.load(Ordering::Relaxed), 1);
    // The slot is used again, and the old handle stays what it is.
    let others: Vec<*mut ()> = (0..100).map(|_| insert(Other).unwrap()).collect();
    assert!(refused::<Thing>(handle));
    assert!(refused::<Thing>(others[0]));
    assert!(!others.contains(&handle));
    others
        .into_iter()
        .for_each(|other| drop(release::<Other, ()>(other).unwrap()));
}

#[test]
fn numbers_that_are_no_handles() {
    for bits in [
        0,
        1,
        0x7fff_1234_5678,
        usize::MAX,
        0xc7 << 56 | 0xffff_ffff,
        0xc7 << 56 | 5 << 52,
    ] {
        assert!(
            refused::<Thing>(ptr::without_provenance_mut(bits)),
            "{bits:#x}"
        );
    }
}

#[test]
fn a_slot_is_given_up_before_its_generations_repeat() {
    let mut seen: *mut () = insert(Other).unwrap();
    let first = seen;
    let mut slots_used = std::collections::HashSet::new();
    for _ in 0..3 * (LAST_GENERATION + 1) {
        drop(release::<Other, ()>(seen).unwrap());
        seen = insert(Other).unwrap();
        slots_used.insert(seen.addr() as u32);
        assert_ne!(seen, first);
    }
    assert!(slots_used.len() >= 3, "{}", slots_used.len());
}

#[test]
fn threads_that_come_and_go_while_the_handle_is_released() {
    for _ in 0..200 {
        let drops = Arc::new(AtomicUsize::new(0));
        let handle = insert::<Thing, ()>(Thing(Arc::clone(&drops)))
            .unwrap()
            .addr();
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    while let Ok(thing) = visit::<Thing, ()>(ptr::without_provenance_mut(handle)) {
                        assert_eq!(thing.0.load(Ordering::Relaxed), 0);
                    }
                });
            }
            std::thread::yield_now();
            drop(release::<Thing, ()>(ptr::without_provenance_mut(handle)).unwrap());
        });
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    }
}
