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
//! - The word of a slot is written before the state is stored that lets others in, and read by those who are inside alone. Who ends an end has read it before
//!   it went out: after that the slot may be another's.
//!
//! Checked by loom in every interleaving, with two ends too (`tests/models`). Tests: `table_tests.rs`, and `tests/c/programs/{handles,storm}.c`.

use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ops::Deref;

use crate::failure::{Failure, Outcome};
use crate::number::{
    GENERATION, IDENTITY, KIND_SHIFT, LAST_GENERATION, OWNERS, VISITORS, decode, encode, no_handle,
    released,
};
use crate::primitive::atomic::{Ordering, fence};
use crate::primitive::thread;
use crate::slots::{self, Slot, count};
use crate::status;

pub(crate) use crate::number::{Counts, Kind, Object};

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
    size_of::<T>() == size_of::<*mut ()>() && align_of::<T>() == align_of::<*mut ()>()
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
    let word = if const { lies_in_slot::<T>() } {
        let object = ManuallyDrop::new(object);
        // SAFETY: it has the size of a word, and is moved.
        unsafe { mem::transmute_copy::<ManuallyDrop<T>, *mut ()>(&object) }
    } else {
        Box::into_raw(Box::new(object)).cast()
    };
    // The slot is this call's until its state is stored.
    slot.set_word(word);
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
        let place: *const T = if const { lies_in_slot::<T>() } {
            self.slot.word_place().cast()
        } else {
            self.slot.word().cast::<T>().cast_const()
        };
        // SAFETY: `insert` has put it there, and it stays while there is an owner or visitor.
        unsafe { &*place }
    }
}

impl<T: Object> Drop for Visit<T> {
    #[inline]
    fn drop(&mut self) {
        // Read while this is inside: an end that shares its slot does not keep it.
        let object = self.slot.word();
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
