//! What selects do at one channel: commit themselves to a send before they have the message, wait at several channels at once, and watch.
//!
//! See `core.rs` for the protocol, and `select.rs` for what happens across channels.

use std::ptr;

use super::core::{Chan, Offer, RETURNED, WATCHED};
use super::waiter::{Party, Role, State, Waiter};

/// What a select is committed to when one of its sends was selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Commitment {
    /// The channel is closed: the message will come back.
    Closed,
    /// A place in the buffer is reserved.
    Place,
    /// A receiver waits for the message.
    Ticket(u32),
}

impl<T> Chan<T> {
    /// Commits the caller to a send, if that would not have to wait.
    pub(super) fn commit(&self) -> Option<Commitment> {
        let mut inner = self.lock();
        if inner.is_closed() {
            return Some(Commitment::Closed);
        }
        if inner.len < inner.limit {
            inner.limit -= 1;
            return Some(Commitment::Place);
        }
        let receiver = ptr::from_ref(inner.receivers.win_first()?);
        // SAFETY: won under the lock, and so alive until its outcome is told, or its ticket void.
        Some(Commitment::Ticket(inner.claim(unsafe { &*receiver })))
    }

    /// Keeps a commitment. Returns whether the message was sent.
    ///
    /// # Safety
    /// `message` is valid, and moved from if `true` is returned.
    pub(super) unsafe fn fulfil(&self, commitment: Commitment, message: *const T) -> bool {
        match commitment {
            Commitment::Closed => false,
            // SAFETY: as promised.
            Commitment::Place => unsafe { self.fill_place(message) },
            // SAFETY: as promised.
            Commitment::Ticket(ticket) => unsafe { self.redeem(ticket, message) },
        }
    }

    unsafe fn fill_place(&self, message: *const T) -> bool {
        let mut inner = self.lock();
        inner.limit += 1;
        if inner.flags == 0 && inner.receivers.is_empty() {
            let capacity = inner.capacity;
            // SAFETY: the place was reserved; the message is as promised.
            if unsafe { inner.buffer.push(message, capacity) } {
                inner.len += 1;
                return true;
            }
        }
        // SAFETY: as promised.
        let sent = matches!(unsafe { self.offer(inner, message, None) }, Offer::Sent);
        // Handed over, it left the place free.
        self.give_place_on();
        sent
    }

    fn give_place_on(&self) {
        let mut inner = self.lock();
        let wakeup = inner.refill();
        let watched = inner.flags & WATCHED != 0;
        drop(inner);
        if let Some(wakeup) = wakeup {
            wakeup.wake();
        }
        if watched {
            self.tell_watchers(Role::WatchSend);
        }
    }

    unsafe fn redeem(&self, ticket: u32, message: *const T) -> bool {
        let inner = self.lock();
        let claimed = inner
            .others
            .find(|other| other.state.get() == State::Claimed && other.ticket.get() == ticket);
        if let Some(receiver) = claimed {
            inner.others.remove(receiver);
            // SAFETY: it was won when it was claimed; the message is as promised.
            let wakeup = unsafe { inner.hand_over(receiver, message) };
            drop(inner);
            if let Some(wakeup) = wakeup {
                wakeup.wake();
            }
            return true;
        }
        // The receiver gave up: the next one gets the message.
        // SAFETY: as promised.
        match unsafe { self.offer(inner, message, None) } {
            Offer::Sent => true,
            Offer::Closed => false,
            Offer::Full | Offer::Parked => {
                // SAFETY: as promised.
                unsafe { self.put_back(message) };
                true
            }
        }
    }

    /// Takes a commitment back.
    #[cold]
    pub(super) fn renounce(&self, commitment: Commitment) {
        match commitment {
            Commitment::Closed => {}
            Commitment::Place => {
                self.lock().limit += 1;
                self.give_place_on();
            }
            Commitment::Ticket(ticket) => {
                let inner = self.lock();
                let claimed = inner.others.find(|other| {
                    other.state.get() == State::Claimed && other.ticket.get() == ticket
                });
                let Some(receiver) = claimed else { return };
                inner.others.remove(receiver);
                // SAFETY: it was won when it was claimed.
                let wakeup = unsafe { Waiter::finish(receiver, State::Retry) };
                drop(inner);
                if let Some(wakeup) = wakeup {
                    wakeup.wake();
                }
            }
        }
    }

    /// Links the arm of a select, unless it is ready: then the select tries again. An arm never finds its own select ready.
    ///
    /// # Safety
    /// The waiter stays until its outcome was told or it was unlinked.
    pub(super) unsafe fn enlist(&self, waiter: &Waiter, party: &Party) -> bool {
        let mut inner = self.lock();
        let other = |there: &Waiter| !there.is_of(party) && there.is_open();
        let ready = match waiter.role {
            Role::Send | Role::WatchSend => {
                inner.is_closed()
                    || inner.len < inner.limit
                    || inner.receivers.find(other).is_some()
            }
            Role::Receive | Role::WatchReceive => {
                inner.is_closed()
                    || inner.len != 0
                    || inner.flags & RETURNED != 0
                    || inner.senders.find(other).is_some()
            }
        };
        if ready {
            return false;
        }
        waiter.state.set(State::Waiting);
        // SAFETY: as promised.
        unsafe {
            match waiter.role {
                Role::Send => inner.senders.push_back(waiter),
                Role::Receive => inner.receivers.push_back(waiter),
                Role::WatchSend | Role::WatchReceive => {
                    inner.flags |= WATCHED;
                    inner.others.push_back(waiter);
                    return true;
                }
            }
        }
        if inner.flags & WATCHED != 0 {
            drop(inner);
            self.tell_watchers(match waiter.role {
                Role::Send => Role::WatchReceive,
                _ => Role::WatchSend,
            });
        }
        true
    }

    /// Unlinks an arm, if it is still linked.
    pub(super) fn delist(&self, waiter: &Waiter) -> bool {
        self.give_up(waiter)
    }

    pub(super) fn can_send(&self) -> bool {
        self.ready_or(true, false, &mut || false)
    }

    pub(super) fn can_receive(&self) -> bool {
        self.ready_or(false, true, &mut || false)
    }

    /// Can one send, or receive, or does the rest hold? All is asked while the channel is locked.
    pub(super) fn ready_or(
        &self,
        send: bool,
        receive: bool,
        rest: &mut dyn FnMut() -> bool,
    ) -> bool {
        let inner = self.lock();
        inner.is_closed() && (send || receive)
            || send && (inner.len < inner.limit || inner.receivers.find(Waiter::is_open).is_some())
            || receive
                && (inner.len != 0
                    || inner.flags & RETURNED != 0
                    || inner.senders.find(Waiter::is_open).is_some())
            || rest()
    }

    /// Wakes all who watch for this, as it may have become true.
    #[cold]
    pub(super) fn tell_watchers(&self, role: Role) {
        loop {
            let mut inner = self.lock();
            let Some(watcher) = inner.others.find(|other| other.role == role) else {
                let watches =
                    |other: &Waiter| matches!(other.role, Role::WatchSend | Role::WatchReceive);
                if inner.others.find(watches).is_none() {
                    inner.flags &= !WATCHED;
                }
                return;
            };
            inner.others.remove(watcher);
            watcher.state.set(State::Idle);
            if !watcher.win() {
                continue;
            }
            // SAFETY: won under the lock.
            let wakeup = unsafe { Waiter::finish(watcher, State::Done) };
            drop(inner);
            if let Some(wakeup) = wakeup {
                wakeup.wake();
            }
        }
    }
}
