//! What the contract of `spawn_migratable` is about: after a suspension the thread may be another one, and with it all that belongs to the thread.
//!
//! The bodies ask by functions that are not inlined, each of which is over before the next suspension: with that they keep to the contract.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

thread_local! {
    static OF_THREAD: Cell<u32> = const { Cell::new(0) };
}

#[inline(never)]
fn thread_id() -> ThreadId {
    thread::current().id()
}

#[inline(never)]
fn set(value: u32) {
    OF_THREAD.set(value);
}

#[inline(never)]
fn get() -> u32 {
    OF_THREAD.get()
}

/// Gives way until it is on another thread, while others keep both workers busy.
fn move_elsewhere(moved: &AtomicUsize) {
    let began = thread_id();
    while thread_id() == began {
        corun::yield_now();
    }
    moved.fetch_add(1, Ordering::Relaxed);
}

#[corun::test(workers = 2)]
fn a_thread_local_is_another_one_after_the_move() {
    let moved = Arc::new(AtomicUsize::new(0));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let moved = Arc::clone(&moved);
            let body = move || {
                while moved.load(Ordering::Relaxed) == 0 {
                    corun::yield_now();
                }
            };
            // SAFETY: it keeps nothing of its thread.
            unsafe { corun::spawn_migratable(body) }
        })
        .collect();
    let wanderer = move || {
        set(7);
        let value = get();
        move_elsewhere(&moved);
        (value, get())
    };
    // SAFETY: the thread local is used in functions that are not inlined, and are over before the next suspension.
    let wanderer = unsafe { corun::spawn_migratable(wanderer) };
    assert_eq!(
        wanderer.join().unwrap(),
        (7, 0),
        "a value that was read stays what it was"
    );
    busy.into_iter().for_each(|one| one.join().unwrap());
}

/// What may be kept: a guard of corun's, and what is the coroutine's alone.
#[corun::test(workers = 2)]
fn a_guard_of_corun_goes_along() {
    let moved = Arc::new(AtomicUsize::new(0));
    let mutex = Arc::new(corun::sync::Mutex::new(0));
    let all: Vec<_> = (0..4)
        .map(|_| {
            let (moved, mutex) = (Arc::clone(&moved), Arc::clone(&mutex));
            let body = move || {
                let own = std::rc::Rc::new(Cell::new(0));
                {
                    let mut guard = mutex.lock().unwrap();
                    move_elsewhere(&moved);
                    *guard += 1;
                    own.set(own.get() + 1);
                }
                own.get()
            };
            // SAFETY: it keeps nothing of its thread; the `Rc` is its own as a whole.
            unsafe { corun::spawn_migratable(body) }
        })
        .collect();
    let done = Arc::new(AtomicUsize::new(0));
    let busy: Vec<_> = (0..4)
        .map(|_| {
            let done = Arc::clone(&done);
            let body = move || {
                while done.load(Ordering::Relaxed) == 0 {
                    corun::yield_now();
                }
            };
            // SAFETY: it keeps nothing of its thread.
            unsafe { corun::spawn_migratable(body) }
        })
        .collect();
    for one in all {
        assert_eq!(one.join().unwrap(), 1);
    }
    done.store(1, Ordering::Relaxed);
    busy.into_iter().for_each(|one| one.join().unwrap());
    assert_eq!(*mutex.lock().unwrap(), 4);
}
