//! How a channel ends: closed, left by one side, left by both; and messages that come back.

use std::mem::MaybeUninit;
use std::ptr;

use super::core::{CLOSED, Chan, Guard, Inner, RETURNED, Returned, WATCHED};
use super::waiter::{Role, State, Waiter};
use crate::primitive::atomic::Ordering;

impl<T> Chan<T> {
    /// Closes the channel. Returns whether this call was the one that did.
    #[cold]
    pub(super) fn close(&self) -> bool {
        let mut inner = self.lock();
        if inner.is_closed() {
            return false;
        }
        inner.flags |= CLOSED;
        // From here on nobody joins the lists.
        while let Some(waiter) = inner
            .senders
            .win_first()
            .or_else(|| inner.receivers.win_first())
        {
            // SAFETY: won under the lock.
            let wakeup = unsafe { Waiter::finish(waiter, State::Closed) };
            drop(inner);
            if let Some(wakeup) = wakeup {
                wakeup.wake();
            }
            inner = self.lock();
        }
        let watched = inner.flags & WATCHED != 0;
        drop(inner);
        if watched {
            self.tell_watchers(Role::WatchSend);
            self.tell_watchers(Role::WatchReceive);
        }
        true
    }

    /// Drops all messages. To be called of a closed channel that nobody can receive from any more.
    pub(super) fn discard(&self) {
        loop {
            let inner = self.lock();
            if inner.len == 0 && inner.flags & RETURNED == 0 {
                return;
            }
            let mut message = MaybeUninit::<T>::uninit();
            // SAFETY: there is a message. If its destructor panics, the others are leaked with the channel, as crossbeam's tests want it.
            unsafe {
                _ = self.take(inner, message.as_mut_ptr(), None);
                message.assume_init_drop();
            }
        }
    }

    /// Takes the first message that came back.
    ///
    /// # Safety
    /// There is one, and room for it in the slot.
    #[cold]
    pub(super) unsafe fn take_returned<'a>(&'a self, mut inner: Guard<'a, T>, slot: *mut T) {
        // SAFETY: the list owns its nodes; the message moves to the slot.
        unsafe {
            let first = inner.returned;
            inner.returned = (*first).next;
            if inner.returned.is_null() {
                inner.flags &= !RETURNED;
            }
            drop(inner);
            ptr::copy_nonoverlapping((*first).message.as_ptr(), slot, 1);
            drop(Box::from_raw(first));
        }
    }

    /// Brings back a message that was handed over to somebody who does not want it any more: it is the first again.
    ///
    /// # Safety
    /// `message` is valid and moved from.
    #[cold]
    pub(super) unsafe fn put_back(&self, message: *const T) {
        // SAFETY: as promised.
        let message = unsafe { message.read() };
        let node = Box::into_raw(Box::new(Returned {
            message: MaybeUninit::new(message),
            next: ptr::null_mut(),
        }));
        let mut inner = self.lock();
        // SAFETY: the node is ours, and the receiver was won under the lock.
        unsafe {
            if let Some(receiver) = inner.receivers.win_first() {
                let wakeup = inner.hand_over(receiver, (*node).message.as_ptr());
                drop(inner);
                if let Some(wakeup) = wakeup {
                    wakeup.wake();
                }
                return drop(Box::from_raw(node));
            }
            let mut last = &raw mut inner.returned;
            while !(*last).is_null() {
                last = &raw mut (**last).next;
            }
            *last = node;
        }
        inner.flags |= RETURNED;
        let watched = inner.flags & WATCHED != 0;
        drop(inner);
        if watched {
            self.tell_watchers(Role::WatchReceive);
        }
    }

    /// One sender less; the last one closes the channel. Frees it if nobody is left.
    ///
    /// # Safety
    /// `this` came from `Box::into_raw`, and the caller's sender is not used again.
    pub(super) unsafe fn drop_sender(this: *const Chan<T>) {
        // SAFETY: alive as long as its senders.
        let chan = unsafe { &*this };
        if chan.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            chan.close();
            // SAFETY: as promised.
            unsafe { Chan::leave(this) };
        }
    }

    /// As `drop_sender`. The messages go with the last receiver.
    ///
    /// # Safety
    /// As for `drop_sender`.
    pub(super) unsafe fn drop_receiver(this: *const Chan<T>) {
        // SAFETY: alive as long as its receivers.
        let chan = unsafe { &*this };
        if chan.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            chan.close();
            chan.discard();
            // SAFETY: as promised.
            unsafe { Chan::leave(this) };
        }
    }

    unsafe fn leave(this: *const Chan<T>) {
        // SAFETY: the first of the two sides leaves the channel to the other; the second is alone.
        unsafe {
            if (*this).sides.fetch_sub(1, Ordering::AcqRel) == 1 {
                drop(Box::from_raw(this.cast_mut()));
            }
        }
    }
}

impl<T> Inner<T> {
    /// How many messages there are.
    pub(super) fn messages(&self) -> usize {
        let mut count = self.len;
        let mut node = self.returned;
        while !node.is_null() {
            count += 1;
            // SAFETY: the list owns its nodes.
            node = unsafe { (*node).next };
        }
        count
    }
}

impl<T> Drop for Inner<T> {
    fn drop(&mut self) {
        // The last receiver took the messages with it.
        debug_assert!(self.messages() == 0);
        let capacity = self.capacity;
        // SAFETY: there are no messages, and nobody is left who could use it.
        unsafe { self.buffer.free(capacity) };
    }
}
