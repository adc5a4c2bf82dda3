//! Where interrupt handlers and other processors leave word of what has happened: a stack of nodes that takes no lock and no memory.
//!
//! Each event has one node, allocated with it. [`Node::notify`] counts, and puts the node onto the stack unless it is there already;
//! [`Inbox::take`], for the executor alone, takes the whole stack at once and goes through it in the order of arrival.
//!
//! # Invariants
//! 1. A node is on the stack, or taken and not yet gone through, exactly while its `queued` is set; whoever sets it pushes the node. So no node is on
//!    the stack twice, and `next` belongs to whoever set `queued`, then to whoever took the stack.
//! 2. A node that is on the stack is owned by the stack: pushing leaks one count of its `Arc`, and taking gives it back.
//! 3. `queued` is cleared before the count is read, and counted up before it is set. So a notification either finds `queued` clear and
//!    pushes, or its count is seen by whoever clears `queued` after it. None is lost, and those in between are counted together.
//!
//! Nothing here waits: an interrupt handler that interrupts `notify` or `take` of the same processor, at any instruction, completes its own
//! `notify`, and the interrupted loop goes round once more. The stack is never popped one by one, so that the ABA problem does not arise.
//!
//! Rejected: a ring of fixed size (what happens when it is full?); a queue of wakers in boxes (a handler would have to allocate); masking
//! interrupts (does nothing for other processors).
//!
//! Checked by loom, with seeded mistakes, in `tests/core/models.rs`.

use core::ptr;

use crate::primitive::{Arc, AtomicBool, AtomicPtr, AtomicU32, Ordering};

/// The executor's end.
pub(crate) struct Inbox {
    /// The node that was pushed last, null, or [`CLOSED`].
    last: AtomicPtr<Node>,
}

/// Stands in the place of the last node once the executor is gone.
const CLOSED: *mut Node = ptr::without_provenance_mut(1);

/// What one event leaves word with.
pub(crate) struct Node {
    inbox: Arc<Inbox>,
    queued: AtomicBool,
    /// How often it was notified since somebody read it.
    count: AtomicU32,
    /// The node that was pushed before; see invariant 1.
    next: AtomicPtr<Node>,
}

impl Inbox {
    pub(crate) fn new() -> Inbox {
        Inbox {
            last: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.last.load(Ordering::Relaxed).is_null()
    }

    /// Calls `each` with all nodes that were notified, in the order of their first notifications.
    pub(crate) fn take(&self, each: impl FnMut(&Arc<Node>)) {
        if !self.is_empty() {
            self.empty(ptr::null_mut(), each);
        }
    }

    /// Lets go of all nodes, and takes none from now on.
    pub(crate) fn close(&self) {
        self.empty(CLOSED, |_| ());
    }

    fn empty(&self, leave: *mut Node, mut each: impl FnMut(&Arc<Node>)) {
        // Acquires the `next` of each node, which the push releases.
        let mut node = self.last.swap(leave, Ordering::Acquire);
        let mut first = ptr::null_mut::<Node>();
        while !node.is_null() {
            // SAFETY: by invariant 2 the node is alive; by invariant 1 its `next` is ours.
            let next = unsafe { &(*node).next };
            let before = next.load(Ordering::Relaxed);
            next.store(first, Ordering::Relaxed);
            first = node;
            node = before;
        }
        while !first.is_null() {
            // SAFETY: by invariant 2 the stack had one count of it, which is taken over.
            let node = unsafe { Arc::from_raw(first.cast_const()) };
            first = node.next.load(Ordering::Relaxed);
            // Acquires what was written before the notifications that found it set; from here on `next` is not ours.
            node.queued.swap(false, Ordering::AcqRel);
            each(&node);
        }
    }
}

impl Node {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Node {
        Node {
            inbox,
            queued: AtomicBool::new(false),
            count: AtomicU32::new(0),
            next: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Counts a notification. Returns whether the inbox was empty before it, so that its executor may be waiting.
    pub(crate) fn notify(node: &Arc<Node>) -> bool {
        let mut count = node.count.load(Ordering::Relaxed);
        // A count that is full stays so.
        while count < u32::MAX {
            match node.count.compare_exchange_weak(
                count,
                count + 1,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => break,
                Err(now) => count = now,
            }
        }
        // Releases the count to whoever clears it, and acquires `next` from whoever cleared it last.
        if node.queued.swap(true, Ordering::AcqRel) {
            return false;
        }
        let pushed = Arc::into_raw(Arc::clone(node)).cast_mut();
        // Most often the inbox is empty.
        let mut last = ptr::null_mut();
        loop {
            node.next.store(last, Ordering::Relaxed);
            // Releases `next` to the acquiring swap in `take`.
            match node.inbox.last.compare_exchange_weak(
                last,
                pushed,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return last.is_null(),
                Err(now) if now == CLOSED => {
                    // SAFETY: from `into_raw`, and not pushed. This is not the last count, since `node` is one.
                    drop(unsafe { Arc::from_raw(pushed.cast_const()) });
                    return false;
                }
                Err(now) => last = now,
            }
        }
    }

    /// The notifications since the last call.
    pub(crate) fn take_count(&self) -> u32 {
        // Acquires what was written before those notifications.
        self.count.swap(0, Ordering::Acquire)
    }
}
