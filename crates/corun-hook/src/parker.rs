//! `std::thread::park` in coroutines.
//!
//! # The problem
//! std has one token for each *thread*: 0, 1 (there is a token) or -1 (its thread is parked). The coroutines of a worker share it. When the second
//! one parks, the word becomes -2, and `unpark`, which calls the kernel only if it finds -1, wakes nobody; when one of them goes on it becomes 0, with the
//! same effect for all others; and the token may be taken by another than it was meant for.
//!
//! # What holds here
//! `park` may return for no reason, and everyone who calls it looks at his condition in a loop. So:
//! 1. Before somebody stands in the queue of a parker the word is set to -1, unless the token is there.
//! 2. `unpark` of a thread wakes all of its coroutines that are parked there. Each finds a token, and so leaves `park`.
//! 3. Who leaves takes the token with it, and the word becomes 0 after that, out of our sight. One of the others, if any, is therefore woken to
//!    look again: it runs when this one has suspended, and sets the word to -1 again.
//! 4. What is left is an `unpark` that comes in between, or for a coroutine that suspended after it had looked at its condition and
//!    before it parked. Its token is lost. Nothing tells of that, so everyone looks again at times: after some milliseconds where others
//!    share the parker, then at longer and longer intervals, up to [`LONGEST`]. What was lost is late, then, but comes.
//!
//! `std::sync::mpsc` cannot be helped in this way: see `channels.rs`.
//!
//! # Which word it is
//! std does not say. A worker learns it once: it parks for a nanosecond, and the futex that this leads to is the one ([`is_learning`]).

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::queue::{self, ANY, End, Why};

const TOKEN: u32 = 1;
const PARKED: u32 = u32::MAX;
const SHORTEST: Duration = Duration::from_millis(2);
const LONGEST: Duration = Duration::from_secs(1);

/// `PARKER`, while it is being learned.
const LEARNING: usize = 1;

/// How many coroutines are parked by std, so that other wake-ups need not look.
static PARKED_COROUTINES: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The address of this thread's word; 0 until it is known.
    static PARKER: Cell<usize> = const { Cell::new(0) };
    /// When somebody was last unparked here.
    static TOLD: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Notes the address, if that is what the call is for.
pub(crate) fn is_learning(address: usize) -> bool {
    let learning = PARKER.get() == LEARNING;
    if learning {
        PARKER.set(address);
    }
    learning
}

/// Is this the word of the calling thread's own parker?
pub(crate) fn is_own(address: usize) -> bool {
    if PARKER.get() == 0 {
        // So that there is one token for sure, then none: otherwise std need not wait, and does not call.
        thread::current().unpark();
        thread::park();
        PARKER.set(LEARNING);
        thread::park_timeout(Duration::from_nanos(1));
        if PARKER.get() == LEARNING {
            // Somebody has unparked the thread meanwhile; the next time will do.
            PARKER.set(0);
        }
        // One may have been taken: to give one too many does no harm.
        thread::current().unpark();
    }
    PARKER.get() == address
}

/// Waits for the token of this thread. What std does next takes it.
pub(crate) fn wait(word: &AtomicU32, deadline: Option<Instant>) -> End {
    let address = std::ptr::from_ref(word).addr();
    PARKED_COROUTINES.fetch_add(1, Ordering::SeqCst);
    let end = loop {
        let now = corun::time::now();
        // As long again as nothing has happened so far.
        let quiet = TOLD
            .get()
            .map_or(LONGEST, |told| now.saturating_duration_since(told));
        let again = now + quiet.clamp(SHORTEST, LONGEST);
        let first = deadline.map_or(again, |deadline| deadline.min(again));
        match queue::wait_parked(address, Some(first), || announce(word)) {
            End::Woken(Why::LookAgain) => {}
            End::TimedOut if deadline.is_some_and(|deadline| deadline <= corun::time::now()) => {
                break End::TimedOut;
            }
            End::TimedOut => {
                if quiet >= LONGEST / 2 {
                    crate::channels::check();
                }
                break End::Woken(Why::Told);
            }
            told => {
                TOLD.set(Some(corun::time::now()));
                break told;
            }
        }
    };
    if deadline.is_none() {
        // There is no other way out of `park`.
        word.store(TOKEN, Ordering::SeqCst);
    }
    PARKED_COROUTINES.fetch_sub(1, Ordering::SeqCst);
    queue::wake_because(address, 1, ANY, Why::LookAgain);
    end
}

/// Says that somebody is parked, unless the token is there. Only the owner thread sets the word to anything but the token.
fn announce(word: &AtomicU32) -> bool {
    word.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |word| {
        (word != TOKEN).then_some(PARKED)
    })
    .is_ok()
}

/// For a wake-up at this address: if it is a parker's, all its coroutines are woken, and the thread, which may wait there too, is yet to be.
/// Returns whether it is.
pub(crate) fn wake(address: usize) -> bool {
    let is_parker = PARKED_COROUTINES.load(Ordering::SeqCst) != 0 && queue::is_parker(address);
    if is_parker {
        queue::wake(address, usize::MAX, ANY);
    }
    is_parker
}
