//! Sending: the fast path, what is done if somebody waits or has to wait, and the wait itself. See `core.rs` for the protocol.

use std::mem::ManuallyDrop;
use std::time::Instant;

use super::buffer;
use super::core::{Chan, Guard, Offer, WATCHED, wake};
use super::error::{SendTimeoutError, TrySendError};
use super::waiter::{Role, State, Waiter};
use crate::cancel::limit::Limit;
use crate::scheduler::{give_way, in_coroutine};

impl<T> Chan<T> {
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
        let result = match self.push(&message) {
            Ok(()) => Ok(()),
            Err(inner) => self.try_send_slow(message, inner),
        };
        self.note_sent(result.is_ok());
        result
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
        let result = match self.push(&message) {
            Ok(()) => Ok(()),
            Err(inner) if inner.flags == 0 && !inner.receivers.is_empty() => {
                self.send_to_receiver(ManuallyDrop::into_inner(message), inner, deadline)
            }
            Err(inner) => self.send_slow(ManuallyDrop::into_inner(message), inner, deadline),
        };
        self.note_sent(result.is_ok());
        result
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
            signal = limit.signal();
        } else {
            // Looking up the thread may allocate.
            drop(inner);
            signal = limit.signal();
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
        let mut left = false;
        let told = limit.wait(&signal, || {
            left = self.lock().leave(&waiter);
            left
        });
        if !told && left {
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
}
