//! `fork` in a program that uses corun.
//!
//! # What holds in the child
//! - The coroutine (or thread) that called `fork` goes on, as the only thread of the process, and as a plain one: what would park a coroutine
//!   blocks the thread. `coroutine_local!` gives the values of a plain thread.
//! - No other coroutine, worker or pool thread of the parent exists there. Their stacks stay in the child's memory, untouched and unused:
//!   nothing on them is dropped.
//! - A new `Runtime` may be made, and the default one is made anew when it is first used. Handles to the parent's runtimes are dead.
//! - When the closure of a coroutine that forked returns in the child, the process exits, as it does when its last thread returns.
//! - Sockets work: they are shared with the parent as after any `fork`. The parent's reactors are left alone, because an epoll instance is
//!   shared as well, and a change made by the child would take effect in the parent.
//!
//! A child that calls `exec` or `_exit` soon, which is what `std::process::Command` does, needs none of this.
//!
//! # How
//! `pthread_atfork` handlers, installed with the first runtime. Process-wide locks are taken before the fork, in the order of their
//! registration, and released after it on both sides, so that the child never finds one held by a thread that it does not have. Locks
//! that belong to one runtime are not: the child does not use that runtime. Rejected: to compare process ids at each call, which costs
//! every operation something and sees nothing of `vfork`-like clones either.

use std::ptr;
use std::sync::Once;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// How many forks lie between this process and the one in which the library was first used.
static GENERATION: AtomicU32 = AtomicU32::new(0);

/// Null or a `&'static Hook`, filled from the front and never emptied: a lock here could itself be held by another thread at a fork.
static HOOKS: [AtomicPtr<Hook>; 8] = [const { AtomicPtr::new(ptr::null_mut()) }; 8];

/// A part of the library that has a say in forks.
pub(crate) struct Hook {
    /// Before the fork, in the parent: takes locks.
    pub(crate) prepare: fn(),
    /// After it, in the parent and in the child, on the same thread: releases them. Does nothing if this thread has not taken them, as
    /// is the case for a hook that was added by another thread during the fork.
    pub(crate) release: fn(),
    /// After it, in the child, when all locks are released.
    pub(crate) child: fn(),
}

/// Adds a hook, for as long as the process lives. Once per hook: the caller sees to that.
pub(crate) fn add(hook: &'static Hook) {
    watch();
    let hook = ptr::from_ref(hook).cast_mut();
    // AcqRel: pairs with the loads in `hooks`.
    let free = |slot: &&AtomicPtr<Hook>| {
        slot.compare_exchange(ptr::null_mut(), hook, Ordering::AcqRel, Ordering::Relaxed)
            .is_ok()
    };
    assert!(
        HOOKS.iter().find(free).is_some(),
        "more parts of corun want to know of forks than there is room for"
    );
}

/// A number that differs between a process and its forked children. What was made in another generation belongs to threads that do not
/// exist in this process. Reliable once [`watch`] was called, as every runtime does.
#[inline]
pub(crate) fn generation() -> u32 {
    // Relaxed: it changes only while the process has one thread.
    GENERATION.load(Ordering::Relaxed)
}

/// Installs the handlers.
pub(crate) fn watch() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        #[cfg(unix)]
        // SAFETY: the handlers are functions of the right type that do not unwind. An error means that there is no memory for three
        // pointers; that matters to programs that fork, and they will see their own.
        unsafe {
            libc::pthread_atfork(Some(prepare), Some(parent), Some(child))
        };
    });
}

fn hooks() -> impl DoubleEndedIterator<Item = &'static Hook> {
    // SAFETY: what is stored are static references.
    HOOKS
        .iter()
        .filter_map(|slot| unsafe { slot.load(Ordering::Acquire).as_ref() })
}

extern "C" fn prepare() {
    hooks().for_each(|hook| (hook.prepare)());
}

extern "C" fn parent() {
    hooks().rev().for_each(|hook| (hook.release)());
}

extern "C" fn child() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    hooks().rev().for_each(|hook| (hook.release)());
    hooks().for_each(|hook| (hook.child)());
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::sync::atomic::AtomicBool;
    use std::sync::{Mutex, MutexGuard};
    use std::thread;

    static LOCK: Mutex<u64> = Mutex::new(0);
    static IN_CHILD: AtomicU32 = AtomicU32::new(0);
    thread_local! {
        static HELD: RefCell<Option<MutexGuard<'static, u64>>> = const { RefCell::new(None) };
    }

    static HOOK: Hook = Hook {
        prepare: || HELD.set(Some(LOCK.lock().unwrap())),
        release: || HELD.set(None),
        child: || {
            IN_CHILD.fetch_add(1, Ordering::Relaxed);
        },
    };

    /// Forks, and returns the exit code of the child, which runs `f` and nothing else.
    fn in_child(f: impl FnOnce() -> u8) -> i32 {
        // SAFETY: the child calls `f`, which takes locks only that are held across the fork, and leaves by `_exit`.
        let pid = unsafe { libc::fork() };
        assert!(pid >= 0);
        if pid == 0 {
            let code = f();
            // SAFETY: always valid.
            unsafe { libc::_exit(code.into()) };
        }
        let mut status = 0;
        // SAFETY: waits for the child from above.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        if libc::WIFEXITED(status) {
            libc::WEXITSTATUS(status)
        } else {
            -1
        }
    }

    #[test]
    fn the_child_finds_locks_free_and_data_whole() {
        add(&HOOK);
        let generation_before = generation();
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // Most of the time this thread holds the lock, so that an unprepared fork would catch it held.
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut value = LOCK.lock().unwrap();
                    *value += 1;
                    for _ in 0..1000 {
                        std::hint::spin_loop();
                    }
                    *value += 1;
                }
            });
            for _ in 0..100 {
                let code = in_child(|| {
                    let whole = LOCK.try_lock().is_ok_and(|value| value.is_multiple_of(2));
                    let told = IN_CHILD.load(Ordering::Relaxed) == 1
                        && generation() == generation_before + 1;
                    u8::from(whole) + 2 * u8::from(told)
                });
                assert_eq!(code, 3);
            }
            stop.store(true, Ordering::Relaxed);
        });
        assert_eq!(
            (generation(), IN_CHILD.load(Ordering::Relaxed)),
            (generation_before, 0)
        );
    }
}
