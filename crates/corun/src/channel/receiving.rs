//! Receiving: the fast path, what is done if somebody waits or has to wait, and the wait itself. See `core.rs` for the protocol.

use std::mem::MaybeUninit;
use std::ptr;
use std::time::Instant;

use super::buffer;
use super::core::{Chan, Guard, Place, RETURNED, Take, WATCHED, wake};
use super::error::{RecvTimeoutError, TryRecvError};
use super::waiter::{Role, State, Waiter};
use crate::cancel::limit::Limit;
use crate::scheduler::signal::Signal;
use crate::scheduler::{give_way, in_coroutine};

impl<T> Chan<T> {
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
        let result = match self.pop() {
            Ok(message) => Ok(message),
            Err(inner) => self.try_recv_slow(inner),
        };
        self.note_received(result.is_ok());
        result
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
        let result = match self.pop() {
            Ok(message) => Ok(message),
            Err(inner) if inner.flags == 0 && inner.len == 0 && !inner.senders.is_empty() => {
                self.recv_of_sender(inner, deadline)
            }
            Err(inner) => self.recv_slow(inner, deadline),
        };
        self.note_received(result.is_ok());
        result
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
            signal = limit.signal();
        } else {
            // Looking up the thread may allocate.
            drop(inner);
            signal = limit.signal();
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
        if !self.wait(&signal, &limit, &waiter) {
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

    /// Waits; returns whether the waiter's outcome was told. If not, it is in no list any more.
    #[inline(always)]
    fn wait(&self, signal: &Signal, limit: &Limit, waiter: &Waiter) -> bool {
        let mut left = false;
        limit.wait(signal, || {
            left = self.give_up(waiter);
            left
        }) || !left
    }

    /// Unlinks a waiter whose wait has ended early; or returns `false` if its outcome is decided. A receiver to whom a select has committed itself
    /// stays for the message: that one says that it was sent.
    pub(super) fn give_up(&self, waiter: &Waiter) -> bool {
        let mut inner = self.lock();
        if waiter.state.get() != State::Claimed {
            return inner.leave(waiter);
        }
        drop(inner);
        // What ends the wait on a sole signal early does not keep it from being notified: the caller settles it.
        if !waiter.has_sole_signal() {
            self.wait_for_promised(waiter);
        }
        false
    }

    #[cold]
    fn wait_for_promised(&self, waiter: &Waiter) {
        // Made without the lock, as it may look up the thread.
        let signal = Signal::sole();
        let inner = self.lock();
        if waiter.state.get() != State::Claimed {
            return;
        }
        waiter.wait_with(&signal);
        drop(inner);
        signal.wait();
    }

    /// After a select has claimed the caller and given up.
    ///
    /// # Safety
    /// `slot` has room for a message, which is there when this succeeds.
    #[cold]
    unsafe fn receive_again(&self, slot: *mut T, limit: &Limit) -> Result<(), RecvTimeoutError> {
        loop {
            let signal = limit.signal();
            let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
            // SAFETY: as promised; the waiter stays until it was told or has left.
            match unsafe { self.take(self.lock(), slot, Some((&waiter, Place::First))) } {
                Take::Received => return Ok(()),
                Take::Closed => return Err(RecvTimeoutError::Disconnected),
                _ => {}
            }
            if !self.wait(&signal, limit, &waiter) {
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
            let signal = limit.signal();
            let waiter = Waiter::alone(Role::Receive, &signal, slot.cast());
            // SAFETY: as promised; the waiter stays until it was told or has left.
            match unsafe { self.take(self.lock(), slot, Some((&waiter, Place::Nowhere))) } {
                Take::Parked => {}
                taken => return taken,
            }
            if !self.wait(&signal, &limit, &waiter) {
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
