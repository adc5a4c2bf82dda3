//! Who waits for something at an address: a futex, a mutex, a condition variable, a semaphore.
//!
//! # Protocol
//! - Coroutines wait here, plain threads where they always have: in the kernel, or in glibc. Whoever wakes looks here first, then there.
//! - A waiter counts itself, looks (under the lock) whether there is anything to wait for, and only then stands in the queue. A waker changes what is
//!   waited for, and then looks at the count. One of the two sees the other, as there is a fence between the two steps on both sides.
//! - Who takes a waiter out of the queue notifies it, under the lock; who gives up takes itself out under the lock. So no one is notified that has gone.
//! - First come, first served, per address.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering, fence};
use std::time::Instant;

use corun::hooking::Waiter;

use crate::spin::{Spin, holds_any};

/// Any reason to be woken will do.
pub(crate) const ANY: u32 = u32::MAX;

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// There was nothing to wait for.
    NoNeed,
    Woken(Why),
    TimedOut,
}

/// Who woke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// As any waker does.
    Told,
    /// To look again: see `parker.rs`.
    LookAgain,
}

struct Node {
    waiter: Waiter,
    address: usize,
    /// Which wakers it listens to.
    bits: u32,
    is_parker: bool,
    /// Written under the lock by who wakes.
    why: Cell<Why>,
}

struct Bucket {
    /// Those in the queue, and those who are about to be.
    count: AtomicUsize,
    queue: Spin<Queue>,
}

struct Queue(VecDeque<*const Node>);

// SAFETY: nodes in the queue are alive, and may be notified from any thread.
unsafe impl Send for Queue {}

static BUCKETS: [Bucket; 256] = [const {
    Bucket {
        count: AtomicUsize::new(0),
        queue: Spin::new(Queue(VecDeque::new())),
    }
}; 256];

fn bucket(address: usize) -> &'static Bucket {
    // Words of four bytes, in objects of some dozens: multiplied, so that the high bits depend on all of them.
    let mixed = (address >> 2).wrapping_mul(0x9e37_79b9_7f4a_7c15_usize);
    &BUCKETS[mixed >> (usize::BITS - 8)]
}

/// Waits until `wake` is called for the address, if `needs_to` still says so under the lock. For a coroutine that may be parked.
pub(crate) fn wait(
    address: usize,
    bits: u32,
    deadline: Option<Instant>,
    needs_to: impl FnOnce() -> bool,
) -> End {
    wait_as(address, bits, false, deadline, needs_to, || true)
}

/// Stands in the queue, then does `then`, and then waits, if that was well.
pub(crate) fn wait_after(
    address: usize,
    deadline: Option<Instant>,
    then: impl FnOnce() -> bool,
) -> End {
    wait_as(address, ANY, false, deadline, || true, then)
}

/// As `wait`, for the token of the calling thread.
pub(crate) fn wait_parked(
    address: usize,
    deadline: Option<Instant>,
    needs_to: impl FnOnce() -> bool,
) -> End {
    wait_as(address, ANY, true, deadline, needs_to, || true)
}

fn wait_as(
    address: usize,
    bits: u32,
    is_parker: bool,
    deadline: Option<Instant>,
    needs_to: impl FnOnce() -> bool,
    then: impl FnOnce() -> bool,
) -> End {
    let bucket = bucket(address);
    let node = Node {
        waiter: Waiter::new(),
        address,
        bits,
        is_parker,
        why: Cell::new(Why::Told),
    };
    bucket.count.fetch_add(1, Ordering::SeqCst);
    // Pairs with that in `wake`.
    fence(Ordering::SeqCst);
    let stands = bucket.queue.with(|queue| {
        let needs_to = needs_to();
        if needs_to {
            queue.0.push_back(&raw const node);
        }
        needs_to
    });
    let end = if !stands {
        End::NoNeed
    } else if then() && node.waiter.wait(deadline) {
        End::Woken(node.why.get())
    } else {
        // Not found: somebody has taken it out, but too late to notify it. It was woken all the same, and must not swallow that.
        let found = bucket.queue.with(|queue| {
            let place = queue
                .0
                .iter()
                .position(|&other| std::ptr::eq(other, &raw const node));
            place.map(|place| queue.0.remove(place)).is_some()
        });
        if found {
            End::TimedOut
        } else {
            End::Woken(node.why.get())
        }
    };
    bucket.count.fetch_sub(1, Ordering::SeqCst);
    end
}

/// Does anybody wait here for the token of a thread?
pub(crate) fn is_parker(address: usize) -> bool {
    let found = |queue: &mut Queue| {
        // SAFETY: as in `wake_because`.
        let mut nodes = queue.0.iter().map(|&node| unsafe { &*node });
        nodes.any(|node| node.address == address && node.is_parker)
    };
    bucket(address).queue.with(found)
}

/// Wakes up to `most` who wait at the address and listen to one of `bits`. Returns how many.
pub(crate) fn wake(address: usize, most: usize, bits: u32) -> usize {
    wake_because(address, most, bits, Why::Told)
}

/// As `wake`, and says why. In a signal handler that has interrupted a section of ours nobody is woken: those who wait for a semaphore, which alone may be
/// posted there, look again by themselves.
pub(crate) fn wake_because(address: usize, most: usize, bits: u32, why: Why) -> usize {
    let bucket = bucket(address);
    // Pairs with that in `wait`: what the caller has changed is seen by whoever counts himself later.
    fence(Ordering::SeqCst);
    if bucket.count.load(Ordering::SeqCst) == 0 || most == 0 || holds_any() {
        return 0;
    }
    bucket.queue.with(|queue| {
        let mut woken = 0;
        queue.0.retain(|&node| {
            // SAFETY: a node in the queue is alive until it was taken out, under the lock.
            unsafe {
                let listens = (*node).address == address && (*node).bits & bits != 0;
                if woken == most || !listens {
                    return true;
                }
                (*node).why.set(why);
                woken += 1;
                Waiter::notify(&raw const (*node).waiter);
            }
            false
        });
        woken
    })
}

/// Keeps all from the queues while the process forks.
pub(crate) fn hold() {
    BUCKETS.iter().for_each(|bucket| bucket.queue.hold());
}

/// After a fork. In the child nobody waits.
///
/// # Safety
/// After `hold`.
pub(crate) unsafe fn free(in_child: bool) {
    for bucket in &BUCKETS {
        // SAFETY: as the caller promises.
        unsafe {
            if in_child {
                bucket.queue.held().0.clear();
                bucket.count.store(0, Ordering::SeqCst);
            }
            bucket.queue.free();
        }
    }
}
