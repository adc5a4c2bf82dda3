//! `channel.h`: channels. What goes through them is in `transfer.rs` and `lane.rs`, select in `select.rs`.
//!
//! # Ends
//! A handle has the right to send, to receive, or both. How many handles there are with each right is counted; when none is left the channel is closed,
//! which wakes whoever waits at the other end. (Calls that are inside keep senders and receivers alive, and so their own counts, those of
//! the channel underneath, cannot tell.) Nobody but a call that is inside can wait, so nobody waits in vain.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use corun::__private::safepoint;
use corun::channel;

use crate::call::{Patience, call, duration, required, write};
use crate::failure::{Failure, Outcome};
use crate::lane::{Lane, each_lane, receive};
use crate::own;
use crate::status::{self, Status};
use crate::table::{self, Kind, Object, Visit};
use crate::value::Destructor;

/// `corun_channel`.
#[repr(C)]
#[allow(non_camel_case_types)]
pub struct corun_channel {
    _private: [u8; 0],
}

const MOST: usize = 64 * 1024;

/// What all handles of a channel share.
pub(crate) struct Channel {
    pub(crate) lane: Lane,
    pub(crate) size: usize,
    capacity: usize,
    destructor: Destructor,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// What a handle refers to.
pub(crate) struct End {
    pub(crate) channel: Arc<Channel>,
    sends: bool,
    receives: bool,
}

impl Object for End {
    const KIND: Kind = Kind::Channel;
    const NAME: &'static str = "channel";

    fn abandoned(&self) {
        let channel = &*self.channel;
        // AcqRel: whoever is last has seen what the others have sent.
        if self.sends && channel.senders.fetch_sub(1, Ordering::AcqRel) == 1 {
            channel.lane.close();
        }
        if self.receives && channel.receivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            channel.lane.close();
            channel.drain();
        }
    }
}

impl Channel {
    /// Gives what nobody will receive to the destructor.
    fn drain(&self) {
        let Some(destructor) = self.destructor else {
            return;
        };
        let mut room = vec![0u128; self.size.div_ceil(16).max(1)];
        let place: *mut u8 = room.as_mut_ptr().cast();
        // SAFETY: there is room for an element.
        while unsafe { self.receive(place, Patience::None) }.is_ok() {
            // SAFETY: the user has given it to be called so.
            unsafe { destructor(place.cast()) };
        }
    }

    /// # Safety
    /// An element can be written at `to`.
    pub(crate) unsafe fn receive(&self, to: *mut u8, patience: Patience) -> Outcome {
        each_lane!(&self.lane,
        // SAFETY: promised by the caller.
        ends => unsafe { ends.receive(to, self.size, patience) },
        time => {
            let now = own::nanoseconds(receive(time, patience)?);
            // SAFETY: an element has eight bytes here.
            unsafe { to.cast::<i64>().write_unaligned(now) };
            Ok(())
        })
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.drain();
    }
}

impl End {
    pub(crate) fn may_send(&self) -> Outcome {
        self.may(self.sends, "this end of the channel only receives")
    }

    pub(crate) fn may_receive(&self) -> Outcome {
        self.may(self.receives, "this end of the channel only sends")
    }

    fn may(&self, allowed: bool, message: &'static str) -> Outcome {
        if allowed {
            Ok(())
        } else {
            Err(Failure::new(status::ERR_DIRECTION, message))
        }
    }

    /// # Safety
    /// An element can be read at `from`.
    pub(crate) unsafe fn send(&self, from: *const u8, patience: Patience) -> Outcome {
        self.may_send()?;
        each_lane!(&self.channel.lane,
            // SAFETY: promised by the caller.
            ends => unsafe { ends.send(from, self.channel.size, patience) },
            _time => self.may_send())
    }

    /// Another handle to the same channel.
    fn narrowed(&self, sends: bool, receives: bool) -> Outcome<*mut corun_channel> {
        if sends {
            self.may_send()?;
        }
        if receives {
            self.may_receive()?;
        }
        // Relaxed: the count is not zero, and stays so, as the handle that this is called with counts.
        self.channel
            .senders
            .fetch_add(usize::from(sends), Ordering::Relaxed);
        self.channel
            .receivers
            .fetch_add(usize::from(receives), Ordering::Relaxed);
        table::insert(End {
            channel: Arc::clone(&self.channel),
            sends,
            receives,
        })
    }
}

#[inline]
pub(crate) fn visit(channel: *mut corun_channel) -> Outcome<Visit<End>> {
    table::visit(channel)
}

fn insert(
    lane: Lane,
    size: usize,
    capacity: usize,
    destructor: Destructor,
) -> Outcome<*mut corun_channel> {
    let sends = !matches!(lane, Lane::Time(_));
    table::insert(End {
        channel: Arc::new(Channel {
            lane,
            size,
            capacity,
            destructor,
            senders: AtomicUsize::new(usize::from(sends)),
            receivers: AtomicUsize::new(1),
        }),
        sends,
        receives: true,
    })
}

/// Makes a channel.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_create(
    element_size: usize,
    capacity: usize,
    destructor: Destructor,
    channel: *mut *mut corun_channel,
) -> Status {
    call(|| {
        required(channel)?;
        if element_size > MOST {
            return Err(Failure::invalid(format!(
                "elements of {element_size} bytes; at most {MOST} are allowed"
            )));
        }
        // What is bounded is allocated at once.
        if capacity != usize::MAX
            && capacity.saturating_mul(element_size.max(8)) > isize::MAX as usize / 64
        {
            return Err(Failure::new(
                status::ERR_NOMEM,
                "the channel is larger than any memory",
            ));
        }
        let handle = insert(
            Lane::new(element_size, capacity),
            element_size,
            capacity,
            destructor,
        )?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(channel, handle) }
    })
}

/// A handle that can only send.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_sender(
    channel: *mut corun_channel,
    sender: *mut *mut corun_channel,
) -> Status {
    call(|| {
        required(sender)?;
        let handle = visit(channel)?.narrowed(true, false)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(sender, handle) }
    })
}

/// A handle that can only receive.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_receiver(
    channel: *mut corun_channel,
    receiver: *mut *mut corun_channel,
) -> Status {
    call(|| {
        required(receiver)?;
        let handle = visit(channel)?.narrowed(false, true)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(receiver, handle) }
    })
}

/// Closes a channel.
#[unsafe(no_mangle)]
pub extern "C" fn corun_channel_close(channel: *mut corun_channel) -> Status {
    call(|| {
        if visit(channel)?.channel.lane.close() {
            Ok(())
        } else {
            Err(Failure::ordinary(status::ERR_CLOSED))
        }
    })
}

/// Is it closed?
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_is_closed(
    channel: *mut corun_channel,
    closed: *mut i32,
) -> Status {
    call(|| {
        safepoint();
        let end = visit(channel)?;
        let is_closed = each_lane!(&end.channel.lane, ends => ends.receiver.is_closed(), time => time.is_closed());
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(closed, i32::from(is_closed)) }
    })
}

/// How many elements it holds.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_length(
    channel: *mut corun_channel,
    length: *mut usize,
) -> Status {
    call(|| {
        safepoint();
        let end = visit(channel)?;
        let now = each_lane!(&end.channel.lane, ends => ends.receiver.len(), time => time.len());
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(length, now) }
    })
}

/// How many it can hold.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_capacity(
    channel: *mut corun_channel,
    capacity: *mut usize,
) -> Status {
    call(|| {
        let end = visit(channel)?;
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(capacity, end.channel.capacity) }
    })
}

/// The size of an element.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_element_size(
    channel: *mut corun_channel,
    size: *mut usize,
) -> Status {
    call(|| {
        let end = visit(channel)?;
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(size, end.channel.size) }
    })
}

/// The number of a channel.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_id(channel: *mut corun_channel, id: *mut u64) -> Status {
    call(|| {
        let end = visit(channel)?;
        let number =
            each_lane!(&end.channel.lane, ends => ends.receiver.address(), time => time.address());
        // SAFETY: checked for NULL, and the caller's.
        unsafe { write(id, number as u64) }
    })
}

/// A channel of one moment.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_after(
    delay: i64,
    channel: *mut *mut corun_channel,
) -> Status {
    call(|| {
        required(channel)?;
        let handle = insert(Lane::Time(channel::after(duration(delay))), 8, 1, None)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(channel, handle) }
    })
}

/// A channel of ticks.
///
/// # Safety
/// As the header says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn corun_channel_tick(
    period: i64,
    channel: *mut *mut corun_channel,
) -> Status {
    call(|| {
        required(channel)?;
        if period <= 0 {
            return Err(Failure::invalid("a period is more than 0 ns"));
        }
        let handle = insert(Lane::Time(channel::tick(duration(period))), 8, 1, None)?;
        // SAFETY: not NULL, and the caller's.
        unsafe { write(channel, handle) }
    })
}

/// Makes another reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_channel_retain(channel: *mut corun_channel) -> Status {
    call(|| table::retain::<End, _>(channel))
}

/// Gives up a reference.
#[unsafe(no_mangle)]
pub extern "C" fn corun_channel_release(channel: *mut corun_channel) -> Status {
    call(|| table::release::<End, _>(channel).map(drop))
}
