//! Two fences that make a pair, of which one costs nothing.
//!
//! A store followed by a load of something else is seen in that order by all others only with a full fence in between, which costs as much as an
//! atomic exchange. Where one side does this all the time and the other side rarely, the rare side can pay for both: it asks the system
//! to have every processor that runs a thread of this process execute a full fence (`membarrier(2)`, half a microsecond;
//! `FlushProcessWriteBuffers` on Windows).
//!
//! # Promise
//! If one thread does A, [`light`], B, and another one C, [`heavy`], D, then B sees what C did, or D sees what A did: as with two
//! sequentially consistent fences. The models put these in their place.
//!
//! # How
//! Until [`enable`] has registered the process with the system, and for ever where there is no such system call, both are full fences. The
//! change needs no further care: `heavy` publishes C by a full fence before it looks whether it has to ask the system. If it
//! need not, whoever finds later that it may leave its fence out finds C as well.

use std::sync::atomic::{AtomicBool, Ordering, compiler_fence, fence};

/// The system runs the fences of those that leave theirs out.
static ASYMMETRIC: AtomicBool = AtomicBool::new(false);

/// The side that must be fast.
#[inline(always)]
pub(crate) fn light() {
    // Acquire: what comes after is not read before this.
    if ASYMMETRIC.load(Ordering::Acquire) {
        compiler_fence(Ordering::SeqCst);
    } else {
        fence(Ordering::SeqCst);
    }
}

/// Do light fences cost nothing?
pub(crate) fn are_cheap() -> bool {
    ASYMMETRIC.load(Ordering::Relaxed)
}

/// The side that pays.
#[cold]
pub(crate) fn heavy() {
    fence(Ordering::SeqCst);
    if ASYMMETRIC.load(Ordering::SeqCst) && !system::fence_all() {
        refused();
    }
    fence(Ordering::SeqCst);
}

/// Makes light fences cheap from now on, if the system can. Where other threads run already, this takes some 15 ms, once in a process: not
/// to be done where somebody waits for it.
pub(crate) fn enable() {
    if !ASYMMETRIC.load(Ordering::Relaxed) && system::register() && system::fence_all() {
        ASYMMETRIC.store(true, Ordering::SeqCst);
    }
}

/// As `enable`, if that is a matter of microseconds.
pub(crate) fn enable_if_alone() {
    if !ASYMMETRIC.load(Ordering::Relaxed) && system::is_alone() {
        enable();
    }
}

/// The system has taken back what it offered: the program has locked itself into a sandbox since. From now on everybody uses full fences. Who
/// saw the old word is a few instructions away from its load; that its store is still under way after a millisecond is
/// impossible, since nothing stays in a store buffer for so long.
#[cold]
fn refused() {
    ASYMMETRIC.store(false, Ordering::SeqCst);
    std::thread::sleep(std::time::Duration::from_millis(1));
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    fn membarrier(command: libc::c_int) -> bool {
        // SAFETY: the call takes numbers, and touches no memory of the program.
        unsafe { libc::syscall(libc::SYS_membarrier, command, 0, 0) == 0 }
    }

    /// Is this the only thread of the process?
    pub(super) fn is_alone() -> bool {
        std::fs::read_dir("/proc/self/task").is_ok_and(|threads| threads.count() == 1)
    }

    pub(super) fn register() -> bool {
        membarrier(libc::MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)
    }

    pub(super) fn fence_all() -> bool {
        let fence = || membarrier(libc::MEMBARRIER_CMD_PRIVATE_EXPEDITED);
        // The child of a fork may have to register again.
        fence() || (register() && fence())
    }
}

#[cfg(windows)]
mod system {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn FlushProcessWriteBuffers();
    }

    pub(super) fn is_alone() -> bool {
        // There is nothing to register, so that it is never a matter of more than microseconds.
        true
    }

    pub(super) fn register() -> bool {
        true
    }

    pub(super) fn fence_all() -> bool {
        // SAFETY: no preconditions.
        unsafe { FlushProcessWriteBuffers() };
        true
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
mod system {
    pub(super) fn is_alone() -> bool {
        false
    }

    pub(super) fn register() -> bool {
        false
    }

    pub(super) fn fence_all() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Barrier};

    /// Store, fence, load on two threads at once: at least one of them sees the other's store.
    #[test]
    fn one_of_the_two_sides_sees_the_other() {
        const ROUNDS: usize = 2_000;
        enable();
        let cells: Arc<Vec<[AtomicBool; 2]>> =
            Arc::new((0..ROUNDS).map(|_| Default::default()).collect());
        let start = Arc::new(Barrier::new(2));
        let run = |side: usize, fence: fn()| {
            let (cells, start) = (Arc::clone(&cells), Arc::clone(&start));
            std::thread::spawn(move || {
                let round = |cell: &[AtomicBool; 2]| {
                    start.wait();
                    cell[side].store(true, Ordering::Relaxed);
                    fence();
                    cell[1 - side].load(Ordering::Relaxed)
                };
                cells.iter().map(round).collect::<Vec<_>>()
            })
        };
        let (fast, slow) = (run(0, light), run(1, heavy));
        let seen = fast.join().unwrap().into_iter().zip(slow.join().unwrap());
        assert!(seen.into_iter().all(|(fast, slow)| fast || slow));
    }
}
