//! A channel: messages, those who wait to send, and those who wait to receive, under one lock.
//!
//! # Invariants
//! `len` is the number of messages in the buffer, `limit` the capacity less the places that selects have reserved. Outside of the lock:
//! - `len <= limit <= capacity`. (A rendezvous channel has capacity 0, an unbounded one `usize::MAX`.)
//! - While a receiver waits, there is no message; while a sender waits, `len == limit`. So whoever comes and sees others of its own kind wait has to
//!   wait as well, and none is overtaken by one who came later.
//! - A sender and a receiver wait at the same time only if both are arms of one select.
//! - A closed channel has no waiters, but for receivers that a select has claimed. Nothing is sent any more; what was sent can be received.
//!
//! # Protocol
//! - A sender gives its message to the first waiting receiver, into that one's slot; else it puts it into the buffer; else it waits, and its
//!   message stays where it is. A receiver takes the first message of the buffer, and moves that of the first waiting sender
//!   into the room that it made; else it takes that of the first waiting sender; else it waits.
//! - All decisions are made under the lock, so an operation that does not wait fails only when it could not have succeeded.
//! - A select commits itself to a send before it has the message. It *reserves* a place in the buffer; at a rendezvous it *claims*
//!   the receiver. That one moves to `others` with a ticket, and stays parked until the message comes, even if its time is up meanwhile: the
//!   select says that it has sent. (A future that is dropped cannot stay. Its ticket is void, and the message goes to whoever comes next.) If
//!   the select gives up instead, the receiver tries again.
//!   Nobody spins: the select may be waiting for the same worker. The same happens when a receiver finds a select waiting to send.
//! - Waiters are told their outcome under the lock and woken after it: a wake-up may be foreign code. No message is dropped under the lock, and
//!   nothing is allocated or freed there.
//! - A coroutine that finds a buffer full or empty, with nobody else waiting, gives way once before it waits, if others are ready: most of the
//!   time one of them makes room, or sends, and nobody has to be woken. It is not among those who wait before that.
//! - A future that was given a message and is dropped returns it: to the next receiver, or to the `returned` list, which comes first.
//!
//! # Rejected designs
//! - Lock-free buffers: as many atomic exchanges for each operation as the lock takes, and hand-over to waiters, first come first served, then
//!   needs a lock on top.
//! - Waking a receiver and letting it try again (crossbeam's way): another may be faster, so waiters are not served in order, and each
//!   message costs two passes.
//! - A receiver that spins until the select that it met has evaluated its message: a deadlock if they share a worker.
//!
//! Checked in every interleaving by `tests/models/channel`.

use std::mem::MaybeUninit;
use std::ptr;

use super::buffer::Buffer;
use super::lock::{self, Lock};
use super::waiter::{Queue, Role, State, Waiter};
use crate::inspect::points;
use crate::primitive::atomic::AtomicU32;
use crate::scheduler::signal::Wakeup;

/// Bits of `flags`. The fast paths are taken when none is set.
pub(super) const CLOSED: u8 = 1;
/// Somebody among `others` wants to know when the channel gets ready.
pub(super) const WATCHED: u8 = 2;
/// There are returned messages.
pub(super) const RETURNED: u8 = 4;

/// A channel, shared by its senders and receivers.
pub(super) struct Chan<T> {
    inner: Lock<Inner<T>>,
    pub(super) senders: AtomicU32,
    pub(super) receivers: AtomicU32,
    /// How many of the two sides there are: whose last leaves last frees the channel.
    pub(super) sides: AtomicU32,
}

pub(super) struct Inner<T> {
    pub(super) flags: u8,
    last_ticket: u32,
    pub(super) len: usize,
    pub(super) limit: usize,
    pub(super) capacity: usize,
    pub(super) buffer: Buffer<T>,
    pub(super) receivers: Queue,
    pub(super) senders: Queue,
    /// Claimed receivers, and those who watch.
    pub(super) others: Queue,
    pub(super) returned: *mut Returned<T>,
}

/// A message that came back.
pub(super) struct Returned<T> {
    pub(super) message: MaybeUninit<T>,
    pub(super) next: *mut Returned<T>,
}

// SAFETY: what the pointers lead to is used under the lock, and messages move between threads as `T: Send` allows.
unsafe impl<T: Send> Send for Inner<T> {}

pub(super) type Guard<'a, T> = lock::Guard<'a, Inner<T>>;

/// What became of a message.
pub(super) enum Offer {
    Sent,
    Full,
    Closed,
    /// The waiter stands in the list.
    Parked,
}

/// What became of a wish to receive.
pub(super) enum Take {
    Received,
    Empty,
    Closed,
    /// The waiter stands in a list.
    Parked,
    /// The first sender is a select, and the caller has to wait for its message.
    NeedsWaiter,
}

#[inline(always)]
pub(super) fn wake(wakeup: Option<Wakeup>) {
    if let Some(wakeup) = wakeup {
        wakeup.wake();
    }
}

impl<T> Inner<T> {
    fn new(capacity: usize) -> Inner<T> {
        Inner {
            flags: 0,
            last_ticket: 0,
            len: 0,
            limit: capacity,
            capacity,
            buffer: if capacity == usize::MAX {
                Buffer::chain()
            } else {
                Buffer::ring(capacity)
            },
            receivers: Queue::new(),
            senders: Queue::new(),
            others: Queue::new(),
            returned: ptr::null_mut(),
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.flags & CLOSED != 0
    }

    /// Moves the first waiting sender's message into the buffer if there is room; a select gets the place for the message that it will have.
    #[inline(always)]
    pub(super) fn refill(&mut self) -> Option<Wakeup> {
        if self.senders.is_empty() || self.len >= self.limit {
            return None;
        }
        self.refill_from_first()
    }

    #[inline(never)]
    fn refill_from_first(&mut self) -> Option<Wakeup> {
        let sender = self.senders.win_first()?;
        if sender.slot.is_null() {
            self.limit -= 1;
            sender.ticket.set(0);
        } else {
            // SAFETY: there is room, and the message is the sender's until it is told. Only a channel with a ring has waiting senders.
            let pushed = unsafe { self.buffer.push(sender.slot.cast(), self.capacity) };
            debug_assert!(pushed);
            self.len += 1;
        }
        // SAFETY: won under the lock.
        unsafe { Waiter::finish(sender, State::Done) }
    }

    /// Gives a message to a receiver that was won.
    ///
    /// # Safety
    /// `message` is valid and moved from; the receiver waits for a `T`, and is not touched after the call.
    #[inline(always)]
    pub(super) unsafe fn hand_over(&self, receiver: &Waiter, message: *const T) -> Option<Wakeup> {
        // SAFETY: the slot of a receiver has room for a message; it was won under the lock.
        unsafe {
            ptr::copy_nonoverlapping(message, receiver.slot.cast(), 1);
            Waiter::finish(receiver, State::Done)
        }
    }

    /// Puts a receiver aside until the message of a select comes, or the ticket is void.
    pub(super) fn claim(&mut self, receiver: &Waiter) -> u32 {
        self.last_ticket = self.last_ticket.wrapping_add(1).max(1);
        receiver.ticket.set(self.last_ticket);
        receiver.state.set(State::Claimed);
        // SAFETY: a waiter stays until its outcome is told or it has unlinked itself.
        unsafe { self.others.push_back(receiver) };
        self.last_ticket
    }

    /// Unlinks a waiter whose time is up. `false` if its outcome was decided before.
    pub(super) fn leave(&mut self, waiter: &Waiter) -> bool {
        let list = match (waiter.state.get(), waiter.role) {
            (State::Waiting, Role::Send) => &self.senders,
            (State::Waiting, Role::Receive) => &self.receivers,
            (State::Waiting | State::Claimed, _) => &self.others,
            _ => return false,
        };
        list.remove(waiter);
        waiter.state.set(State::Idle);
        true
    }
}

impl<T> Chan<T> {
    pub(super) fn new(capacity: usize) -> Chan<T> {
        Chan {
            inner: Lock::new(Inner::new(capacity)),
            senders: AtomicU32::new(1),
            receivers: AtomicU32::new(1),
            sides: AtomicU32::new(2),
        }
    }

    #[inline(always)]
    pub(super) fn lock(&self) -> Guard<'_, T> {
        self.inner.lock()
    }

    /// The caller has sent a message, if `sent`.
    #[inline(always)]
    pub(super) fn note_sent(&self, sent: bool) {
        if sent {
            points::sent(ptr::from_ref(self).addr());
        }
    }

    /// The caller has received a message, if `received`.
    #[inline(always)]
    pub(super) fn note_received(&self, received: bool) {
        if received {
            points::received(ptr::from_ref(self).addr());
        }
    }
}

/// Where a receiver that has to wait is linked.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Last,
    First,
    /// It waits only for the message of a select.
    Nowhere,
}
