//! What a stalled worker is doing: asked by the watch thread, answered by the worker's own thread in a signal handler.
//!
//! # Protocol
//! ```text
//!   IDLE --ask (watch)--> ASKED --answer (handler)--> ANSWERING --> ANSWERED --take (watch)--> IDLE
//!                           +---------------------take (watch): nobody has answered---------> IDLE
//! ```
//! - Only the thread itself may look at the coroutine that it runs: seen from any other thread, the block may be freed at that moment. In
//!   the handler it is alive, because a worker's seat is emptied before the running coroutine's own reference is given up
//!   (`task.rs`), and the handler takes a reference of its own.
//! - The question says at which count of switches the worker was seen to stall. If it has switched since, the stall is over, and
//!   the answer is empty. So no coroutine is blamed for another one's stall.
//! - The handler neither allocates nor locks: it fills the space that each worker has for this.
//!
//! The unwinder is libgcc's (or LLVM's). With glibc 2.35 and later it finds its tables without a lock (`_dl_find_object`). On older
//! systems it goes through `dl_iterate_phdr`, whose lock could be held by the very code that was interrupted; it is recursive there, and
//! on systems with another libc frames are not collected.
//!
//! Rejected: to read the coroutine's identity from the watch thread through hazard pointers or by keeping blocks (each costs
//! every coroutine something); to capture `std::backtrace::Backtrace` in the handler (it allocates and locks).

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicU32, Ordering};

use super::worker::Worker;
use crate::coroutine::Coroutine;

const IDLE: u32 = 0;
const ASKED: u32 = 1;
const ANSWERING: u32 = 2;
const ANSWERED: u32 = 3;

/// Frames beyond are left out: the innermost ones are what tells.
const MAX_FRAMES: usize = 64;

/// A worker's space for one question and its answer.
pub(super) struct Capture {
    state: AtomicU32,
    /// The count of switches that the question is about.
    switches: AtomicU32,
    /// Written by the handler between ASKED and ANSWERED, read by the watch thread after that.
    answer: UnsafeCell<Answer>,
}

// SAFETY: the state says which one thread may touch the answer.
unsafe impl Sync for Capture {}
// SAFETY: as above, and the parts may be sent.
unsafe impl Send for Capture {}

struct Answer {
    coroutine: Option<Coroutine>,
    frames: Frames,
}

/// Addresses of instructions, the innermost first.
pub(super) struct Frames {
    addresses: [usize; MAX_FRAMES],
    count: usize,
}

impl Capture {
    pub(super) fn new() -> Capture {
        Capture {
            state: AtomicU32::new(IDLE),
            switches: AtomicU32::new(0),
            answer: UnsafeCell::new(Answer {
                coroutine: None,
                frames: Frames::NONE,
            }),
        }
    }

    /// Puts the question. Called by the watch thread alone, when there is none; it interrupts the worker's thread afterwards.
    pub(super) fn ask(&self, switches: u32) {
        self.switches.store(switches, Ordering::Relaxed);
        // Release pairs with the acquire in `answer_now`.
        self.state.store(ASKED, Ordering::Release);
    }

    /// Takes the answer, if there is one and the coroutine was still running. Withdraws a question that was not answered if `give_up`.
    pub(super) fn take(&self, give_up: bool) -> Option<(Coroutine, Vec<usize>)> {
        if give_up {
            let _ = self
                .state
                .compare_exchange(ASKED, IDLE, Ordering::Relaxed, Ordering::Relaxed);
        }
        // Acquire pairs with the release in `answer_now`.
        if self.state.load(Ordering::Acquire) != ANSWERED {
            return None;
        }
        // SAFETY: the handler has finished with it, and none comes before the next question, which this thread puts.
        let answer = unsafe { &mut *self.answer.get() };
        let frames = answer.frames.addresses[..answer.frames.count].to_vec();
        let coroutine = answer.coroutine.take();
        self.state.store(IDLE, Ordering::Relaxed);
        Some((coroutine?, frames))
    }

    /// Has a question been put and not been settled?
    pub(super) fn is_open(&self) -> bool {
        self.state.load(Ordering::Relaxed) != IDLE
    }

    fn answer_now(&self, worker: &Worker) -> bool {
        if self
            .state
            .compare_exchange(ASKED, ANSWERING, Ordering::Acquire, Ordering::Relaxed)
            .is_err()
        {
            return false;
        }
        // SAFETY: between ASKED and ANSWERED it is this handler's.
        let answer = unsafe { &mut *self.answer.get() };
        let same = worker.shared().switches() == self.switches.load(Ordering::Relaxed);
        answer.frames.count = 0;
        // The space is empty: assigning drops nothing.
        answer.coroutine = worker
            .running()
            .filter(|_| same)
            .map(Coroutine::from_running);
        if answer.coroutine.is_some() {
            answer.frames.collect();
        }
        self.state.store(ANSWERED, Ordering::Release);
        true
    }
}

/// What an interrupted thread does. Returns whether anybody had asked.
pub(super) fn answer() -> bool {
    Worker::current().is_some_and(|worker| worker.shared().watched.capture.answer_now(worker))
}

/// Lets the unwinder do what it does only once, so that no handler finds another thread half-way through it.
pub(super) fn prepare() {
    let mut frames = Frames::NONE;
    frames.collect();
}

impl Frames {
    const NONE: Frames = Frames {
        addresses: [0; MAX_FRAMES],
        count: 0,
    };

    /// Appends the frames of this thread; in a signal handler, those of the interrupted code only.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn collect(&mut self) {
        // SAFETY: the callback gets the pointer that is passed here, while this call lasts.
        unsafe { unwind::_Unwind_Backtrace(unwind::visit, std::ptr::from_mut(self).cast()) };
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn collect(&mut self) {}
}

/// The unwinder that std brings along.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod unwind {
    use std::ffi::{c_int, c_void};

    use super::{Frames, MAX_FRAMES};

    #[repr(C)]
    pub(super) struct Context {
        _opaque: [u8; 0],
    }

    type Visit = unsafe extern "C" fn(*mut Context, *mut c_void) -> c_int;

    const CONTINUE: c_int = 0;
    const STOP: c_int = 5;

    unsafe extern "C" {
        pub(super) fn _Unwind_Backtrace(visit: Visit, argument: *mut c_void) -> c_int;
        fn _Unwind_GetIPInfo(context: *mut Context, before: *mut c_int) -> usize;
    }

    pub(super) unsafe extern "C" fn visit(context: *mut Context, frames: *mut c_void) -> c_int {
        // SAFETY: `collect` passes its frames.
        let frames = unsafe { &mut *frames.cast::<Frames>() };
        let mut interrupted = 0;
        // SAFETY: the unwinder passes its context; the other pointer is to a local.
        let address = unsafe { _Unwind_GetIPInfo(context, &raw mut interrupted) };
        if interrupted != 0 {
            // What came so far is the handler.
            frames.count = 0;
        }
        if address == 0 || frames.count == MAX_FRAMES {
            return STOP;
        }
        // For the interrupted instruction itself one more, since a return address is one too far, and what resolves them knows that.
        frames.addresses[frames.count] = address + usize::from(interrupted != 0);
        frames.count += 1;
        CONTINUE
    }
}
