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
//!   the receiver. That one moves to `others` with a ticket, and stays parked until the message comes. If it gives up meanwhile, the
//!   ticket is void, and the message goes to whoever comes next. If the select gives up instead, the receiver tries again.
//!   Nobody spins: the select may be waiting for the same worker. The same happens when a receiver finds a select waiting to send.
//! - Waiters are told their outcome under the lock and woken after it: a wake-up may be foreign code. No message is dropped under the lock, and
//!   nothing is allocated or freed there.
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

use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr;
use std::time::Instant;

use super::buffer::{self, Buffer};
use super::error::{RecvTimeoutError, SendTimeoutError, TryRecvError, TrySendError};
use super::lock::{self, Lock};
use super::waiter::{Queue, Role, State, Waiter};
use crate::primitive::atomic::AtomicU32;
use crate::scheduler::signal::{Signal, Wakeup};
use crate::scheduler::{give_way, in_coroutine};
use crate::time::limit::Limit;

/// Bits of `flags`. The fast paths are taken when none is set.
pub(super) const CLOSED: u8 = 1;
/// Somebody among `others` wants to know when the channel gets ready.
pub(super) const WATCHED: u8 = 2;
/// There are returned messages.
pub(super) const RETURNED: u8 = 4;

/// A channel, shared by its senders and receivers.
#[repr(align(64))]
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

/// A signal for a wait within `limit`.
#[inline(always)]
pub(super) fn signal_for(limit: &Limit) -> Signal {
    match limit.deadline() {
        None => Signal::sole(),
        Some(_) => Signal::new(),
    }
}

/// Waits; returns whether the signal was notified, and not overtaken by its deadline.
#[inline(always)]
pub(super) fn wait(signal: &Signal, limit: &Limit) -> bool {
    match limit.deadline() {
        None => {
            signal.wait();
            true
        }
        deadline => signal.wait_until(deadline),
    }
}

#[inline(always)]
fn wake(wakeup: Option<Wakeup>) {
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

    // Sending.

    /// Puts a message into the buffer, if nothing special is to be done.
    #[inline(always)]
    fn push<'a>(&'a self, message: &ManuallyDrop<T>) -> Result<(), Guard<'a, T>> {
        let mut inner = self.lock();
        if inner.flags == 0 && inner.receivers.is_empty() && inner.len < inner.limit {
            let capacity = inner.capacity;
            // SAFETY: there is room, and the caller forgets the message if it was taken.
            if unsafe { inner.buffer.push(&raw const **message, capacity) } {
                inner.len += 1;
                return Ok(());
            }
        }
        Err(inner)
    }

    #[inline(always)]
    pub(super) fn try_send(&self, message: T) -> Result<(), TrySendError<T>> {
        let message = ManuallyDrop::new(message);
        match self.push(&message) {
            Ok(()) => Ok(()),
            Err(inner) => self.try_send_slow(message, inner),
        }
    }

    #[inline(never)]
    fn try_send_slow<'a>(
        &'a self,
        message: ManuallyDrop<T>,
        inner: Guard<'a, T>,
    ) -> Result<(), TrySendError<T>> {
        // SAFETY: the message is forgotten if it is sent.
        match unsafe { self.offer(inner, &raw const *message, None) } {
            Offer::Sent => Ok(()),
            Offer::Closed => Err(TrySendError::Disconnected(ManuallyDrop::into_inner(
                message,
            ))),
            Offer::Full | Offer::Parked => {
                Err(TrySendError::Full(ManuallyDrop::into_inner(message)))
            }
        }
    }

    #[inline(always)]
    pub(super) fn send(
        &self,
        message: T,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let message = ManuallyDrop::new(message);
        match self.push(&message) {
            Ok(()) => Ok(()),
            Err(inner) if inner.flags == 0 && !inner.receivers.is_empty() => {
                self.send_to_receiver(ManuallyDrop::into_inner(message), inner, deadline)
            }
            Err(inner) => self.send_slow(ManuallyDrop::into_inner(message), inner, deadline),
        }
    }

    /// Hands the message to the first receiver that waits.
    #[inline(never)]
    fn send_to_receiver<'a>(
        &'a self,
        message: T,
        inner: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let Some(receiver) = inner.receivers.win_first() else {
            return self.send_slow(message, inner, deadline);
        };
        let message = ManuallyDrop::new(message);
        // SAFETY: won under the lock, and the message is forgotten.
        let wakeup = unsafe { inner.hand_over(receiver, &raw const *message) };
        drop(inner);
        wake(wakeup);
        Ok(())
    }

    /// `message` stands before `inner`, so that it is dropped after it if this panics.
    #[inline(never)]
    fn send_slow<'a>(
        &'a self,
        message: T,
        mut inner: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Result<(), SendTimeoutError<T>> {
        let mut message = message;
        if inner.capacity != 0
            && inner.flags == 0
            && inner.len >= inner.limit
            && inner.receivers.is_empty()
            && inner.senders.is_empty()
        {
            // Full. If somebody else is ready, it may well be who makes room: a turn costs less than to wait and to be woken.
            drop(inner);
            give_way();
            inner = self.lock();
        }
        if inner.is_closed() || !inner.receivers.is_empty() || inner.len < inner.limit {
            let sent = ManuallyDrop::new(message);
            // SAFETY: the message is forgotten if it is sent.
            match unsafe { self.offer(inner, &raw const *sent, None) } {
                Offer::Sent => return Ok(()),
                Offer::Closed => {
                    return Err(SendTimeoutError::Disconnected(ManuallyDrop::into_inner(
                        sent,
                    )));
                }
                Offer::Full | Offer::Parked => message = ManuallyDrop::into_inner(sent),
            }
            inner = self.lock();
        }
        let limit = Limit::new(deadline);
        let signal;
        if in_coroutine() {
            signal = signal_for(&limit);
        } else {
            // Looking up the thread may allocate.
            drop(inner);
            signal = signal_for(&limit);
            inner = self.lock();
        }
        let message = ManuallyDrop::new(message);
        let slot = &raw const *message;
        let waiter = Waiter::alone(Role::Send, &signal, slot.cast_mut().cast());
        if inner.flags == 0 && inner.receivers.is_empty() && inner.len >= inner.limit {
            waiter.state.set(State::Waiting);
            // SAFETY: the waiter stays until it was told or has left.
            unsafe { inner.senders.push_back(&waiter) };
            drop(inner);
        } else {
            // SAFETY: the message is forgotten if it is sent; as above.
            match unsafe { self.offer(inner, slot, Some(&waiter)) } {
                Offer::Sent => return Ok(()),
                Offer::Parked => {}
                Offer::Closed | Offer::Full => {
                    return Err(SendTimeoutError::Disconnected(ManuallyDrop::into_inner(
                        message,
                    )));
                }
            }
        }
        if !wait(&signal, &limit) && self.lock().leave(&waiter) {
            let message = ManuallyDrop::into_inner(message);
            limit.expired();
            return Err(SendTimeoutError::Timeout(message));
        }
        match waiter.state.get() {
            State::Done => Ok(()),
            _ => Err(SendTimeoutError::Disconnected(ManuallyDrop::into_inner(
                message,
            ))),
        }
    }

    /// Sends a message, or links the waiter.
    ///
    /// # Safety
    /// `message` is valid, and moved from if it was sent, now or, once the waiter is linked, later. The waiter stays until its outcome was told,
    /// or it has left.
    pub(super) unsafe fn offer<'a>(
        &'a self,
        mut inner: Guard<'a, T>,
        message: *const T,
        waiter: Option<&Waiter>,
    ) -> Offer {
        loop {
            if inner.is_closed() {
                return Offer::Closed;
            }
            if let Some(receiver) = inner.receivers.win_first() {
                // SAFETY: won under the lock; the message is as promised.
                let wakeup = unsafe { inner.hand_over(receiver, message) };
                drop(inner);
                wake(wakeup);
                return Offer::Sent;
            }
            if inner.len >= inner.limit {
                break;
            }
            let capacity = inner.capacity;
            // SAFETY: there is room; the message is as promised.
            if unsafe { inner.buffer.push(message, capacity) } {
                inner.len += 1;
                let watched = inner.flags & WATCHED != 0;
                drop(inner);
                if watched {
                    self.tell_watchers(Role::WatchReceive);
                }
                return Offer::Sent;
            }
            drop(inner);
            let block = buffer::new_block::<T>();
            inner = self.lock();
            let unused = inner.buffer.extend(block);
            if !unused.is_null() {
                drop(inner);
                // SAFETY: it was not taken.
                unsafe { buffer::free_block::<T>(unused) };
                inner = self.lock();
            }
        }
        let Some(waiter) = waiter else {
            return Offer::Full;
        };
        waiter.state.set(State::Waiting);
        // SAFETY: the waiter stays.
        unsafe { inner.senders.push_back(waiter) };
        let watched = inner.flags & WATCHED != 0;
        drop(inner);
        if watched {
            self.tell_watchers(Role::WatchReceive);
        }
        Offer::Parked
    }

    // Receiving.

    /// Takes a message out of the buffer, if nothing special is to be done.
    #[inline(always)]
    pub(super) fn pop(&self) -> Result<T, Guard<'_, T>> {
        let mut inner = self.lock();
        if inner.flags == 0 && inner.len != 0 && inner.senders.is_empty() {
            let mut message = MaybeUninit::uninit();
            inner.len -= 1;
            let capacity = inner.capacity;
            // SAFETY: there is a message.
            let unused = unsafe { inner.buffer.pop(message.as_mut_ptr(), capacity) };
            drop(inner);
            // SAFETY: the message was written, and the block came from there.
            unsafe {
                buffer::free_block::<T>(unused);
                return Ok(message.assume_init());
            }
        }
        Err(inner)
    }

    #[inline(always)]
    pub(super) fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.pop() {
            Ok(message) => Ok(message),
            Err(inner) => self.try_recv_slow(inner),
        }
    }

    #[inline(never)]
    fn try_recv_slow<'a>(&'a self, inner: Guard<'a, T>) -> Result<T, TryRecvError> {
        let mut message = MaybeUninit::<T>::uninit();
        let slot = message.as_mut_ptr();
        // SAFETY: there is room for a message in the slot.
        let mut taken = unsafe { self.take(inner, slot, None) };
        if let Take::NeedsWaiter = taken {
            // SAFETY: as above.
            taken = unsafe { self.take_of_select(slot, None) };
        }
        match taken {
            // SAFETY: the message was written.
            Take::Received => Ok(unsafe { message.assume_init() }),
            Take::Closed => Err(TryRecvError::Disconnected),
            _ => Err(TryRecvError::Empty),
        }
    }

    #[inline(always)]
    pub(super) fn recv(&self, deadline: Option<Instant>) -> Result<T, RecvTimeoutError> {
        match self.pop() {
            Ok(message) => Ok(message),
            Err(inner) if inner.flags == 0 && inner.len == 0 && !inner.senders.is_empty() => {
                self.recv_of_sender(inner, deadline)
            }
            Err(inner) => self.recv_slow(inner, deadline),
        }
    }

    /// Takes the message of the first sender that waits, at a rendezvous.
    #[inline(never)]
    fn recv_of_sender<'a>(
        &'a self,
        inner: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Result<T, RecvTimeoutError> {
        let Some(sender) = inner.senders.first().filter(|sender| sender.is_plain()) else {
            return self.recv_slow(inner, deadline);
        };
        inner.senders.remove(sender);
        // SAFETY: unlinked under the lock, and its message is moved here.
        let (message, wakeup) = unsafe {
            let message = sender.slot.cast::<T>().read();
            (message, Waiter::finish(sender, State::Done))
        };
        drop(inner);
        wake(wakeup);
        Ok(message)
    }

    #[inline(never)]
    fn recv_slow<'a>(
        &'a self,
        mut inner: Guard<'a, T>,
        deadline: Option<Instant>,
    ) -> Result<T, RecvTimeoutError> {
        let mut message = MaybeUninit::<T>::uninit();
        let slot = message.as_mut_ptr();
        if inner.capacity != 0
            && inner.len == 0
            && inner.flags == 0
            && inner.senders.is_empty()
            && inner.receivers.is_empty()
        {
            // Empty. As in `send_slow`.
            drop(inner);
            give_way();
            inner = self.lock();
        }
        if inner.len != 0 || inner.flags != 0 || !inner.senders.is_empty() {
            // SAFETY: there is room for a message in the slot.
            match unsafe { self.take(inner, slot, None) } {
                // SAFETY: the message was written.
                Take::Received => return Ok(unsafe { message.assume_init() }),
                Take::Closed => return Err(RecvTimeoutError::Disconnected),
                _ => inner = self.lock(),
            }
        }
        let limit = Limit::new(deadline);
        let signal;
        if in_coroutine() {
            signal = signal_for(&limit);
        } else {
            // Looking up the thread may allocate.
            drop(inner);
            signal = signal_for(&limit);
            inner = self.lock();
        }
        let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
        if inner.flags == 0 && inner.len == 0 && inner.senders.is_empty() {
            waiter.state.set(State::Waiting);
            // SAFETY: the waiter stays until it was told or has left.
            unsafe { inner.receivers.push_back(&waiter) };
            drop(inner);
        } else {
            // SAFETY: there is room for a message in the slot; as above.
            match unsafe { self.take(inner, slot, Some((&waiter, Place::Last))) } {
                // SAFETY: the message was written.
                Take::Received => return Ok(unsafe { message.assume_init() }),
                Take::Closed => return Err(RecvTimeoutError::Disconnected),
                _ => {}
            }
        }
        if !wait(&signal, &limit) && self.lock().leave(&waiter) {
            limit.expired();
            return Err(RecvTimeoutError::Timeout);
        }
        match waiter.state.get() {
            State::Done => {}
            State::Closed => return Err(RecvTimeoutError::Disconnected),
            // SAFETY: as above.
            _ => unsafe { self.receive_again(slot, &limit)? },
        }
        // SAFETY: the message was written.
        Ok(unsafe { message.assume_init() })
    }

    /// After a select has claimed the caller and given up.
    ///
    /// # Safety
    /// `slot` has room for a message, which is there when this succeeds.
    #[cold]
    unsafe fn receive_again(&self, slot: *mut T, limit: &Limit) -> Result<(), RecvTimeoutError> {
        loop {
            let signal = signal_for(limit);
            let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
            // SAFETY: as promised; the waiter stays until it was told or has left.
            match unsafe { self.take(self.lock(), slot, Some((&waiter, Place::First))) } {
                Take::Received => return Ok(()),
                Take::Closed => return Err(RecvTimeoutError::Disconnected),
                _ => {}
            }
            if !wait(&signal, limit) && self.lock().leave(&waiter) {
                limit.expired();
                return Err(RecvTimeoutError::Timeout);
            }
            match waiter.state.get() {
                State::Done => return Ok(()),
                State::Closed => return Err(RecvTimeoutError::Disconnected),
                _ => {}
            }
        }
    }

    /// Receives if that means to wait for nothing but the message of a select that is waiting to send.
    ///
    /// # Safety
    /// `slot` has room for a message, which is there if `Received` is returned.
    #[cold]
    pub(super) unsafe fn take_of_select(&self, slot: *mut T, deadline: Option<Instant>) -> Take {
        let limit = Limit::new(deadline);
        loop {
            let signal = signal_for(&limit);
            let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
            // SAFETY: as promised; the waiter stays until it was told or has left.
            match unsafe { self.take(self.lock(), slot, Some((&waiter, Place::Nowhere))) } {
                Take::Parked => {}
                taken => return taken,
            }
            if !wait(&signal, &limit) && self.lock().leave(&waiter) {
                limit.expired();
                return Take::Empty;
            }
            if waiter.state.get() == State::Done {
                return Take::Received;
            }
        }
    }

    /// Receives into `slot`, or links the waiter, whose slot is the same.
    ///
    /// # Safety
    /// `slot` has room for a message, which is there if `Received` is returned. The waiter stays until its outcome was told, or it has left.
    pub(super) unsafe fn take<'a>(
        &'a self,
        mut inner: Guard<'a, T>,
        slot: *mut T,
        waiter: Option<(&Waiter, Place)>,
    ) -> Take {
        if inner.flags & RETURNED != 0 {
            // SAFETY: the slot is as promised.
            unsafe { self.take_returned(inner, slot) };
            return Take::Received;
        }
        if inner.len != 0 {
            inner.len -= 1;
            let capacity = inner.capacity;
            // SAFETY: there is a message, and room for it in the slot.
            let unused = unsafe { inner.buffer.pop(slot, capacity) };
            let wakeup = inner.refill();
            let watched = inner.flags & WATCHED != 0;
            drop(inner);
            // SAFETY: it came from the buffer.
            unsafe { buffer::free_block::<T>(unused) };
            wake(wakeup);
            if watched {
                self.tell_watchers(Role::WatchSend);
            }
            return Take::Received;
        }
        while let Some(sender) = inner.senders.first() {
            if sender.slot.is_null() && waiter.is_none() && sender.is_open() {
                return Take::NeedsWaiter;
            }
            inner.senders.remove(sender);
            sender.state.set(State::Idle);
            if !sender.win() {
                continue;
            }
            if !sender.slot.is_null() {
                // SAFETY: the sender was won, and its message is moved here.
                let wakeup = unsafe {
                    ptr::copy_nonoverlapping(sender.slot.cast(), slot, 1);
                    Waiter::finish(sender, State::Done)
                };
                drop(inner);
                wake(wakeup);
                return Take::Received;
            }
            let sender = ptr::from_ref(sender);
            if let Some((waiter, _)) = waiter {
                let ticket = inner.claim(waiter);
                // SAFETY: the sender was won, and so is alive until its outcome is told.
                let wakeup = unsafe {
                    (*sender).ticket.set(ticket);
                    Waiter::finish(sender, State::Done)
                };
                drop(inner);
                wake(wakeup);
                return Take::Parked;
            }
            // It opened no more between the two looks: a party never does.
            unreachable!("a decided party cannot be won");
        }
        if inner.is_closed() {
            return Take::Closed;
        }
        let Some((waiter, place)) = waiter else {
            return Take::Empty;
        };
        // SAFETY: the waiter stays.
        unsafe {
            match place {
                Place::Nowhere => return Take::Empty,
                Place::Last => inner.receivers.push_back(waiter),
                Place::First => inner.receivers.push_front(waiter),
            }
        }
        waiter.state.set(State::Waiting);
        let watched = inner.flags & WATCHED != 0;
        drop(inner);
        if watched {
            self.tell_watchers(Role::WatchSend);
        }
        Take::Parked
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
