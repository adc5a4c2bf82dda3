//! `std::sync::mpsc`, and channels of the same descent (crossbeam-channel), between coroutines of one worker.
//!
//! # The problem
//! Whoever waits in such a channel leaves there an entry with the address of a thread-local, by which a sender knows its own thread's entries; and
//! these it skips, since a thread that sends does not wait. A coroutine that waits is therefore not woken by a sender of its own worker, and neither is
//! anything called that could be hooked. A send from any other thread, or from a coroutine of another worker, wakes it as it should.
//!
//! Nothing can be done about that from outside. So it is said, loudly and once: when a coroutine has waited in such a channel for about a second, with its name
//! and what to use instead. The wait may be one that is right, hence no more than that.
//!
//! # How it is recognised
//! The entry is a block on the heap that has both a handle of the thread and such an address in it, and the coroutine's stack, near its end, has a
//! pointer to the block. Memory is read by `process_vm_readv`, which fails where there is none. If std changes this, the message does not come.

use std::cell::Cell;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Thread};

use corun::hooking;

/// How much of the stack is looked at, in words.
const STACK: usize = 1024;
/// How large such a block is, in words.
const BLOCK: usize = 6;
/// A thread's variables lie within this distance of each other.
const NEAR: usize = 1 << 20;

thread_local! {
    static HERE: Cell<u8> = const { Cell::new(0) };
}

/// Called by a coroutine that std has parked for long.
#[cold]
pub(crate) fn check() {
    static SAID: AtomicBool = AtomicBool::new(false);
    if SAID.load(Ordering::Relaxed) || !waits_in_channel() || SAID.swap(true, Ordering::Relaxed) {
        return;
    }
    let waits = corun::current();
    let name = waits.name().unwrap_or("without a name");
    let message = format!(
        "corun-hook: the coroutine {name} (number {}, spawned at {}) waits in a channel that takes the coroutines of a worker for one \
         thread (std::sync::mpsc, crossbeam-channel). It is not woken by a coroutine of its own worker. Use corun::channel, which has the same \
         interface as crossbeam-channel. This is said once.\n",
        hooking::coroutine(),
        waits.spawn_site(),
    );
    // SAFETY: the buffer is as long as it says.
    unsafe { libc::write(libc::STDERR_FILENO, message.as_ptr().cast(), message.len()) };
}

fn waits_in_channel() -> bool {
    if size_of::<Thread>() != size_of::<usize>() {
        return false;
    }
    let thread = thread::current();
    // SAFETY: as large as a word, and looked at only as a number.
    let handle = unsafe { mem::transmute_copy::<Thread, usize>(&thread) };
    let here = HERE.with(|here| std::ptr::from_ref(here).addr());
    let mut stack = vec![0usize; STACK];
    // From this frame on, to those that have called it.
    let read = copy((&raw const thread).addr() & !7, &mut stack);
    let is_entry = |&address: &usize| {
        // As the allocator aligns, and not in the first page.
        if !address.is_multiple_of(16) || address < 4096 {
            return false;
        }
        let mut block = [0usize; BLOCK];
        copy(address, &mut block) == BLOCK
            // A counted block: some have it, and nobody has it weakly.
            && (1..=1000).contains(&block[0])
            && block[1] == 1
            && block[2..].contains(&handle)
            && block[2..].iter().any(|word| word.abs_diff(here) < NEAR)
    };
    stack[..read].iter().any(is_entry)
}

/// Reads words of this process. Returns how many there were.
fn copy(from: usize, to: &mut [usize]) -> usize {
    let local = libc::iovec {
        iov_base: to.as_mut_ptr().cast(),
        iov_len: size_of_val(to),
    };
    let remote = libc::iovec {
        iov_base: from as *mut _,
        iov_len: size_of_val(to),
    };
    // SAFETY: the local vector is the slice; of the remote one the kernel says what is not there.
    let count = unsafe {
        libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const remote, 1, 0)
    };
    usize::try_from(count).unwrap_or(0) / size_of::<usize>()
}
