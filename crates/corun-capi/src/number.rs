//! The numbers that handles are, and what the state of a slot is made of: see `table.rs`.
//!
//! ```text
//! handle   0xc | kind: 4 | 0: 4 | generation: 20 | index of the slot: 32
//! state    generation: 20 | kind: 4 | owners: 16 | visitors: 24          of an object that has a slot of its own
//!                                   | owners: 16 | 1 | 3 | visitors: 20  of two ends: owner and visitors of the second lie among the bits of the visitors
//! ```
//! The bits of a handle are no canonical address, so that whoever dereferences it is stopped at once.

use std::ptr;

use crate::failure::{Failure, Outcome};
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

pub(crate) const VISITOR: u64 = 1;
pub(crate) const VISITORS: u64 = (1 << 24) - 1;
pub(crate) const OWNER: u64 = 1 << 24;
pub(crate) const OWNERS: u64 = 0xffff << 24;
pub(crate) const KIND_SHIFT: u32 = 40;
pub(crate) const GENERATION: u64 = 1 << 44;

/// The bits of a state that count owners and visitors: all, or those of one of two ends that share a slot.
pub(crate) struct Counts {
    pub(crate) visitor: u64,
    pub(crate) visitors: u64,
    pub(crate) owner: u64,
    pub(crate) owners: u64,
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
pub(crate) const IDENTITY: u64 = !(VISITORS | OWNERS);
pub(crate) const LAST_GENERATION: u64 = (1 << 20) - 1;

/// How the numbers of handles begin.
const MARK: u64 = 0xc0;

/// A handle that is a handle of something, by its looks.
pub(crate) struct Number {
    pub(crate) index: u32,
    pub(crate) identity: u64,
}

/// The handle of a slot in one of its generations.
pub(crate) fn encode<T: Object, H>(index: u32, generation: u64) -> *mut H {
    let bits = (MARK | T::KIND as u64) << 56 | generation << 32 | u64::from(index);
    ptr::without_provenance_mut(bits as usize)
}

/// # Errors
/// If it does not look like one of a `T`.
pub(crate) fn decode<T: Object, H>(handle: *mut H) -> Outcome<Number> {
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
pub(crate) fn no_handle<T: Object>(bits: u64) -> Failure {
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
pub(crate) fn released<T: Object>() -> Failure {
    Failure::new(
        status::ERR_HANDLE,
        format!("this {} was released before", T::NAME),
    )
}
