//! Handles: numbers in the shape of pointers, which a table knows.
//!
//! # Why
//! C code uses handles that are freed, NULL, or of something else. Reference-counted pointers with a magic word would have to touch memory to
//! find out, which may be gone. A number with a generation is told from an old one by the table alone, whose slots are never given back. It costs a
//! compare-and-swap on the way in and a subtraction on the way out, some ten nanoseconds together; a registry of pointers would cost a hash and a lock.
//!
//! # Invariants
//! - A slot's state is one word: how often the slot was used before (the generation), what it holds, how many references the user has
//!   (*owners*), and how many calls are inside (*visitors*). A visitor comes in by a compare-and-swap that finds its own generation and kind, and
//!   at least one owner; so nobody comes in once the last owner has gone.
//! - Whoever makes both counts zero, visitor or owner, is the only one who does: it drops the object, and puts the slot back with the next generation.
//! - A future and its promise share a slot, each with bits of its own in both counts. Who makes both of an end zero ends that end; who makes
//!   all zero puts the slot back. An end may find the slot another's when it drops its object, whose word it has read before.
//! - A slot whose generations are used up is not put back: a handle never comes to life again. That loses 16 bytes in a million uses.
//! - The bits of a handle are no canonical address, so that whoever dereferences it is stopped at once.
//!
//! Tests: below, and `tests/handles.rs`.

use std::marker::PhantomData;
use std::mem;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering, fence};
use std::thread;

use crate::failure::{Failure, Outcome};
use crate::slots::{self, Slot};
use crate::status;

/// What a handle is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Runtime = 1,
    Task,
    Future,
    /// In the slot of its future.
    Promise,
    Channel,
    Key,
    Mutex,
    Semaphore,
    WaitGroup,
    Coroutine,
    Schedule,
    EventLoop,
    Event,
}

/// What a handle can refer to.
pub(crate) trait Object: Send + Sync + 'static {
    const KIND: Kind;
    /// What the slot is of: of something else for the handle of an end that it shares.
    const SLOT: Kind = Self::KIND;
    /// What it is called in messages.
    const NAME: &'static str;
    /// Which of the state's bits count its owners and visitors.
    const COUNTS: Counts = Counts::ALL;

    /// The user has given up the last reference; calls may still be inside.
    fn abandoned(&self) {}
}

const VISITOR: u64 = 1;
const VISITORS: u64 = (1 << 24) - 1;
const OWNER: u64 = 1 << 24;
const OWNERS: u64 = 0xffff << 24;
const KIND_SHIFT: u32 = 40;
const GENERATION: u64 = 1 << 44;

/// The bits of a state that count owners and visitors: all, or those of one of two ends that share a slot.
pub(crate) struct Counts {
    visitor: u64,
    visitors: u64,
    owner: u64,
    owners: u64,
}

impl Counts {
    pub(crate) const ALL: Counts = Counts {
        visitor: VISITOR,
        visitors: VISITORS,
        owner: OWNER,
        owners: OWNERS,
    };
    /// The end with most of them: 20 bits of visitors.
    pub(crate) const MOST: Counts = Counts {
        visitor: 1,
        visitors: (1 << 20) - 1,
        owner: OWNER,
        owners: OWNERS,
    };
    /// The end with one owner, and up to 7 visitors, which do not wait inside.
    pub(crate) const FEW: Counts = Counts {
        visitor: 1 << 20,
        visitors: 7 << 20,
        owner: 1 << 23,
        owners: 1 << 23,
    };
}

/// The part of a state that a handle has to agree with.
const IDENTITY: u64 = !(VISITORS | OWNERS);
const LAST_GENERATION: u64 = (1 << 20) - 1;

/// How the numbers of handles begin.
const MARK: u64 = 0xc0;

/// How many handles there are.
static LIVE: [Count; 16] = [const { Count(AtomicU64::new(0)) }; 16];

#[repr(align(64))]
struct Count(AtomicU64);

pub(crate) fn live() -> u64 {
    let sum = LIVE.iter().map(|count| count.0.load(Ordering::Relaxed));
    // Each is a difference, which may be below zero.
    sum.fold(0, u64::wrapping_add)
}

fn count(difference: u64) {
    let mine = slots::shard() % LIVE.len();
    LIVE[mine].0.fetch_add(difference, Ordering::Relaxed);
}

/// A handle that is a handle of something, by its looks.
struct Number {
    index: u32,
    identity: u64,
}

fn encode<T: Object, H>(index: u32, generation: u64) -> *mut H {
    let bits = (MARK | T::KIND as u64) << 56 | generation << 32 | u64::from(index);
    ptr::without_provenance_mut(bits as usize)
}

fn decode<T: Object, H>(handle: *mut H) -> Outcome<Number> {
    let bits = handle.addr() as u64;
    if bits >> 56 != MARK | T::KIND as u64 || bits >> 52 & 0xf != 0 {
        return Err(no_handle::<T>(bits));
    }
    Ok(Number {
        index: bits as u32,
        identity: ((bits >> 32 & LAST_GENERATION) * GENERATION) | ((T::SLOT as u64) << KIND_SHIFT),
    })
}

#[cold]
fn no_handle<T: Object>(bits: u64) -> Failure {
    let name = T::NAME;
    let text = match bits {
        0 => format!("NULL is no {name}"),
        _ if bits >> 60 == 0xc && bits >> 56 & 0xf != T::KIND as u64 => {
            format!("expected a {name}, but this is a handle of something else")
        }
        _ => format!("{bits:#x} is no {name}"),
    };
    Failure::new(status::ERR_HANDLE, text)
}

#[cold]
fn released<T: Object>() -> Failure {
    Failure::new(
        status::ERR_HANDLE,
        format!("this {} was released before", T::NAME),
    )
}

/// A call that is inside of an object, which so stays.
pub(crate) struct Visit<T: Object> {
    slot: &'static Slot,
    of: PhantomData<*const T>,
}

// SAFETY: it is a shared reference to a `T`, which is `Sync`, and whoever is last drops it, which is `Send`.
unsafe impl<T: Object> Send for Visit<T> {}
// SAFETY: as above.
unsafe impl<T: Object> Sync for Visit<T> {}

/// Objects that are a counted pointer lie in the slot itself, others in a box.
const fn lies_in_slot<T>() -> bool {
    size_of::<T>() == size_of::<AtomicPtr<()>>() && align_of::<T>() == align_of::<AtomicPtr<()>>()
}

/// Makes a handle with one owner.
///
/// # Errors
/// If there is no room for another.
pub(crate) fn insert<T: Object, H>(object: T) -> Outcome<*mut H> {
    let (index, generation) = place(object, T::COUNTS.owner)?;
    count(1);
    Ok(encode::<T, H>(index, generation))
}

/// Makes a handle for each of two ends that share a slot. The object is the first's: it is dropped with that, and is what the other sees,
/// until both are gone.
///
/// # Errors
/// As [`insert`].
pub(crate) fn insert_both<T: Object, U: Object, H, I>(object: T) -> Outcome<(*mut H, *mut I)> {
    const {
        assert!(
            U::SLOT as u8 == T::KIND as u8
                && lies_in_slot::<T>()
                && size_of::<U>() == size_of::<T>()
        );
    }
    let (index, generation) = place(object, T::COUNTS.owner + U::COUNTS.owner)?;
    count(2);
    Ok((
        encode::<T, H>(index, generation),
        encode::<U, I>(index, generation),
    ))
}

fn place<T: Object>(object: T, owners: u64) -> Outcome<(u32, u64)> {
    let Some((index, slot)) = slots::take() else {
        return Err(Failure::new(
            status::ERR_NOMEM,
            "there are too many handles",
        ));
    };
    if const { lies_in_slot::<T>() } {
        // SAFETY: it fits. The slot is this call's until its state is stored, and who comes then only reads.
        unsafe { slot.object.as_ptr().cast::<T>().write(object) };
    } else {
        let object = Box::into_raw(Box::new(object));
        slot.object.store(object.cast(), Ordering::Relaxed);
    }
    let generation = slot.state.load(Ordering::Relaxed) / GENERATION;
    let state = (generation * GENERATION) | ((T::KIND as u64) << KIND_SHIFT) | owners;
    // Pairs with the acquire in `visit`, should the handle come there by a way that orders nothing.
    slot.state.store(state, Ordering::Release);
    Ok((index, generation))
}

/// Changes the state of a slot, if it still is that of the handle and has an owner.
#[inline]
fn change<T: Object, H>(
    handle: *mut H,
    change: impl Fn(u64) -> Option<u64>,
) -> Outcome<(Visit<T>, u64)> {
    let number = decode::<T, H>(handle)?;
    let Some(slot) = slots::get(number.index) else {
        return Err(no_handle::<T>(handle.addr() as u64));
    };
    let mut state = slot.state.load(Ordering::Relaxed);
    loop {
        if state & IDENTITY != number.identity || state & T::COUNTS.owners == 0 {
            return Err(released::<T>());
        }
        let Some(next) = change(state) else {
            return Err(Failure::new(
                status::ERR_NOMEM,
                "there are too many references to this handle",
            ));
        };
        // Acquire pairs with the release in `insert`.
        match slot
            .state
            .compare_exchange_weak(state, next, Ordering::AcqRel, Ordering::Relaxed)
        {
            Ok(_) => {
                let of = PhantomData;
                return Ok((Visit { slot, of }, next));
            }
            Err(found) => state = found,
        }
    }
}

/// Enters the object of a handle.
///
/// # Errors
/// If it is none of a `T`.
#[inline]
pub(crate) fn visit<T: Object, H>(handle: *mut H) -> Outcome<Visit<T>> {
    let Counts {
        visitor, visitors, ..
    } = T::COUNTS;
    let enter = |state| (state & visitors != visitors).then_some(state + visitor);
    Ok(change(handle, enter)?.0)
}

/// Makes another owner.
///
/// # Errors
/// As [`visit`]; and if there are 65,535.
pub(crate) fn retain<T: Object, H>(handle: *mut H) -> Outcome {
    let Counts {
        visitor,
        visitors,
        owner,
        owners,
    } = T::COUNTS;
    let enter = |state| {
        let room = state & visitors != visitors && state & owners != owners;
        room.then_some(state + visitor + owner)
    };
    change::<T, H>(handle, enter).map(drop)
}

/// Gives up an owner, and returns the object once more, for whatever is left to do.
///
/// # Errors
/// As [`visit`].
pub(crate) fn release<T: Object, H>(handle: *mut H) -> Outcome<Visit<T>> {
    let Counts {
        visitor,
        visitors,
        owner,
        owners,
    } = T::COUNTS;
    let leave = |state| (state & visitors != visitors).then_some(state + visitor - owner);
    let (visit, state) = change::<T, H>(handle, leave)?;
    if state & owners == 0 {
        count(u64::MAX);
        visit.abandoned();
    }
    Ok(visit)
}

impl<T: Object> Deref for Visit<T> {
    type Target = T;

    fn deref(&self) -> &T {
        let place: *mut T = if const { lies_in_slot::<T>() } {
            self.slot.object.as_ptr().cast()
        } else {
            self.slot.object.load(Ordering::Relaxed).cast()
        };
        // SAFETY: `insert` has put it there, and it stays while there is an owner or visitor.
        unsafe { &*place.cast_const() }
    }
}

impl<T: Object> Drop for Visit<T> {
    #[inline]
    fn drop(&mut self) {
        // Read while this is inside: an end that shares its slot does not keep it.
        let object = self.slot.object.load(Ordering::Relaxed);
        // Release: what was done with the object comes before its end.
        let state = self
            .slot
            .state
            .fetch_sub(T::COUNTS.visitor, Ordering::Release)
            - T::COUNTS.visitor;
        if state & (T::COUNTS.owners | T::COUNTS.visitors) == 0 {
            self.end(object, state);
        }
    }
}

impl<T: Object> Visit<T> {
    #[cold]
    #[inline(never)]
    fn end(&mut self, object: *mut (), state: u64) {
        // Pairs with the releases of the others.
        fence(Ordering::Acquire);
        // The slot may be somebody else's from here on, if the other end is what was left; so it is put back first if it is this one.
        if state & (OWNERS | VISITORS) == 0 {
            let generation = state / GENERATION;
            if generation < LAST_GENERATION {
                self.slot
                    .state
                    .store((generation + 1) * GENERATION, Ordering::Relaxed);
                slots::put(self.slot);
            }
        }
        if T::SLOT as u8 != T::KIND as u8 {
            // What the slot has is the other end's.
        } else if const { lies_in_slot::<T>() } {
            // SAFETY: `insert` has put it there, these are its bytes, and nobody can come in any more, nor is inside.
            drop(unsafe { mem::transmute_copy::<*mut (), T>(&object) });
        } else {
            // SAFETY: as above, and made by `Box::into_raw`.
            drop(unsafe { Box::<T>::from_raw(object.cast()) });
        }
    }

    /// Waits until this visit is the only one. For an end whose visitors do not wait, after its last owner.
    pub(crate) fn alone(&self) {
        // Acquire: what the others have done comes before.
        while self.slot.state.load(Ordering::Acquire) & T::COUNTS.visitors != T::COUNTS.visitor {
            thread::yield_now();
        }
    }
}

impl Slot {
    pub(crate) const fn empty() -> Slot {
        Slot {
            state: AtomicU64::new(0),
            object: AtomicPtr::new(ptr::null_mut()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;

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
                        while let Ok(thing) =
                            visit::<Thing, ()>(ptr::without_provenance_mut(handle))
                        {
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
}
