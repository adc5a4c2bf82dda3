//! Objects with a slot of their own.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::primitive::{Mistake, with_mistake};
use crate::table::{Kind, Object, insert, release, retain, visit};
use crate::{Handle, check, slots};

/// What visitors look at, and whoever is last takes apart.
struct Thing {
    number: UnsafeCell<u32>,
    drops: Arc<UnsafeCell<u32>>,
}

// SAFETY: it is for loom to find out whether it is used as it must be.
unsafe impl Send for Thing {}
// SAFETY: as above.
unsafe impl Sync for Thing {}

impl Object for Thing {
    const KIND: Kind = Kind::Mutex;
    const NAME: &'static str = "thing";
}

impl Thing {
    fn number(&self) -> u32 {
        // SAFETY: as above.
        self.number.with(|number| unsafe { *number })
    }
}

impl Drop for Thing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        // SAFETY: as above.
        self.number.with_mut(|number| unsafe { *number = 0 });
        // SAFETY: as above.
        self.drops.with_mut(|drops| unsafe { *drops += 1 });
    }
}

struct Drops(Arc<UnsafeCell<u32>>);

impl Drops {
    fn new() -> Drops {
        Drops(Arc::new(UnsafeCell::new(0)))
    }

    fn thing(&self, number: u32) -> Thing {
        Thing {
            number: UnsafeCell::new(number),
            drops: Arc::clone(&self.0),
        }
    }

    fn get(&self) -> u32 {
        // SAFETY: as above.
        self.0.with(|drops| unsafe { *drops })
    }
}

/// Two look, one of them with a reference of its own, while the handle is released and its place used again.
fn looked_at_and_released() {
    let drops = Drops::new();
    let handle = Handle(insert::<Thing, ()>(drops.thing(1)).unwrap());
    let looker = thread::spawn(move || {
        if let Ok(thing) = visit::<Thing, ()>(handle.get()) {
            assert_eq!(thing.number(), 1, "what the old handle was of");
        }
    });
    let keeper = thread::spawn(move || {
        if retain::<Thing, ()>(handle.get()).is_ok() {
            let thing = release::<Thing, ()>(handle.get()).unwrap();
            assert_eq!(thing.number(), 1);
        }
    });
    drop(release::<Thing, ()>(handle.get()).unwrap());
    let others = Drops::new();
    let other = insert::<Thing, ()>(others.thing(2)).unwrap();
    assert_ne!(other, handle.get());
    assert_eq!(visit::<Thing, ()>(other).unwrap().number(), 2);
    looker.join().unwrap();
    keeper.join().unwrap();
    assert!(visit::<Thing, ()>(handle.get()).is_err());
    assert_eq!((drops.get(), others.get()), (1, 0));
    drop(release::<Thing, ()>(other).unwrap());
    assert_eq!(others.get(), 1);
    assert_eq!(slots::free(), 2);
}

#[test]
fn an_old_handle_shows_nothing_else_and_the_last_one_drops_it() {
    check(3, looked_at_and_released);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn with_relaxed_operations_it_is_seen_before_it_is_there_or_after_it_has_gone() {
    with_mistake(Mistake::Relaxed, || check(3, looked_at_and_released));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn without_fences_it_is_dropped_under_the_eyes_of_another() {
    with_mistake(Mistake::NoFences, || check(3, looked_at_and_released));
}
